package console

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// histogram shows how many messages there were when.
type histogram struct {
	From, To time.Time // of the axis
	Width    time.Duration
	Bars     []bar
	Ticks    []time.Time
	Most     int // of a bar
	Total    int
	Problem  string // why there is none; empty: there is one
	asked    asked
}

// bar is a part of the histogram. Lengths are in the units of the drawing, which
// is 1000 wide and 100 high.
type bar struct {
	Start, End time.Time
	Count      int
	X, Width   float64
	Y, Height  float64
	Address    string // of the search over its time
	Label      string
}

const (
	histogramWidth   = 1000
	histogramHeight  = 100
	histogramBuckets = 60
)

// Asked is what scripts narrow.
func (h *histogram) Asked() asked { return h.asked }

// Span is the length of the axis in seconds, for its labels.
func (h *histogram) Span() int { return int(h.To.Sub(h.From).Seconds()) }

// histogram counts the messages of a search, or those that its table is made
// from; nil if there is nothing to show.
func (v *visit) histogram(ctx context.Context, a asked) *histogram {
	query, err := search.ParseQuery(cmp.Or(a.Query, "*"))
	if err != nil {
		return nil
	}
	from, to := a.span(v.console.now())
	if from.IsZero() || to.IsZero() || !from.Before(to) {
		return nil
	}
	h := &histogram{From: from, To: to, asked: a}
	slices, err := search.Timeslice{Buckets: histogramBuckets, Name: "_slice"}.Range(from, to)
	if err != nil {
		return nil
	}
	if from.Unix() <= 0 { // all of time: days will do until it is known where it begins
		slices.Width = 24 * time.Hour
	}
	counts, err := v.counts(ctx, a, query, slices)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		refused, ok := errors.AsType[*apiError](err)
		if !ok || refused.Line > 0 || refused.Status == 401 {
			return nil
		}
		h.Problem = sentence(refused.Message)
		return h
	}
	h.draw(counts, slices, a.zone())
	return h
}

// counts asks how many messages there are, by when a slice begins.
func (v *visit) counts(ctx context.Context, a asked, q search.Query, slice search.Timeslice) (map[int64]int, error) {
	counted := search.Query{Filter: q.Filter}
	for _, stage := range q.Stages {
		if _, table := stage.(search.Aggregate); table {
			break
		}
		if _, sorts := stage.(search.Sort); !sorts {
			counted.Stages = append(counted.Stages, stage)
		}
	}
	parameters := a.parameters()
	parameters.Set("query", counted.String()+" | "+slice.String()+" | count by _slice")
	objects, cut, err := v.objects(ctx, parameters, maxSkip)
	if err != nil {
		return nil, err
	}
	if cut != "" {
		return nil, &apiError{Message: cut}
	}
	counts := map[int64]int{}
	for _, o := range objects {
		start, err := strconv.ParseInt(o.text("_slice"), 10, 64)
		count, wrong := strconv.Atoi(o.text("_count"))
		if err == nil && wrong == nil {
			counts[start] += count
		}
	}
	return counts, nil
}

func (h *histogram) draw(counts map[int64]int, slice search.Timeslice, zone *time.Location) {
	starts := make([]int64, 0, len(counts))
	for start := range counts {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	if h.From.Unix() <= 0 && len(starts) > 0 {
		h.From = time.UnixMilli(starts[0])
		wider, err := search.Timeslice{Buckets: histogramBuckets}.Range(h.From, h.To)
		if err == nil && wider.Width > slice.Width {
			slice = wider
		}
	}
	h.Width = slice.Width
	merged := map[int64]int{}
	for _, start := range starts {
		merged[slice.Start(time.UnixMilli(start), zone)] += counts[start]
	}
	h.Bars = h.bars(merged)
	const ticks = 4
	for i := range ticks + 1 {
		h.Ticks = append(h.Ticks, h.From.Add(h.To.Sub(h.From)*time.Duration(i)/ticks))
	}
}

func (h *histogram) bars(counts map[int64]int) []bar {
	span := h.To.Sub(h.From).Seconds()
	at := func(t time.Time) float64 {
		return min(max(t.Sub(h.From).Seconds()/span, 0), 1) * histogramWidth
	}
	var bars []bar
	for start, count := range counts {
		b := bar{Start: time.UnixMilli(start), Count: count}
		b.End = b.Start.Add(h.Width)
		b.X = at(b.Start)
		b.Width = max(at(b.End)-b.X-1, 1)
		b.Address = h.asked.during(later(b.Start, h.From), earlier(b.End, h.To)).at("/")
		b.Label = b.Start.UTC().Format("2006-01-02 15:04:05") + " UTC: " + plural(count, "record", "records")
		h.Most, h.Total = max(h.Most, count), h.Total+count
		bars = append(bars, b)
	}
	slices.SortFunc(bars, func(a, b bar) int { return a.Start.Compare(b.Start) })
	for i := range bars {
		bars[i].Height = max(float64(bars[i].Count)/float64(h.Most)*histogramHeight, 1.5)
		bars[i].Y = histogramHeight - bars[i].Height
	}
	return bars
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// WidthText is the width of a bar in words.
func (h *histogram) WidthText() string {
	text := h.Width.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	if hours := h.Width.Hours(); hours >= 24 {
		return plural(int(hours/24), "day", "days")
	}
	return text
}
