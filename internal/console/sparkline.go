package console

import (
	"fmt"
	"time"
)

// sparkline draws how many lines a source took in each minute of the last hour. It
// is 60 wide and 20 high.
type sparkline struct {
	Bars  []sparkBar
	Label string
}

type sparkBar struct{ X, Y, Height float64 }

const (
	sparkMinutes = 60
	sparkHeight  = 20
)

func newSparkline(m *sourceMinutes) *sparkline {
	if m == nil {
		return nil
	}
	counts := m.Received[max(0, len(m.Received)-sparkMinutes):]
	most, total := uint32(0), 0
	for _, n := range counts {
		most, total = max(most, n), total+int(n)
	}
	if most == 0 {
		return nil
	}
	s := &sparkline{Label: fmt.Sprintf("%s in the last hour, %s in a minute at most", plural(total, "line", "lines"), countText(most))}
	for i, n := range counts {
		if n == 0 {
			continue
		}
		height := max(float64(n)/float64(most)*sparkHeight, 1)
		s.Bars = append(s.Bars, sparkBar{float64(sparkMinutes - len(counts) + i), sparkHeight - height, height})
	}
	return s
}

// dayChart draws what a source took and refused over the last day, in the units of
// the histogram.
type dayChart struct {
	From, To time.Time
	Step     time.Duration
	Taken    []dayBar
	Refused  []dayBar // requests that were rejected, and lines with an invalid signature
	Most     int      // of a step
	Ticks    []time.Time
}

type dayBar struct {
	X, Width, Y, Height float64
	Label               string
}

const mostDayBars = 96

// Span is the length of the axis in seconds, for its labels.
func (c *dayChart) Span() int { return int(c.To.Sub(c.From).Seconds()) }

// StepText is the width of a bar in words.
func (c *dayChart) StepText() string { return plural(int(c.Step.Minutes()), "minute", "minutes") }

func newDayChart(m *sourceMinutes) *dayChart {
	if m == nil || len(m.Received) == 0 {
		return nil
	}
	// An hour at least, of which a server that has just started knows the end.
	before := max(0, sparkMinutes-len(m.Received))
	minutes := before + len(m.Received)
	per := (minutes + mostDayBars - 1) / mostDayBars
	c := &dayChart{From: m.From.Add(-time.Duration(before) * time.Minute), Step: time.Duration(per) * time.Minute}
	c.To = c.From.Add(time.Duration(minutes) * time.Minute)
	taken := inSteps(minutes, per, m.Received)
	refused := inSteps(minutes, per, m.Rejected, m.Invalid)
	for i := range taken {
		c.Most = max(c.Most, taken[i], refused[i])
	}
	if c.Most == 0 {
		return nil
	}
	c.Taken = c.bars(taken, "line taken", "lines taken")
	c.Refused = c.bars(refused, "rejected or invalid", "rejected or invalid")
	const ticks = 4
	for i := range ticks + 1 {
		c.Ticks = append(c.Ticks, c.From.Add(c.To.Sub(c.From)*time.Duration(i)/ticks))
	}
	return c
}

// inSteps adds up counts of a minute, the last of which is that of the last of so
// many minutes.
func inSteps(minutes, per int, lists ...[]uint32) []int {
	sums := make([]int, (minutes+per-1)/per)
	for _, list := range lists {
		for i, n := range list[max(0, len(list)-minutes):] {
			sums[(i+max(0, minutes-len(list)))/per] += int(n)
		}
	}
	return sums
}

func (c *dayChart) bars(counts []int, one, many string) []dayBar {
	width := histogramWidth * c.Step.Seconds() / c.To.Sub(c.From).Seconds()
	var bars []dayBar
	for i, n := range counts {
		if n == 0 {
			continue
		}
		height := max(float64(n)/float64(c.Most)*histogramHeight, 1.5)
		at := c.From.Add(time.Duration(i) * c.Step)
		bars = append(bars, dayBar{
			X: float64(i) * width, Width: max(min(width, histogramWidth-float64(i)*width)-1, 1), Y: histogramHeight - height, Height: height,
			Label: at.UTC().Format("2006-01-02 15:04") + " UTC: " + plural(n, one, many),
		})
	}
	return bars
}
