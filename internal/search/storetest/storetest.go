// Package storetest is what every [search.Store] has to do, as tests.
package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

// Run tests the stores that open gives. For each test open makes a new, empty
// store; called again with the same t, once the store before was closed, it
// opens that one again.
func Run(t *testing.T, open func(t *testing.T) search.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) search.Store)
	}{
		{"a new store is empty and at position 0", newStoreIsEmpty},
		{"a record comes back in its normal form", recordComesBack},
		{"a batch is stored once by its position", batchIsStoredOnce},
		{"a line is stored once by its key", lineIsStoredOnce},
		{"a position above 2^63 is kept", hugePosition},
		{"a cancelled insert stores nothing", cancelledInsert},
		{"what was stored is there after reopening", reopening},
		{"results come newest first", newestFirst},
		{"a time range includes its start and not its end", timeRange},
		{"a limit gives the newest", limit},
		{"a search can be left early and cancelled", leavingEarly},
		{"a query matches what the language says", language},
		{"hostile values come back and are found", hostileValues},
		{"no query reaches the engine as a statement", injection},
		{"a raw line comes back byte for byte", rawBytes},
		{"a long line and many fields are kept", longLine},
		{"a query at its limits is answered", longQueries},
		{"searches see whole batches while others are inserted", concurrency},
		{"a search answers as Match does", answersAsMatch},
		{"a table is what the language says", answersAsEvaluate},
		{"a table is made from groups where it can be", tablesOfGroups},
		{"a source's lines are read in the order of storing", inOrderOfStoring},
		{"a line of any form comes back byte for byte and is found by what stands in it", rewrittenLines},
		{"a keyword is found wherever it stands in a line", everyForm},
		{"a signature is found by its name alone", signatures},
		{"a line is known again by its own time, or without", timedLines},
		{"what was stored is read in its order", storedOrder},
		{"fields are less and greater as the language has it", orders},
		{"what expires is gone as a whole", expiring},
		{"a search that has begun sees all of what expires", expiringUnderASearch},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// line returns a record of a raw line, with the identity that a collector gives.
func line(raw string, fields ...search.Field) search.Record {
	sum := sha256.Sum256([]byte(raw))
	return search.Record{
		Time: noon, Receipt: noon.Add(time.Second), SourceID: "1", Collector: "Audit", Source: "Konnect",
		Signature: "valid", KeyID: "k1", Raw: raw, Identity: [16]byte(sum[:16]), Fields: fields,
	}
}

func field(name, value string) search.Field { return search.Field{Name: name, Value: value} }

func start(t *testing.T, open func(*testing.T) search.Store) search.Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func insert(t testing.TB, s search.Store, position uint64, records ...search.Record) int {
	t.Helper()
	stored, err := s.Insert(context.Background(), records, position)
	if err != nil {
		t.Fatalf("insert up to %d: %v", position, err)
	}
	return stored
}

func parse(t testing.TB, query string) search.Expr {
	t.Helper()
	e, err := search.Parse(query)
	if err != nil {
		t.Fatalf("parse %q: %v", query, err)
	}
	return e
}

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func find(t fataler, s search.Store, r search.Request) []search.Record {
	t.Helper()
	var found []search.Record
	for record, err := range s.Search(context.Background(), r) {
		if err != nil {
			t.Fatalf("search %v: %v", r.Query, err)
		}
		found = append(found, record)
	}
	return found
}

func findQuery(t testing.TB, s search.Store, query string) []search.Record {
	t.Helper()
	return find(t, s, search.Request{Query: parse(t, query)})
}

func wantPosition(t testing.TB, s search.Store, want uint64) {
	t.Helper()
	if got, err := s.Position(context.Background()); err != nil || got != want {
		t.Fatalf("position is %d, %v; want %d", got, err, want)
	}
}

// wantRaw compares the raw lines found, in any order.
func wantRaw(t testing.TB, found []search.Record, want ...string) {
	t.Helper()
	got := []string{}
	for _, r := range found {
		got = append(got, r.Raw)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if len(got) != len(want) || len(got) > 0 && !slices.Equal(got, want) {
		t.Errorf("found %.1000q, want %.1000q", got, want)
	}
}

func wantSame(t testing.TB, got, want []search.Record) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
}

// lines returns n lines, the first the oldest, a second apart.
func lines(n int) []search.Record {
	records := make([]search.Record, n)
	for i := range records {
		records[i] = line(fmt.Sprintf("line %d", i))
		records[i].Time = noon.Add(time.Duration(i) * time.Second)
	}
	return records
}
