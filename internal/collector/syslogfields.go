package collector

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// unwrapSyslog reads the header of a syslog message, by RFC 5424 or, leniently,
// by RFC 3164, and returns the message in it. What does not begin with a
// priority is its own payload.
//
// Where the header's time and host are followed by CEF at once, they are the
// line's own (its signature covers them), and the payload begins with the time.
// A CEF or JSON line that was put into a message whole is the payload as it is.
func unwrapSyslog(line []byte, receipt time.Time) ([]byte, wrapping) {
	priority, text, ok := cutPriority(string(line))
	if !ok {
		return line, wrapping{}
	}
	h := syslogHeader{priority: priority}
	payload, ok := h.read5424(text)
	if !ok {
		h = syslogHeader{priority: priority}
		payload = h.read3164(text, receipt)
	}
	return bytes.TrimPrefix(line[len(line)-len(payload):], byteOrderMark), h.wrapping()
}

// byteOrderMark begins a message in UTF-8 by RFC 5424.
var byteOrderMark = []byte("\uFEFF")

type syslogHeader struct {
	priority               int
	time                   time.Time
	host, app, proc, msgID string
	params                 []search.Field
}

func (h *syslogHeader) wrapping() wrapping {
	w := wrapping{time: h.time, host: h.host, plain: true}
	for _, field := range []search.Field{
		{Name: "facility", Value: facilityName(h.priority / 8)}, {Name: "syslog_severity", Value: severityName(h.priority % 8)},
		{Name: "app", Value: h.app}, {Name: "proc", Value: h.proc}, {Name: "msgid", Value: h.msgID},
	} {
		if field.Value != "" {
			w.fields = append(w.fields, field)
		}
	}
	w.fields = append(w.fields, h.params...)
	return w
}

// cutPriority reads "<134>": eight times the facility, and the severity.
func cutPriority(s string) (priority int, rest string, ok bool) {
	digits, _, ok := strings.Cut(s[:min(len(s), len("<191>"))], ">")
	if !ok || !strings.HasPrefix(digits, "<") {
		return 0, s, false
	}
	number, err := strconv.ParseUint(digits[1:], 10, 8)
	if err != nil || number > 191 {
		return 0, s, false
	}
	return int(number), s[len(digits)+1:], true
}

// read5424 reads "1 TIME HOST APP PROC MSGID DATA MESSAGE", and returns the message.
func (h *syslogHeader) read5424(s string) (message string, ok bool) {
	rest, ok := strings.CutPrefix(s, "1 ")
	if !ok {
		return "", false
	}
	var word [5]string
	for i := range word {
		if word[i], rest, ok = strings.Cut(rest, " "); !ok || word[i] == "" {
			return "", false
		}
		if word[i] == "-" {
			word[i] = ""
		}
	}
	if word[0] != "" {
		at, err := time.Parse(time.RFC3339, word[0])
		if err != nil {
			return "", false
		}
		h.time = at.UTC()
	}
	h.host, h.app, h.proc, h.msgID = word[1], word[2], word[3], word[4]
	if nothing, found := strings.CutPrefix(rest, "-"); found {
		return strings.TrimPrefix(nothing, " "), true
	}
	for strings.HasPrefix(rest, "[") {
		after, ok := h.readElement(rest)
		if !ok {
			break // the data and what follows are kept as the message
		}
		rest = after
	}
	return strings.TrimPrefix(rest, " "), true
}

// readElement reads [id name="value" …], in which \", \\ and \] are escaped.
func (h *syslogHeader) readElement(s string) (rest string, ok bool) {
	params := h.params
	end := strings.IndexAny(s, " ]")
	if end < 2 {
		return s, false
	}
	id, s := s[1:end], s[end:]
	for strings.HasPrefix(s, " ") {
		name, value, ok := strings.Cut(strings.TrimLeft(s, " "), `="`)
		if !ok || strings.ContainsAny(name, ` "]`) {
			return s, false
		}
		end := indexUnescapedQuote(value)
		if end < 0 {
			return s, false
		}
		params = append(params, search.Field{Name: id + "." + name, Value: unescapeParam(value[:end])})
		s = value[end+1:]
	}
	if s, ok = strings.CutPrefix(s, "]"); ok {
		h.params = params
	}
	return s, ok
}

func indexUnescapedQuote(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

func unescapeParam(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\]`, `]`).Replace(s)
}

// read3164 reads "TIME HOST APP[PROC]: MESSAGE", of which each part may be
// missing, and returns the message. Its time has no zone: UTC is taken.
func (h *syslogHeader) read3164(s string, receipt time.Time) (message string) {
	at, rest, timed := cutSyslogTime(s)
	if timed {
		h.time = withYear(at, receipt)
		host, after, found := strings.Cut(rest, " ")
		if found && !isMessage(rest) && !strings.ContainsAny(host, "[]") && !strings.HasSuffix(host, ":") {
			h.host, rest = host, strings.TrimLeft(after, " ")
		}
		if strings.HasPrefix(rest, "CEF:") {
			return s
		}
	}
	if isMessage(rest) {
		return rest
	}
	message = h.readTag(rest)
	if object := strings.TrimLeft(strings.TrimPrefix(message, "@cee:"), " "); strings.HasPrefix(object, "{") {
		return object
	}
	return message
}

func isMessage(s string) bool { return strings.HasPrefix(s, "CEF:") || strings.HasPrefix(s, "{") }

// readTag reads "app:" or "app[proc]:", and returns what follows. The colon
// must end a word: a time has colons too.
func (h *syslogHeader) readTag(s string) (rest string) {
	tag, rest, ok := strings.Cut(s, ":")
	if !ok || tag == "" || len(tag) > 128 || strings.ContainsAny(tag, " \t") || rest != "" && rest[0] != ' ' {
		return s
	}
	if app, proc, found := strings.Cut(tag, "["); found && strings.HasSuffix(proc, "]") {
		h.app, h.proc = app, strings.TrimSuffix(proc, "]")
	} else {
		h.app = tag
	}
	return strings.TrimLeft(rest, " ")
}

// cutSyslogTime reads "Jun  8 21:02:36", with a year or a fraction where some
// senders have them, or a time of RFC 3339, and the space behind it. A time
// without a year is in the year 0.
func cutSyslogTime(s string) (at time.Time, rest string, ok bool) {
	if word, rest, found := strings.Cut(s, " "); found && len(word) >= len("2026-06-18T21:02:36Z") {
		if at, err := time.Parse(time.RFC3339, word); err == nil {
			return at.UTC(), rest, true
		}
	}
	end := 0
	for words, i := 0, 0; i < len(s) && i < len("Jun 08 2026 21:02:36.123456789 "); i++ {
		if s[i] != ' ' || i == 0 || s[i-1] == ' ' {
			continue
		}
		if words++; words < 3 {
			continue
		}
		for _, layout := range []string{"Jan _2 15:04:05", "Jan _2 2006 15:04:05"} {
			if parsed, err := time.Parse(layout, s[:i]); err == nil {
				at, end = parsed, i+1
			}
		}
	}
	return at, s[end:], end > 0
}

func facilityName(n int) string {
	names := [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	return names[n]
}

func severityName(n int) string {
	return [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[n]
}
