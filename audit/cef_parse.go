package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CEFLine is a line of the Common Event Format, of any vendor, unescaped.
type CEFLine struct {
	// Time is the time of the syslog header, in UTC where the header says no zone, and zero where there is none.
	// A time by RFC 3164 has no year: it is in the year 0.
	Time time.Time
	Host string // of the syslog header; empty where there is none

	Version       int // 0, or 1 for the CEF of today
	Vendor        string
	Product       string
	DeviceVersion string
	Class         string
	Name          string
	Severity      string
	Extensions    []Field // in the order of the line
}

// Field is a name and its value.
type Field struct{ Name, Value string }

var errNoCEF = errors.New(`no "CEF:" in the line`)

// ParseCEF reads a CEF line of any vendor, by rules that are more lenient than those we write by: a syslog header or
// none, with a time of ISO 8601 or RFC 3164; quotes around the line; CEF:0 and CEF:1; empty values; spaces and
// unescaped equals signs in values. The header has seven values, the last of which need not be closed.
//
// An extension's key is made of letters, digits, "_", "." and "-", and follows a space; its value ends at the one space
// before the next key. Escapes that CEF does not know are kept as they are, as is text that is not UTF-8.
func ParseCEF(line []byte) (CEFLine, error) {
	return parseCEF(string(line), nil)
}

// parseCEF appends the extensions to fields. Its results are pieces of line wherever nothing was escaped.
func parseCEF(line string, fields []Field) (CEFLine, error) {
	line = trimLine(line)
	start := findCEF(line)
	if start < 0 {
		return CEFLine{}, errNoCEF
	}
	var c CEFLine
	c.Time, c.Host = parseSyslogHeader(line[:start])
	header, extensions, err := splitHeader(line[start+len("CEF:"):])
	if err != nil {
		return CEFLine{}, err
	}
	c.Version, err = strconv.Atoi(strings.TrimSpace(header[0]))
	if err != nil || c.Version < 0 {
		return CEFLine{}, fmt.Errorf("CEF version %q is not a number", header[0])
	}
	c.Vendor, c.Product, c.DeviceVersion = header[1], header[2], header[3]
	c.Class, c.Name, c.Severity = header[4], header[5], header[6]
	c.Extensions, err = appendExtensionFields(fields, strings.TrimLeft(extensions, " "))
	return c, err
}

// trimLine takes off the line's end and the quotes around it.
func trimLine(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if len(line) >= 2 && line[0] == '"' && line[len(line)-1] == '"' {
		line = line[1 : len(line)-1]
	}
	return line
}

// findCEF gives the place of the first "CEF:" that begins a word, or -1.
func findCEF(line string) int {
	for from := 0; ; {
		i := strings.Index(line[from:], "CEF:")
		if i < 0 {
			return -1
		}
		from += i
		if from == 0 || line[from-1] == ' ' || line[from-1] == '\t' {
			return from
		}
		from += len("CEF:")
	}
}

// splitHeader takes the version and the six header values from what follows "CEF:".
func splitHeader(s string) (header [7]string, extensions string, err error) {
	for i := range header {
		end := indexUnescapedPipe(s)
		if end < 0 && i == len(header)-1 {
			end = len(s)
		}
		if end < 0 {
			return header, "", fmt.Errorf("CEF header has %d values: want 7, each ended by |", i+1)
		}
		header[i] = unescape(s[:end], inHeader)
		s = s[min(end+1, len(s)):]
	}
	return header, s, nil
}

func indexUnescapedPipe(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '|':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// appendExtensionFields cuts the extensions where a key begins: after a space, and before an equals sign that is not
// escaped. One pass; a space or an escape in between only starts the search for the next key anew.
func appendExtensionFields(fields []Field, s string) ([]Field, error) {
	const nowhere = -1
	keyStart := 0   // where the word begins that may turn out to be a key
	valueStart := 0 // where the value of the last key begins
	first := len(fields)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			keyStart = i + 1
		case c == '=' && keyStart != nowhere && i > keyStart:
			if len(fields) > first {
				fields[len(fields)-1].Value = unescape(s[valueStart:keyStart-1], inExtension)
			}
			fields = append(fields, Field{Name: s[keyStart:i]})
			keyStart, valueStart = nowhere, i+1
		case c == '\\' && i+1 < len(s) && isEscape(s[i+1], inExtension):
			keyStart = nowhere
			i++
		case !isKeyCharacter(c):
			keyStart = nowhere
		}
		if len(fields) == first && keyStart != 0 {
			return fields, fmt.Errorf("CEF extensions do not begin with a key and an equals sign")
		}
	}
	if len(fields) > first {
		fields[len(fields)-1].Value = unescape(s[valueStart:], inExtension)
		return fields, nil
	}
	if s != "" {
		return fields, fmt.Errorf("CEF extensions do not begin with a key and an equals sign")
	}
	return fields, nil
}

func isKeyCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'
}

// isEscape says whether a backslash before c is taken away.
func isEscape(c byte, in place) bool {
	switch c {
	case '\\':
		return true
	case '|':
		return in == inHeader
	case '=', 'n', 'r':
		return in == inExtension
	default:
		return false
	}
}

func unescape(s string, in place) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		s = s[i:]
		if len(s) == 1 || !isEscape(s[1], in) {
			b.WriteByte('\\')
			s = s[1:]
			continue
		}
		b.WriteByte(unescaped(s[1]))
		s = s[2:]
	}
	b.WriteString(s)
	return b.String()
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	default:
		return c
	}
}

// hasSignatureExtension says whether a line has a sig among its extensions, be it where no key may begin. What is no
// CEF is judged by its looks.
func hasSignatureExtension(line string) bool {
	if start := findCEF(line); start >= 0 {
		if _, extensions, err := splitHeader(line[start+len("CEF:"):]); err == nil {
			line = extensions
		}
	}
	for from := 0; ; from += len("sig=") {
		i := strings.Index(line[from:], "sig=")
		if i < 0 {
			return false
		}
		from += i
		if from == 0 || line[from-1] == ' ' || line[from-1] == '\t' {
			return true
		}
	}
}
