package journal

import (
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

func TestASpanIsWhatARangeOfItsTimeReturns(t *testing.T) {
	j := filledJournal(t)
	for _, org := range []string{"busy", "quiet", "once", "unheard-of"} {
		all := readAll(t, j, "us", org)
		times := []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}
		for n := 0; n < len(all); n += 1 + len(all)/5 {
			times = append(times, all[n].Stored, all[n].Stored.Add(1))
		}
		for _, since := range times {
			for _, until := range times {
				span, err := j.Span(t.Context(), Stream{Region: "us", Organization: org}, since, until)
				if err != nil {
					t.Fatal(err)
				}
				want := naive(all, Query{Since: since, Until: until, Limit: len(all)})
				if span.Events != uint64(len(want)) {
					t.Fatalf("%s, %v to %v: %d events, want %d", org, since, until, span.Events, len(want))
				}
				if len(want) == 0 {
					continue
				}
				within := naive(all, Query{After: span.After, Before: span.Last + 1, Limit: len(all)})
				if len(within) != len(want) || within[0].Position != want[0].Position {
					t.Fatalf("%s, %v to %v: %+v has %d events between its positions, want %d", org, since, until, span, len(within), len(want))
				}
			}
		}
	}
}

func TestWhoCatchesUpKnowsWhatNobodyHasToldYet(t *testing.T) {
	c := brokertest.Cluster(t)
	writer, reader := openOn(t, c.Open()), openOn(t, c.Open())
	reader.tail.Close() // so that it is not told
	stream := Stream{Region: "us", Organization: "org"}
	start := time.Now().Add(-time.Minute)
	commit := func(n int) {
		t.Helper()
		if err := writer.Append(t.Context(), "us", event("org", n), event("org", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := reader.CatchUp(t.Context(), stream); err != nil {
		t.Fatalf("with nothing there: %v", err)
	}
	commit(1)
	if reader.Behind(stream, 0) {
		t.Fatal("it was told")
	}
	if err := reader.CatchUp(t.Context(), stream); err != nil || !reader.Behind(stream, 0) {
		t.Errorf("after it has caught up it does not know of the events: %v", err)
	}
	for n := range 20 { // whichever replica answers
		commit(2 * n)
		span, err := reader.Span(t.Context(), stream, start, time.Now().Add(time.Minute))
		if want := uint64(2 * (n + 2)); err != nil || span.Events != want {
			t.Fatalf("%d events are counted, want %d: %v", span.Events, want, err)
		}
		if entries, err := follow(t, reader, "us", "org", 0).Ready(t.Context(), 100); err != nil || len(entries) == 0 {
			t.Fatalf("%d events are ready: %v", len(entries), err)
		}
	}
}
