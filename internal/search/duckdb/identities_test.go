package duckdb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// nth returns identities as lines have them.
func nth(n int) [16]byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return [16]byte(sum[:16])
}

func TestTheFilterForgetsNoIdentityAndInventsFew(t *testing.T) {
	const n = 400_000
	f := newIdentities(8 << 20)
	f.done()
	for i := range n {
		f.add(nth(i))
	}
	if f.full {
		t.Fatalf("%d identities do not fit", n)
	}
	invented, bytes := 0, 0
	for _, l := range f.layers {
		bytes += len(l.buckets) * bucketTags * 4
	}
	for i := range n {
		if !f.mayHave(nth(i)) {
			t.Fatalf("identity %d is forgotten", i)
		}
		if f.mayHave(nth(n + i)) {
			invented++
		}
	}
	if invented > 2 {
		t.Errorf("of %d identities that were not added it knows %d", n, invented)
	}
	if bytes > 8<<20 {
		t.Errorf("%d bytes", bytes)
	}
}

func TestAFilterBeyondItsBoundKnowsEverything(t *testing.T) {
	f := newIdentities(firstBuckets * bucketTags * 4)
	f.done()
	for i := range firstBuckets * bucketTags {
		f.add(nth(i))
	}
	if !f.full || f.layers != nil || !f.mayHave(nth(1<<40)) {
		t.Errorf("full: %t, %d layers", f.full, len(f.layers))
	}
}

func TestLinesAreStoredOnceWhateverTheFilterKnows(t *testing.T) {
	for name, options := range map[string][]Option{"all": nil, "nothing": {IdentityMemory(0)}} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			s := openIn(t, folder, options...)
			insertTimed := func(from, to int, position uint64) int {
				t.Helper()
				records := numbered(from, to)
				for i := range records {
					n := from + i
					records[i].Timed, records[i].Time = n%3 != 0, time.UnixMilli(int64(n)*1e7)
				}
				stored, err := s.Insert(t.Context(), records, position)
				if err != nil {
					t.Fatal(err)
				}
				return stored
			}
			if n := insertTimed(0, 1000, 1); n != 1000 {
				t.Errorf("stored %d", n)
			}
			if n := insertTimed(500, 1500, 2); n != 500 {
				t.Errorf("stored %d of 500 new ones", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openIn(t, folder, options...)
			defer s.Close()
			if n := insertTimed(0, 1600, 3); n != 100 {
				t.Errorf("stored %d of 100 new ones", n)
			}
		})
	}
}

func TestTimesThatLieFarApartAreAskedForSeparately(t *testing.T) {
	at := func(times ...int64) (records []search.Record) {
		for _, ms := range times {
			records = append(records, search.Record{Timed: true, Time: time.UnixMilli(ms)})
		}
		return append(records, search.Record{})
	}
	const hour = 60 * 60 * 1000
	var many []int64
	for i := range int64(maxParts + 1) {
		many = append(many, i*10*hour)
	}
	for _, test := range []struct {
		records []search.Record
		want    []part
	}{
		{at(), nil},
		{at(5), []part{{5, 5}}},
		{at(5, 2, hour), []part{{2, hour}}},
		{at(5*hour, 1, 2, 5*hour+9), []part{{1, 2}, {5 * hour, 5*hour + 9}}},
		{at(-1<<62, 1<<62), []part{{-1 << 62, -1 << 62}, {1 << 62, 1 << 62}}},
		{at(many...), []part{{0, maxParts * 10 * hour}}},
	} {
		if got := parts(test.records); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
}
