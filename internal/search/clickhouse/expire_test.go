package clickhouse

import (
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

func TestADayOfWhichEverythingExpiresIsDropped(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	for d := range 3 {
		records := numbered(d*10, d*10+10)
		for i := range records {
			records[i].Receipt = noon.Add(time.Duration(d) * day)
			if d == 1 && i < 4 {
				records[i].SourceID = "2"
			}
		}
		insert(t, s, uint64(d)+1, records...)
	}
	mutations := func() (n uint64) {
		t.Helper()
		if err := queryOne(t.Context(), s.reading.conn, `SELECT count() FROM system.mutations WHERE database = currentDatabase()`, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		source           string
		days             int
		removed, left    int
		untimed, rewrote uint64
	}{
		{"1", 1, 10, 20, 10, 0},
		{"1", 2, 6, 14, 7, 2}, // beside another source's
		{"2", 2, 4, 10, 5, 2},
	} {
		removed, err := s.Expire(t.Context(), step.source, noon.Truncate(day).Add(time.Duration(step.days)*day))
		if err != nil || removed != step.removed {
			t.Errorf("removed %d, %v; want %d", removed, err, step.removed)
		}
		wantFound(t, s, step.left)
		wantRows(t, s, "untimed", step.untimed)
		if n := mutations(); n != step.rewrote {
			t.Errorf("%d mutations, want %d", n, step.rewrote)
		}
	}
}
