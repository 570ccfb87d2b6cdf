package search

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASliceStartsAtAStepWhateverTheZone(t *testing.T) {
	zones := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"})
	widths := rapid.SampledFrom([]time.Duration{time.Second, 7 * time.Second, time.Minute, 45 * time.Minute, time.Hour, 6 * time.Hour, day, 3 * day, 7 * day, 14 * day})
	times := rapid.Map(rapid.Int64Range(-4e12, 4e12), func(ms int64) time.Time { return time.UnixMilli(ms) })
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(zones.Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		slice := Timeslice{Width: widths.Draw(t, "width")}
		from, to := times.Draw(t, "from"), times.Draw(t, "to")
		if to.Before(from) {
			from, to = to, from
		}
		at := from.Add(time.Duration(rapid.Int64Range(0, max(1, to.Sub(from).Milliseconds())-1).Draw(t, "at")) * time.Millisecond)
		if rapid.Bool().Draw(t, "unbounded") {
			from, to = time.Time{}, time.Time{}
		}
		g := Grouping{Step: slice.step(from, to, zone)}
		if step := g.start(at); slice.Start(step, zone) != slice.Start(at, zone) || step.After(at) || at.Sub(step) >= g.Step {
			t.Fatalf("with steps of %s the slice of %s would start at %d, not %d", g.Step, at.In(zone), slice.Start(step, zone), slice.Start(at, zone))
		}
	})
}

func TestAStepIsAsLongAsItMayBe(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		width time.Duration
		days  int
		zone  *time.Location
		want  time.Duration
	}{
		{time.Hour, 365, time.UTC, time.Hour},
		{7 * day, 365, time.UTC, day},
		{time.Hour, 365, berlin, time.Hour},
		{day, 10, berlin, time.Hour},
		{day, 10, time.FixedZone("", 19800), 30 * time.Minute},
		{time.Hour, 10, time.FixedZone("", 20700), 15 * time.Minute},
		{time.Minute, 10, berlin, time.Minute},
	} {
		if got := (Timeslice{Width: test.width}).step(march, march.AddDate(0, 0, test.days), test.zone); got != test.want {
			t.Errorf("slices of %s in %s: steps of %s, want %s", test.width, test.zone, got, test.want)
		}
	}
}
