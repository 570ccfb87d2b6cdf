package console

import (
	"strconv"
	"strings"
	"time"
)

// backlogHistory is how a webhook's backlog went, as the API has it.
type backlogHistory struct {
	Complete bool
	Recent   []backlogSample
	Minutes  []backlogSample
}

type backlogSample struct {
	At     time.Time
	Events int
}

// backlogChart draws it, in the units of the histogram.
type backlogChart struct {
	Day       bool // the last day, not the last minutes
	From, To  time.Time
	Ticks     []time.Time
	Line      string // points
	Area      string // points, down to the axis
	Most      int
	Last      int
	Elsewhere bool // another process delivers, and has the history
}

// newBacklogChart draws the last ten minutes, or the last day. There are samples
// only while something waits: where they pause for long nothing did.
func newBacklogChart(h backlogHistory, over string, now time.Time) *backlogChart {
	c := &backlogChart{To: now, Elsewhere: !h.Complete}
	samples, step, span := h.Recent, 5*time.Second, 10*time.Minute
	if over == "day" {
		samples, step, span, c.Day = h.Minutes, time.Minute, 24*time.Hour, true
	}
	c.From = now.Add(-span)
	const ticks = 4
	for i := range ticks + 1 {
		c.Ticks = append(c.Ticks, c.From.Add(span*time.Duration(i)/ticks))
	}
	points := continuous(samples, c.From, now, 3*step)
	for _, p := range points {
		c.Most = max(c.Most, int(p.y))
	}
	if len(points) > 0 {
		c.Last = int(points[len(points)-1].y)
	}
	c.draw(points)
	return c
}

// continuous are the samples of a time, with zeros where none were taken.
func continuous(samples []backlogSample, from, to time.Time, gap time.Duration) []point {
	points := []point{{from, 0}}
	add := func(at time.Time, y float64) { points = append(points, point{at, y}) }
	last := from
	for _, s := range samples {
		if s.At.Before(from) || s.At.After(to) {
			continue
		}
		if s.At.Sub(last) > gap {
			add(last, 0)
			add(s.At, 0)
		}
		add(s.At, float64(s.Events))
		last = s.At
	}
	if to.Sub(last) > gap {
		add(last, 0)
		add(to, 0)
	} else {
		add(to, points[len(points)-1].y)
	}
	return points
}

func (c *backlogChart) draw(points []point) {
	var line strings.Builder
	span := c.To.Sub(c.From).Seconds()
	for i, p := range points {
		if i > 0 {
			line.WriteByte(' ')
		}
		x := p.at.Sub(c.From).Seconds() / span * histogramWidth
		y := histogramHeight - p.y/float64(max(c.Most, 1))*(histogramHeight-2)
		line.WriteString(strconv.FormatFloat(x, 'f', 1, 64) + "," + strconv.FormatFloat(y, 'f', 1, 64))
	}
	c.Line = line.String()
	c.Area = "0,100 " + c.Line + " 1000,100"
}

// Span is the length of the axis in seconds, for its labels.
func (c *backlogChart) Span() int { return int(c.To.Sub(c.From).Seconds()) }

// Words say what the drawing shows.
func (c *backlogChart) Words() string {
	time := "in the last 10 minutes"
	if c.Day {
		time = "in the last 24 hours"
	}
	if c.Most == 0 {
		return "Nothing waited " + time + "."
	}
	return plural(c.Most, "event", "events") + " waited at most " + time + ", " + countText(c.Last) + " at its end."
}
