package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

// answersAsMatch holds a store against the naive filter over the same records.
// All checks share one store, because opening one takes its time; each asks for
// its own records alone.
func answersAsMatch(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	checks := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		checks++
		mine := fmt.Sprintf("check %d", checks)
		batch := rapid.SliceOfN(records(), 0, 8).Draw(t, "records")
		for i := range batch {
			batch[i].Collector = mine
			batch[i].SourceID += mine
		}
		kept := firstOfEachKey(batch)
		stored, err := s.Insert(t.Context(), batch, checks)
		if err != nil || stored != len(kept) {
			t.Fatalf("stored %d, %v; want %d", stored, err, len(kept))
		}
		for range 2 {
			wantAnswer(t, s, mine, kept, requests().Draw(t, "request"))
		}
	})
}

func wantAnswer(t *rapid.T, s search.Store, collector string, all []search.Record, r search.Request) {
	var want []search.Record
	for i := range all {
		if r.Matches(&all[i]) {
			want = append(want, all[i].Normal())
		}
	}
	r.Query = search.And{Terms: []search.Expr{search.Compare{Field: "_collector", Value: search.Literal(collector)}, r.Query}}
	got := find(t, s, r)
	if !slices.IsSortedFunc(got, func(a, b search.Record) int { return r.TimeOf(&b).Compare(r.TimeOf(&a)) }) {
		t.Fatalf("%v: not newest first", r.Query)
	}
	byKey := func(a, b search.Record) int {
		return strings.Compare(a.SourceID+string(a.Identity[:]), b.SourceID+string(b.Identity[:]))
	}
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%v: the answer differs from Match (-want +got):\n%s", r.Query, diff)
	}
}

func firstOfEachKey(records []search.Record) (kept []search.Record) {
	seen := map[search.Key]bool{}
	for _, r := range records {
		if !seen[r.Key()] {
			kept = append(kept, r)
		}
		seen[r.Key()] = true
	}
	return kept
}
