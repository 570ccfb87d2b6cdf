package storetest

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func newStoreIsEmpty(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	wantPosition(t, s, 0)
	wantRaw(t, findQuery(t, s, ""))
}

func recordComesBack(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	full := search.Record{
		Time:     time.Date(2026, 3, 14, 13, 0, 0, 123456789, time.FixedZone("", 3600)),
		Receipt:  time.Date(2026, 3, 14, 12, 0, 1, 999999999, time.UTC),
		SourceID: "42", Collector: "Audit", Source: "Konnect", Category: "prod/audit", Host: "10.0.0.1", Name: "http",
		Raw: "raw", Identity: [16]byte{0xff, 1, 2, 15: 0x80}, Signature: "valid", KeyID: "thumbprint",
		ParseError: "none to speak of",
		Fields: []search.Field{
			field("trace_id", "3959872677347089807"), field("kind", "authorization"), field("granted", "true"),
			field("action", "list"), field("vendor", "KongInc"), field("cs1Label", "custom"), field("status", "abc"),
			field("user_agent", ""), field("cs1", ""), field("action", "a second one"), field("cs1", "a second one"),
			field("time", "not the record's"), field("raw", "neither"), field("fields", "nor"), field("", "nameless"),
			field("bad \xff name", "bad \xfe value"),
		},
	}
	bare := search.Record{Identity: [16]byte{1}}
	far := search.Record{
		Time: time.UnixMilli(math.MaxInt64), Receipt: time.UnixMilli(math.MinInt64), Raw: "far", Identity: [16]byte{2},
		SourceID: "\xff", Collector: "\xff", KeyID: "a\x00b",
	}
	if stored := insert(t, s, 1, full, bare, far); stored != 3 {
		t.Errorf("stored %d, want 3", stored)
	}
	wantSame(t, findQuery(t, s, ""), []search.Record{far.Normal(), full.Normal(), bare.Normal()})
}

func batchIsStoredOnce(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	if stored := insert(t, s, 10, line("one"), line("two")); stored != 2 {
		t.Errorf("stored %d, want 2", stored)
	}
	for _, position := range []uint64{10, 9, 0} {
		if stored := insert(t, s, position, line("three")); stored != 0 {
			t.Errorf("stored %d at position %d, want 0", stored, position)
		}
		wantPosition(t, s, 10)
	}
	if stored := insert(t, s, 11); stored != 0 {
		t.Errorf("stored %d of no records", stored)
	}
	wantPosition(t, s, 11)
	wantRaw(t, findQuery(t, s, ""), "one", "two")
}

func lineIsStoredOnce(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	one, other := line("one"), line("one")
	other.SourceID = "2"
	later := line("one")
	later.Time = noon.Add(time.Hour)
	for position, batch := range [][]search.Record{{one, later, other, one}, {one}, {line("two"), other, one}} {
		if stored, want := insert(t, s, uint64(position)+1, batch...), []int{2, 0, 1}[position]; stored != want {
			t.Errorf("batch %d: stored %d, want %d", position, stored, want)
		}
	}
	wantPosition(t, s, 3)
	wantRaw(t, findQuery(t, s, ""), "one", "one", "two")
	for _, r := range findQuery(t, s, "") {
		if !r.Time.Equal(noon) {
			t.Errorf("%s of source %s has the time of a later copy", r.Raw, r.SourceID)
		}
	}
}

func hugePosition(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	insert(t, s, math.MaxUint64, line("one"))
	wantPosition(t, s, math.MaxUint64)
}

func cancelledInsert(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Insert(cancelled, lines(3), 1); err == nil {
		t.Error("a cancelled insert says that it stored")
	}
	// One cancelled under way may still succeed, but then wholly.
	under, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(cancel)
	_, err := s.Insert(under, lines(2000), 2)
	wait.Wait()
	if err == nil {
		wantPosition(t, s, 2)
	} else {
		wantPosition(t, s, 0)
		wantRaw(t, findQuery(t, s, ""))
	}
	insert(t, s, 3, lines(2000)...)
	if n := len(findQuery(t, s, "")); n != 2000 {
		t.Errorf("found %d, want 2000", n)
	}
}

func reopening(t *testing.T, open func(*testing.T) search.Store) {
	s := open(t)
	records := lines(5)
	records = append(records, line("fields", field("action", "list"), field("other", "x"), field("status", "Odd")), line("bytes \xff\x00"))
	insert(t, s, 7, records...)
	before := findQuery(t, s, "")
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s = start(t, open)
	wantPosition(t, s, 7)
	wantSame(t, findQuery(t, s, ""), before)
	wantRaw(t, findQuery(t, s, "status=odd status=* status=o*"), "fields")
	if stored := insert(t, s, 7, line("again")); stored != 0 {
		t.Errorf("an old batch is stored again after reopening")
	}
	if stored := insert(t, s, 8, append(records, line("new"))...); stored != 1 {
		t.Errorf("stored %d, want 1", stored)
	}
}

func concurrency(t *testing.T, open func(*testing.T) search.Store) {
	const batches, size = 30, 20
	s := start(t, open)
	written := make(chan struct{})
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for done := false; !done; {
				select {
				case <-written:
					done = true
				default:
				}
				position, err := s.Position(context.Background())
				if err != nil {
					t.Errorf("position: %v", err)
					return
				}
				found := 0
				for _, err := range s.Search(context.Background(), search.Request{Query: search.Keyword{Pattern: search.Literal("line")}}) {
					if err != nil {
						t.Errorf("search: %v", err)
						return
					}
					found++
				}
				if found%size != 0 || found < int(position)*size {
					t.Errorf("found %d records at position %d, in batches of %d", found, position, size)
				}
			}
		})
	}
	all := lines(batches * size)
	for i := range batches {
		insert(t, s, uint64(i)+1, all[i*size:(i+1)*size]...)
	}
	close(written)
	wait.Wait()
	wantPosition(t, s, batches)
}
