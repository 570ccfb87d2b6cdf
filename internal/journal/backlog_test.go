package journal

import (
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestTheBacklogOfAStreamIsCounted(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	stream := Stream{Region: "us", Organization: "org"}
	count := func(after Position) Backlog {
		t.Helper()
		b, err := j.Backlog(t.Context(), stream, after)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := count(0); b != (Backlog{}) {
		t.Errorf("of an empty stream: %+v", b)
	}
	for n := range 10 {
		if err := j.Append(t.Context(), "us", event("org", 3*n), event("org", 3*n+1), event("org", 3*n+2)); err != nil {
			t.Fatal(err)
		}
	}
	all := readAll(t, j, "us", "org")
	for n, e := range all {
		b := count(e.Position)
		left := len(all) - n - 1
		if b.Events != uint64(left) || b.Estimated || (b.Bytes == 0) != (left == 0) {
			t.Errorf("after event %d of %d: %+v", n+1, len(all), b)
		}
		if left > 0 && !b.Oldest.Equal(all[n+1].Stored) {
			t.Errorf("after event %d the oldest is of %v, want %v", n+1, b.Oldest, all[n+1].Stored)
		}
	}
}

func TestTheBacklogOfALongStreamIsEstimated(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	const commits, each = 300, 5
	for n := range commits {
		events := make([]audit.Event, each)
		for i := range events {
			events[i] = event("org", n*each+i)
		}
		if err := j.Append(t.Context(), "us", events...); err != nil {
			t.Fatal(err)
		}
	}
	b, err := j.Backlog(t.Context(), Stream{Region: "us", Organization: "org"}, 0)
	if err != nil || !b.Estimated || b.Events != commits*each {
		t.Errorf("%+v, %v; want %d events", b, err, commits*each)
	}
}
