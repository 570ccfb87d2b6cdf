package console

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// chart draws a table that has one column of texts, or of slices of time, and a
// number. It is there beside the table, which says the same.
type chart struct {
	Value string // column of the numbers
	Bars  []chartBar
	Lines []chartLine // over time
	From  time.Time
	To    time.Time
	Most  string
	More  int // bars or lines that are not drawn
}

// chartBar is a bar of 0 to 100 parts.
type chartBar struct {
	Label, Value string
	Length       float64
	Address      string // of a search for the messages of the bar; empty: none
}

// chartLine is a line through points, in the units of the histogram.
type chartLine struct {
	Label  string
	Series int
	Points string
}

const (
	mostBars  = 20
	mostLines = 8
)

// Span is the length of the axis of time in seconds, for its labels.
func (c *chart) Span() int { return int(c.To.Sub(c.From).Seconds()) }

func newChart(t *table, a asked) *chart {
	value := slices.IndexFunc(t.Columns, func(c tableColumn) bool { return c.Number && !c.Slice })
	slice := slices.IndexFunc(t.Columns, func(c tableColumn) bool { return c.Slice })
	var texts []int
	for i, c := range t.Columns {
		if !c.Number {
			texts = append(texts, i)
		}
	}
	switch {
	case value < 0 || len(t.Rows) < 2 || len(texts) > 1:
		return nil
	case slice >= 0:
		return newLines(t, slice, value, texts)
	case len(texts) == 1:
		return newBars(t, texts[0], value, a)
	}
	return nil
}

func newBars(t *table, label, value int, a asked) *chart {
	c := &chart{Value: t.Columns[value].Name}
	most := 0.0
	for _, row := range t.Rows {
		x, _ := row[value].sorts.Number()
		most = math.Max(most, x)
	}
	if most <= 0 {
		return nil
	}
	for _, row := range t.Rows {
		x, ok := row[value].sorts.Number()
		if !ok {
			continue
		}
		if len(c.Bars) == mostBars {
			c.More++
			continue
		}
		b := chartBar{Label: row[label].Text, Value: row[value].Text, Length: math.Max(x, 0) / most * 100}
		if row[label].Null {
			b.Label = "(none)"
		} else {
			b.Address = drillDown(a, t.Columns[label].Name, row[label].sorts.String())
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// drillDown is a search for the messages that a row of a table counts.
func drillDown(a asked, name, value string) string {
	query, err := search.ParseQuery(a.Query)
	if err != nil {
		return ""
	}
	at := slices.IndexFunc(query.Stages, func(s search.Stage) bool { _, is := s.(search.Aggregate); return is })
	query.Stages = query.Stages[:max(at, 0)]
	term, _ := terms(name, value, madeByStages(query)[name])
	if term == "" {
		return ""
	}
	a = a.first()
	a.Query = refined(query.String(), term)
	return a.at("/")
}

// newLines draws a line for each text, or one.
func newLines(t *table, slice, value int, texts []int) *chart {
	c := &chart{Value: t.Columns[value].Name}
	series := map[string][]point{}
	var names []string
	most := 0.0
	for _, row := range t.Rows {
		y, ok := row[value].sorts.Number()
		if !ok || row[slice].Time.IsZero() {
			continue
		}
		name := ""
		if len(texts) == 1 {
			if name = row[texts[0]].Text; row[texts[0]].Null {
				name = "(none)"
			}
		}
		if series[name] == nil {
			names = append(names, name)
		}
		at := row[slice].Time
		if c.From.IsZero() {
			c.From, c.To = at, at
		}
		c.From, c.To = earlier(c.From, at), later(c.To, at)
		series[name] = append(series[name], point{at, y})
		most = math.Max(most, y)
	}
	if most <= 0 || !c.From.Before(c.To) {
		return nil
	}
	c.Most = strconv.FormatFloat(most, 'f', -1, 64)
	c.More = max(0, len(names)-mostLines)
	for i, name := range names[:min(len(names), mostLines)] {
		c.Lines = append(c.Lines, c.line(name, i, series[name], most))
	}
	return c
}

type point struct {
	at time.Time
	y  float64
}

func (c *chart) line(label string, number int, points []point, most float64) chartLine {
	slices.SortFunc(points, func(a, b point) int { return a.at.Compare(b.at) })
	line := chartLine{Label: label, Series: number}
	var path strings.Builder
	for i, p := range points {
		x := p.at.Sub(c.From).Seconds() / c.To.Sub(c.From).Seconds() * histogramWidth
		y := histogramHeight - math.Max(p.y, 0)/most*histogramHeight
		if i > 0 {
			path.WriteByte(' ')
		}
		path.WriteString(strconv.FormatFloat(x, 'f', 1, 64) + "," + strconv.FormatFloat(y, 'f', 1, 64))
	}
	line.Points = path.String()
	return line
}
