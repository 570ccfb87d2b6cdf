package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

// ofSource returns n lines of a source, received a second after the other.
func ofSource(id, name string, n int, from time.Time) (records []search.Record) {
	for i := range n {
		r := line(fmt.Sprintf("%s %d", name, i))
		r.SourceID, r.Receipt = id, from.Add(time.Duration(i)*time.Second)
		records = append(records, r)
	}
	return records
}

func storedOrder(t *testing.T, open func(*testing.T) search.Store) {
	s := open(t)
	read := func(source string, after int64, limit int) (raw []string, last int64) {
		t.Helper()
		stored, err := s.Stored(t.Context(), source, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		last = after
		for _, r := range stored {
			if r.Ordinal <= last {
				t.Errorf("ordinal %d after %d", r.Ordinal, last)
			}
			last = r.Ordinal
			raw = append(raw, r.Raw)
		}
		return raw, last
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	got, last := read("a", 0, 10)
	want(got)
	insert(t, s, 1, append(ofSource("a", "early", 2, noon), ofSource("b", "other", 3, noon)...)...)
	insert(t, s, 2, ofSource("a", "late", 2, noon.Add(-time.Hour))...)
	got, last = read("a", last, 3)
	want(got, "early 0", "early 1", "late 0")
	got, last = read("a", last, 3)
	want(got, "late 1")
	got, last = read("a", last, 3)
	want(got)
	insert(t, s, 3, append(ofSource("a", "late", 2, noon), ofSource("a", "bytes \xff", 1, noon)...)...)
	got, last = read("a", last, 3)
	want(got, "bytes \xff 0")
	if got, _ = read("a", last, 3); got != nil {
		t.Errorf("there is more: %q", got)
	}
	got, _ = read("b", 0, 2)
	want(got, "other 0", "other 1")
	got, _ = read("c", 0, 2)
	want(got)
	// What comes later is later, whatever has expired and however often it was closed.
	for _, source := range []string{"a", "b"} {
		if _, err := s.Expire(t.Context(), source, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, open)
	insert(t, s, 4, ofSource("a", "new", 1, noon)...)
	got, _ = read("a", last, 2)
	want(got, "new 0")
}

func expiring(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	day := 24 * time.Hour
	insert(t, s, 1, ofSource("a", "a first", 3, noon)...)
	insert(t, s, 2, ofSource("b", "b first", 2, noon)...)
	insert(t, s, 3, ofSource("a", "a second", 2, noon.Add(day))...)
	oldest := func(want map[string]time.Time) {
		t.Helper()
		got, err := s.Oldest(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("oldest: %v (-want +got):\n%s", err, diff)
		}
	}
	expire := func(source string, before time.Time, want int) {
		t.Helper()
		if removed, err := s.Expire(t.Context(), source, before); err != nil || removed != want {
			t.Errorf("removed %d, %v; want %d", removed, err, want)
		}
	}
	oldest(map[string]time.Time{"a": noon, "b": noon})
	expire("a", noon, 0)
	expire("c", noon.Add(day), 0)
	expire("a", noon.Add(2*time.Second), 2)
	wantRaw(t, findQuery(t, s, ""), "a first 2", "a second 0", "a second 1", "b first 0", "b first 1")
	expire("a", noon.Add(day), 1)
	expire("a", noon.Add(day), 0)
	oldest(map[string]time.Time{"a": noon.Add(day), "b": noon})
	wantPosition(t, s, 3)
	// What has expired can come again; what has not is known.
	if stored := insert(t, s, 4, append(ofSource("a", "a first", 3, noon.Add(2*day)), ofSource("a", "a second", 2, noon.Add(2*day))...)...); stored != 3 {
		t.Errorf("stored %d, want 3", stored)
	}
}

func expiringUnderASearch(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	const n = 5000 // more than a store reads at once
	records := ofSource("a", "line", n, noon)
	insert(t, s, 1, records...)
	insert(t, s, 2, ofSource("b", "other", 1, noon)...)
	expired := make(chan error, 1)
	found := 0
	for _, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatal(err)
		}
		if found++; found > 1 {
			continue
		}
		go func() {
			_, err := s.Expire(context.Background(), "a", noon.Add(24*time.Hour))
			expired <- err
		}()
		for len(findQuery(t, s, "")) != 1 { // until others see nothing of the day
			select {
			case err := <-expired:
				t.Fatalf("expired under a search: %v", err)
			default:
			}
		}
	}
	if err := <-expired; err != nil || found != n+1 {
		t.Errorf("a search that had begun found %d of %d, %v", found, n+1, err)
	}
	wantRaw(t, findQuery(t, s, ""), "other 0")
}

func timedLines(t *testing.T, open func(*testing.T) search.Store) {
	s := open(t)
	records := lines(40)
	for i := range records {
		records[i].Timed = i%2 == 0
		records[i].Time = noon.Add(time.Duration(i*i) * time.Hour)
	}
	if stored := insert(t, s, 1, records...); stored != len(records) {
		t.Errorf("stored %d", stored)
	}
	for i := range records {
		if !records[i].Timed { // it has another time each time
			records[i].Time = noon.Add(1000 * time.Hour)
		}
	}
	records[1].Timed = true // what was not plausible then is now
	if stored := insert(t, s, 2, records...); stored != 0 {
		t.Errorf("%d are stored twice", stored)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, open)
	if stored := insert(t, s, 3, append(records[:10], line("new"))...); stored != 1 {
		t.Errorf("stored %d after reopening, want 1", stored)
	}
}
