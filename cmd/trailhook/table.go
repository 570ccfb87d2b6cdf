package main

import (
	"bufio"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// table prints objects as rows of columns. The widths are those that the rows
// between two flushes need, and never less than before, so that a tail's rows,
// which come one at a time, stay below each other.
type table struct {
	out     *bufio.Writer
	named   []string // fields to show of lines, in place of the line
	width   int      // of the terminal; 0: the output is none, and rows are as wide as they are
	colours bool

	columns []tableColumn
	rows    [][]string
	begun   bool // the header was printed
}

type tableColumn struct {
	name   string // of the member that it shows
	header string
	width  int
}

// narrowest is how narrow a column is made for the row to fit, in characters.
const narrowest = 6

// The colours, as terminals know them.
const (
	bold, dim, red, green, yellow = "1", "2", "31", "32", "33"
)

func (t *table) print(o object, _ []byte) error {
	if t.columns == nil {
		t.columns = t.columnsFor(o)
	}
	row := make([]string, len(t.columns))
	for i, c := range t.columns {
		value, _ := o.get(c.name)
		row[i] = harmless(strings.ReplaceAll(shownValue(c.name, value), "\t", " "))
	}
	t.rows = append(t.rows, row)
	return nil
}

// columnsFor chooses the columns by the first object: a line has metadata, and a
// table's row has not.
func (t *table) columnsFor(o object) []tableColumn {
	var columns []tableColumn
	add := func(name, header string) {
		columns = append(columns, tableColumn{name, header, utf8.RuneCountInString(header)})
	}
	_, hasTime := o.get("_time")
	_, hasRaw := o.get("_raw")
	if !hasTime || !hasRaw {
		for _, m := range o {
			add(m.name, harmless(strings.ReplaceAll(m.name, "\t", " ")))
		}
		return columns
	}
	add("_time", "TIME (UTC)")
	add("_source", "SOURCE")
	add("_signature", "SIGNATURE")
	for _, name := range t.named {
		add(name, harmless(name))
	}
	if len(t.named) == 0 {
		add("_raw", "LINE")
	}
	return columns
}

// shownValue shows times as people read them: a message's, and those that stages
// have in milliseconds.
func shownValue(name, value string) string {
	switch name {
	case "_time":
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			return at.UTC().Format(time.DateTime)
		}
	case "_timeslice", "_messagetime", "_receipttime":
		if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
			return time.UnixMilli(ms).UTC().Format(time.DateTime)
		}
	}
	return value
}

func (t *table) flush() error {
	if len(t.rows) == 0 {
		return t.out.Flush()
	}
	for i := range t.columns {
		for _, row := range t.rows {
			t.columns[i].width = max(t.columns[i].width, utf8.RuneCountInString(row[i]))
		}
	}
	t.fit()
	if !t.begun {
		t.begun = true
		header := make([]string, len(t.columns))
		for i, c := range t.columns {
			header[i] = c.header
		}
		t.write(header, func(string, string) string { return bold })
	}
	for _, row := range t.rows {
		t.write(row, colourOf)
	}
	t.rows = nil
	return t.out.Flush()
}

const between = "  "

// fit makes the widest columns narrower until a row fits the terminal.
func (t *table) fit() {
	if t.width == 0 {
		return
	}
	left := t.width - len(between)*(len(t.columns)-1)
	for i := range t.columns {
		t.columns[i].width = min(t.columns[i].width, t.width)
		left -= t.columns[i].width
	}
	for ; left < 0; left++ {
		widest := 0
		for i, c := range t.columns {
			if c.width > t.columns[widest].width {
				widest = i
			}
		}
		if t.columns[widest].width <= narrowest {
			return
		}
		t.columns[widest].width--
	}
}

func (t *table) write(row []string, colour func(name, value string) string) {
	for i, c := range t.columns {
		cell := row[i]
		length := utf8.RuneCountInString(cell)
		if t.width > 0 && length > c.width {
			cell = string([]rune(cell)[:c.width-1]) + "…"
			length = c.width
		}
		code := colour(c.name, row[i])
		if t.colours && code != "" {
			cell = "\x1b[" + code + "m" + cell + "\x1b[0m"
		}
		t.out.WriteString(cell)
		if i < len(t.columns)-1 {
			t.out.WriteString(strings.Repeat(" ", max(0, c.width-length)) + between)
		}
	}
	t.out.WriteByte('\n')
}

func colourOf(name, value string) string {
	switch {
	case name == "_time" || name == "_source":
		return dim
	case name != "_signature":
		return ""
	case value == "valid":
		return green
	case value == "invalid":
		return red
	}
	return yellow
}
