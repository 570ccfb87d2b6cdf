package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/trailhook/trailhook/internal/search"
)

// printer prints what a search or a tail found. What was printed is out after a
// flush.
type printer interface {
	print(o object, line []byte) error
	flush() error
}

func newPrinter(out io.Writer, form, query string) printer {
	switch form {
	case "json":
		return &linePrinter{bufio.NewWriter(out), shownOn(out), func(_ object, line []byte) string { return string(line) }}
	case "raw":
		return &linePrinter{bufio.NewWriter(out), shownOn(out), rawLine}
	}
	t := &table{out: bufio.NewWriter(out), named: namedFields(query)}
	if width, ok := terminalWidth(out); ok {
		t.width, t.colours = width, wantsColours()
	}
	return t
}

// linePrinter prints a line for each object.
type linePrinter struct {
	out  *bufio.Writer
	show func(string) string
	line func(o object, line []byte) string
}

func (p *linePrinter) print(o object, line []byte) error {
	p.out.WriteString(p.show(p.line(o, line)))
	return p.out.WriteByte('\n')
}

func (p *linePrinter) flush() error { return p.out.Flush() }

// rawLine is the line as it was received, as far as JSON can carry it, or the
// values of a table's row.
func rawLine(o object, _ []byte) string {
	if raw, ok := o.get("_raw"); ok {
		return raw
	}
	values := make([]string, len(o))
	for i, m := range o {
		values[i] = m.value
	}
	return strings.Join(values, "\t")
}

// namedFields are the fields that the query's last stage of that kind keeps of
// messages: the ones to show. The server is who judges the query.
func namedFields(text string) []string {
	query, err := search.ParseQuery(text)
	if err != nil {
		return nil
	}
	var names []string
	for _, stage := range query.Stages {
		if fields, ok := stage.(search.Fields); ok && !fields.Except {
			names = nil
			for _, c := range fields.Columns {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// terminalWidth returns how many columns the terminal has that out is, if it is one.
func terminalWidth(out io.Writer) (width int, ok bool) {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// wantsColours follows no-color.org.
func wantsColours() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// shownOn returns how lines are written to out: on a terminal harmless, and
// elsewhere as they are.
func shownOn(out io.Writer) func(string) string {
	if _, is := terminalWidth(out); !is {
		return func(s string) string { return s }
	}
	return harmless
}

// harmless writes what would control a terminal, or have a text look like another,
// as an escape. Whoever can send a line to a SIEM could otherwise write on the
// screens of those who read it. A line feed at the end, and tabs, stay.
func harmless(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	text, lineFeed := strings.CutSuffix(s, "\n")
	if !strings.ContainsFunc(text, isHarmful) {
		return s
	}
	var b strings.Builder
	for _, r := range text {
		if isHarmful(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	if lineFeed {
		b.WriteByte('\n')
	}
	return b.String()
}

func isHarmful(r rune) bool { return !unicode.IsPrint(r) && r != '\t' && !unicode.Is(unicode.Zs, r) }
