package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// What the engine's log has it keeps apart, and merges what is less than a row group.
func TestTheLogIsEmptiedWhenTheNextBatchWouldNotFitARowGroup(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, folder)
	defer s.Close()
	s.rowGroup, s.pageSize = 100, 10
	insert := func(batch int, emptied bool) {
		t.Helper()
		if _, err := s.Insert(t.Context(), numbered(30*batch, 30*batch+30), uint64(batch)+1); err != nil {
			t.Fatal(err)
		}
		log, err := os.Stat(filepath.Join(folder, "search.duckdb.wal"))
		if is := err != nil || log.Size() == 0; is != emptied {
			t.Errorf("batch %d: the log is emptied: %t", batch, is)
		}
	}
	insert(0, false)
	found := 0
	for _, err := range s.Search(t.Context(), search.Request{}) { // holds up nothing
		if err != nil {
			t.Fatal(err)
		}
		if found++; found == 5 {
			insert(1, false)
			insert(2, true)
			insert(3, false)
		}
	}
	if found != 30 {
		t.Errorf("found %d of what was stored when the search began", found)
	}
}

// Days come and go; what they leave behind is used again.
func TestTheFileDoesNotGrowWithDaysThatExpire(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, folder)
	defer s.Close()
	const days, kept, size = 12, 2, 2000
	day := 24 * time.Hour
	start := time.UnixMilli(0)
	largest := int64(0)
	for d := range days {
		var records []search.Record
		for i := range size {
			raw := fmt.Sprintf("%d %d %s", d, i, noise(500))
			at := start.Add(time.Duration(d)*day + time.Duration(i)*time.Second)
			records = append(records, search.Record{Time: at, Receipt: at, SourceID: "1", Raw: raw, Identity: identityOf(raw)})
		}
		if _, err := s.Insert(t.Context(), records, uint64(d)+1); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Expire(t.Context(), "1", start.Add(time.Duration(d-kept+1)*day)); err != nil {
			t.Fatal(err)
		}
		// As the engine does by itself when its log is long enough.
		if _, err := s.db.ExecContext(t.Context(), `CHECKPOINT`); err != nil {
			t.Fatal(err)
		}
		file, err := os.Stat(filepath.Join(folder, "search.duckdb"))
		if err != nil {
			t.Fatal(err)
		}
		if d < days/2 {
			largest = max(largest, file.Size())
		} else if file.Size() > largest*5/4 {
			t.Errorf("after day %d the file has %d bytes, %d in the first days", d, file.Size(), largest)
		}
	}
	if found := all(t, s, search.Request{}); len(found) != kept*size {
		t.Errorf("found %d, want %d", len(found), kept*size)
	}
	if s.identities.tags() > (kept+3)*size {
		t.Errorf("the filter knows %d identities, of %d records", s.identities.tags(), kept*size)
	}
}
