package search

import (
	"errors"
	"math"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// sliceUnits are the units of a slice's width, the greatest first.
func sliceUnits() []sliceUnit {
	return []sliceUnit{{"w", 7 * day}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
}

type sliceUnit struct {
	name  string
	width time.Duration
}

func widthOf(unit string) (time.Duration, bool) {
	for _, u := range sliceUnits() {
		if u.name == unit {
			return u.width, true
		}
	}
	return 0, false
}

func (s Timeslice) String() string {
	width := strconv.Itoa(s.Buckets) + " buckets"
	for _, u := range sliceUnits() {
		if s.Buckets == 0 && s.Width%u.width == 0 {
			width = strconv.FormatInt(int64(s.Width/u.width), 10) + u.name
			break
		}
	}
	return "timeslice " + width + as([]string{s.Name})
}

// Range returns the stage with the width that it has in a search from one time
// to another. With Buckets that is the least of a row of round widths that
// divides the range into no more than so many parts; the slices begin at round
// times, so there may be one more of them.
func (s Timeslice) Range(from, to time.Time) (Timeslice, error) {
	if s.Buckets == 0 {
		return s, nil
	}
	if from.IsZero() || to.IsZero() {
		return s, errors.New("timeslice by a number of buckets: the search needs a range of time (or give the width: timeslice 5m)")
	}
	// Divided, as a product of what a query and its range say may not fit.
	least := (to.Sub(from)-1)/time.Duration(s.Buckets) + 1
	s.Buckets, s.Width = 0, 7*day
	for _, width := range [...]time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day,
	} {
		if least <= width {
			s.Width = width
			return s, nil
		}
	}
	for s.Width < least && s.Width <= math.MaxInt64/2 {
		s.Width *= 2
	}
	return s, nil
}

// Start returns the start of the slice that t is in, in milliseconds since 1970.
// Slices are cut on the zone's clock as it stands at t: days begin at its
// midnight and weeks on Monday, and where the clock is set forward or back, a
// slice across that is cut in two.
func (s Timeslice) Start(t time.Time, zone *time.Location) int64 {
	_, seconds := t.In(zone).Zone()
	offset := int64(seconds) * 1000
	if s.Width%(7*day) == 0 {
		offset += (3 * day).Milliseconds() // the first of January 1970 was a Thursday
	}
	width := s.Width.Milliseconds()
	local := t.UnixMilli() + offset
	start := local - local%width
	if start > local {
		start -= width
	}
	return start - offset
}
