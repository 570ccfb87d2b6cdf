package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

func TestRowsOfAnInsertThatDidNotEndAreNotThere(t *testing.T) {
	address := clickhousetest.Start(t).Database(t)
	s := openNew(t, address)
	insert(t, s, 1, numbered(0, 10)...)
	// As much as a process writes that ends before it says so.
	left := s.attempted
	if _, err := s.write(t.Context(), numbered(10, 20), left); err != nil {
		t.Fatal(err)
	}
	wantFound(t, s, 10)

	s = openNew(t, address)
	wantFound(t, s, 10)
	wantRows(t, s, "records", 10)
	wantRows(t, s, "untimed", 5)
	// What the server had still to do when the process ended.
	if _, err := s.write(t.Context(), numbered(10, 20), left); err != nil {
		t.Fatal(err)
	}
	wantFound(t, s, 10)
	if n := insert(t, s, 2, numbered(5, 25)...); n != 15 {
		t.Errorf("stored %d, want 15", n)
	}
	wantFound(t, s, 25)
	stored, err := s.Stored(t.Context(), "1", 0, 100)
	if err != nil || len(stored) != 25 {
		t.Errorf("%d are stored, %v", len(stored), err)
	}

	s = openNew(t, address)
	wantFound(t, s, 25)
	wantRows(t, s, "records", 25)
}

func wantRows(t *testing.T, s *Store, table string, want uint64) {
	t.Helper()
	var rows uint64
	if err := queryOne(t.Context(), s.reading.conn, `SELECT count() FROM `+table, &rows); err != nil || rows != want {
		t.Errorf("%s has %d rows, %v; want %d", table, rows, err, want)
	}
}

func TestACommitOfWhichNobodyHeardIsFound(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	insert(t, s, 1, numbered(0, 10)...)
	before := s.current()
	insert(t, s, 2, numbered(10, 20)...)
	s.setState(before) // as if the answer had been lost
	if n := insert(t, s, 2, numbered(10, 20)...); n != 0 {
		t.Errorf("stored %d again", n)
	}
	wantFound(t, s, 20)
}

func TestAnInsertThatFailsLeavesItsOrdinalsBehind(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	insert(t, s, 1, numbered(0, 10)...)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	s.attempted += 10 // of a batch that was written, and then not committed
	if _, err := s.Insert(cancelled, numbered(10, 20), 2); err == nil {
		t.Error("a cancelled insert stores")
	}
	insert(t, s, 3, numbered(10, 20)...)
	if voids := s.current().voids; len(voids) != 1 || voids[0] != (void{11, 20}) {
		t.Errorf("voids %v", voids)
	}
	wantFound(t, s, 20)
}

func TestOneProcessWrites(t *testing.T) {
	address := clickhousetest.Start(t).Database(t)
	first := openNew(t, address)
	insert(t, first, 1, numbered(0, 10)...)
	second := openNew(t, address)
	if _, err := first.Insert(t.Context(), numbered(10, 20), 2); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the first process inserts: %v", err)
	}
	insert(t, second, 2, numbered(10, 20)...)
	wantFound(t, second, 20)
}

func TestVoidsNextToEachOtherAreOneAndTheOldestAreForgotten(t *testing.T) {
	var s state
	s.skip(10)
	s.skip(20)
	s.last = 30
	s.skip(25)
	s.skip(35)
	if diff := cmp.Diff("[{1 20} {31 35}]", fmt.Sprint(s.voids)); diff != "" {
		t.Error(diff)
	}
	for range 2 * maxVoids {
		s.last++
		s.skip(s.last + 1)
	}
	if len(s.voids) != maxVoids || s.voids[maxVoids-1].to != s.last {
		t.Errorf("%d voids, the last %v, to %d", len(s.voids), s.voids[len(s.voids)-1], s.last)
	}
}

// What the server acknowledged it has when it is killed and started again.
func TestEveryAcknowledgedRecordSurvivesKillingTheServer(t *testing.T) {
	server := clickhousetest.Start(t)
	s := openNew(t, server.Database(t))
	acknowledged, size := 0, 20
	for round := range 3 {
		killed := make(chan struct{})
		for {
			_, err := s.Insert(t.Context(), numbered(acknowledged*size, (acknowledged+1)*size), uint64(acknowledged)+1)
			if err != nil {
				break
			}
			if acknowledged++; acknowledged%5 == 0 {
				go func() {
					server.Kill()
					close(killed)
				}()
				<-killed
			}
		}
		server.Restart(t)
		position, err := s.readState(t.Context())
		if err != nil || position.position < uint64(acknowledged) {
			t.Fatalf("round %d: position %d of %d, %v", round, position.position, acknowledged, err)
		}
		insert(t, s, uint64(acknowledged)+1, numbered(acknowledged*size, (acknowledged+1)*size)...)
		acknowledged++
		wantFound(t, s, acknowledged*size)
	}
	seen := map[string]bool{}
	for _, r := range all(t, s, search.Request{}) {
		seen[r.Raw] = true
	}
	if len(seen) != acknowledged*size {
		t.Errorf("%d lines, want %d", len(seen), acknowledged*size)
	}
}
