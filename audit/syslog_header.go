package audit

import (
	"strings"
	"time"
)

// parseSyslogHeader reads what stands before "CEF:": a priority, a version, a time and a host, each of which may be
// missing. What follows the host (the application of RFC 5424, the header of a relay) is passed over.
func parseSyslogHeader(s string) (time.Time, string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, ""
	}
	if s[0] == '<' {
		_, s, _ = strings.Cut(s, ">")
		s = strings.TrimPrefix(s, "1 ")
	}
	first, rest, _ := strings.Cut(s, " ")
	if t, ok := parseISOTime(first); ok {
		return t, parseHost(rest)
	}
	if t, rest, ok := cutRFC3164Time(s); ok {
		return t, parseHost(rest)
	}
	return time.Time{}, parseHost(s)
}

func parseISOTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", s)
	}
	return t.UTC(), err == nil
}

// cutRFC3164Time reads "Jun 18 21:02:36", and the form with a year that the CEF documents have besides.
func cutRFC3164Time(s string) (t time.Time, rest string, ok bool) {
	words := strings.Fields(s)
	for _, layout := range []string{"Jan 2 15:04:05", "Jan 2 2006 15:04:05"} {
		n := strings.Count(layout, " ") + 1
		if len(words) < n {
			break
		}
		if t, err := time.Parse(layout, strings.Join(words[:n], " ")); err == nil {
			return t, strings.Join(words[n:], " "), true
		}
	}
	return time.Time{}, s, false
}

// parseHost gives the first word; RFC 5424 writes a dash where there is none.
func parseHost(s string) string {
	host, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	if host == "-" {
		return ""
	}
	return host
}
