package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

func printed(t *testing.T, width int, colours bool, named []string, objects ...string) string {
	t.Helper()
	var out bytes.Buffer
	p := &table{out: bufio.NewWriter(&out), width: width, colours: colours, named: named}
	for _, text := range objects {
		o, err := parseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.print(o, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const aLine = `{"_time":"2026-03-01T09:00:00.5Z","_source":"App","_signature":"valid","_raw":"a long line of a log\u001b[2J","action":"list"}`

func TestATableFitsTheTerminal(t *testing.T) {
	for _, test := range []struct {
		name  string
		width int
		named []string
		lines []string
		want  string
	}{
		{"no terminal", 0, nil, []string{aLine}, `
TIME (UTC)           SOURCE  SIGNATURE  LINE
2026-03-01 09:00:00  App     valid      a long line of a log\x1b[2J
`},
		{"a narrow one", 60, nil, []string{aLine}, `
TIME (UTC)           SOURCE  SIGNATURE  LINE
2026-03-01 09:00:00  App     valid      a long line of a lo…
`},
		{"a tiny one", 10, nil, []string{aLine}, `
TIME …  SOURCE  SIGNA…  LINE
2026-…  App     valid   a lon…
`},
		{"named fields", 80, []string{"action", "none"}, []string{aLine}, `
TIME (UTC)           SOURCE  SIGNATURE  action  none
2026-03-01 09:00:00  App     valid      list
`},
		{"a table", 80, nil, []string{`{"who":"ann","_count":"2"}`, `{"who":null,"_count":"10"}`}, `
who  _count
ann  2
     10
`},
	} {
		got := printed(t, test.width, false, test.named, test.lines...)
		var trimmed strings.Builder
		for line := range strings.Lines(got) {
			trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		if trimmed.String() != test.want[1:] {
			t.Errorf("%s: got\n%swant%s", test.name, trimmed.String(), test.want)
		}
	}
}

func TestTimesInATableAreShownAsTimes(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"_time", "2026-03-14T12:00:00.5Z", "2026-03-14 12:00:00"},
		{"_timeslice", "1773489600000", "2026-03-14 12:00:00"},
		{"_receipttime", "1773489600000", "2026-03-14 12:00:00"},
		{"_timeslice", "none", "none"},
		{"rt", "1773489600000", "1773489600000"},
	} {
		if got := shownValue(test.name, test.value); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.name, test.value, got, test.want)
		}
	}
}

func TestOnlyOurOwnColoursReachTheTerminal(t *testing.T) {
	got := printed(t, 200, true, nil, aLine)
	if !strings.Contains(got, "\x1b[32mvalid\x1b[0m") || strings.Contains(got, "\x1b[2J") {
		t.Errorf("got %q", got)
	}
}

func TestWhatControlsATerminalIsMadeHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"plain ärger 漢字\tx\n":   "plain ärger 漢字\tx\n",
		"\x1b]0;title\x07":      `\x1b]0;title\a`,
		"two\nlines\n":          `two\nlines` + "\n",
		"carriage\rreturn":      `carriage\rreturn`,
		"\u009b31m":             `\u009b31m`,
		"\x9b31m":               "\ufffd31m",
		"abc\u202edef":          `abc\u202edef`,
		"zero\u200bwidth\u2028": `zero\u200bwidth\u2028`,
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAnErrorPointsAtItsPlace(t *testing.T) {
	for _, test := range []struct {
		query        string
		line, column int
		want         string
	}{
		{"a b", 1, 3, "\n  a b\n    ^"},
		{"a b", 1, 4, "\n  a b\n     ^"},
		{"ä\n | limit x", 2, 10, "\n   | limit x\n           ^"},
		{"\x1bä\tb", 1, 4, "\n  \\x1bä b\n        ^"},
		{"a b", 1, 5, ""},
		{"a b", 2, 1, ""},
		{"a b", 0, 0, ""},
	} {
		if got := pointAt(test.query, test.line, test.column); got != test.want {
			t.Errorf("%q %d:%d: got %q, want %q", test.query, test.line, test.column, got, test.want)
		}
	}
}
