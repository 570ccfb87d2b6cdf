package clickhouse

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
	"github.com/trailhook/trailhook/internal/search/storetest"
)

// Each check of a property asks a server some ten times.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestStoreConforms(t *testing.T) {
	server := clickhousetest.Start(t)
	databases := map[*testing.T]string{}
	storetest.Run(t, func(t *testing.T) search.Store {
		if databases[t] == "" {
			databases[t] = server.Database(t)
		}
		return openAt(t, databases[t])
	})
}

func openAt(t testing.TB, address string) *Store {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), a, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openNew opens a store that is closed with the test.
func openNew(t testing.TB, address string) *Store {
	t.Helper()
	s := openAt(t, address)
	t.Cleanup(func() { s.Close() })
	return s
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// numbered returns records of few times, some of which say theirs.
func numbered(from, to int) (records []search.Record) {
	for i := from; i < to; i++ {
		raw := fmt.Sprintf("line %d", i)
		sum := sha256.Sum256([]byte(raw))
		records = append(records, search.Record{
			Time: noon.Add(time.Duration(i%7) * time.Second), Receipt: noon.Add(time.Duration(-i/10) * time.Second), Timed: i%2 == 0,
			SourceID: "1", Raw: raw, Identity: [16]byte(sum[:16]),
		})
	}
	return records
}

func insert(t *testing.T, s *Store, position uint64, records ...search.Record) int {
	t.Helper()
	stored, err := s.Insert(t.Context(), records, position)
	if err != nil {
		t.Fatal(err)
	}
	return stored
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

func wantFound(t *testing.T, s *Store, want int) {
	t.Helper()
	if n := len(all(t, s, search.Request{})); n != want {
		t.Errorf("found %d, want %d", n, want)
	}
}
