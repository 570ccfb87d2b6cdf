package duckdb

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

// numbered returns records of few times, each with its number for an identity.
func numbered(from, to int) (records []search.Record) {
	for i := from; i < to; i++ {
		r := search.Record{Time: time.UnixMilli(int64(i % 7)), Receipt: time.UnixMilli(int64(-i / 10)), Raw: "x"}
		binary.BigEndian.PutUint64(r.Identity[:], uint64(i))
		records = append(records, r)
	}
	return records
}

func TestAnAnswerInPagesIsTheAnswerInOne(t *testing.T) {
	s := openIn(t, t.TempDir())
	defer s.Close()
	if _, err := s.Insert(t.Context(), numbered(0, 30), 1); err != nil {
		t.Fatal(err)
	}
	for _, byReceiptTime := range []bool{false, true} {
		for _, limit := range []int{0, 1, 9, 10, 11, 29, 30, 31} {
			r := search.Request{ByReceiptTime: byReceiptTime, Limit: limit}
			s.pageSize = 1000
			whole := all(t, s, r)
			want := limit
			if limit == 0 || limit > 30 {
				want = 30
			}
			if len(whole) != want {
				t.Errorf("limit %d: found %d", limit, len(whole))
			}
			for _, s.pageSize = range []int{1, 10, 30} {
				if diff := cmp.Diff(whole, all(t, s, r)); diff != "" {
					t.Errorf("limit %d, pages of %d (-one +pages):\n%s", limit, s.pageSize, diff)
				}
			}
		}
	}
}

func all(t *testing.T, s *Store, r search.Request) (found []search.Record) {
	t.Helper()
	for record, err := range s.Search(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, record)
	}
	return found
}

func TestASearchSeesNothingThatIsStoredWhileItIsRead(t *testing.T) {
	s := openIn(t, t.TempDir())
	defer s.Close()
	s.pageSize = 10
	if _, err := s.Insert(t.Context(), numbered(0, 50), 1); err != nil {
		t.Fatal(err)
	}
	var found []uint64
	for r, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			if _, err := s.Insert(t.Context(), numbered(50, 100), 2); err != nil {
				t.Fatal(err)
			}
		}
		found = append(found, binary.BigEndian.Uint64(r.Identity[:]))
	}
	slices.Sort(found)
	if len(found) != 50 || found[49] != 49 {
		t.Errorf("found %d, up to number %d; want the 50 from before", len(found), found[len(found)-1])
	}
}

func TestAnAnswerLargerThanMemoryIsRead(t *testing.T) {
	s := openIn(t, t.TempDir(), MemoryLimit(128<<20))
	defer s.Close()
	s.pageSize = 500
	line := strings.Repeat("x", 8<<10)
	const batches, size = 20, 1000 // of 160 MiB together
	for batch := range batches {
		records := numbered(batch*size, (batch+1)*size)
		for i := range records {
			records[i].Raw = line
		}
		if _, err := s.Insert(t.Context(), records, uint64(batch)+1); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for r, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatalf("after %d: %v", count, err)
		}
		if r.Raw != line {
			t.Errorf("a line of %d bytes came back", len(r.Raw))
		}
		count++
	}
	if count != batches*size {
		t.Errorf("found %d, want %d", count, batches*size)
	}
}
