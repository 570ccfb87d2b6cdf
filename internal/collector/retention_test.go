package collector

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

func TestWholeDaysExpireBySource(t *testing.T) {
	store, err := duckdb.Open(t.Context(), filepath.Join(t.TempDir(), "search.duckdb"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var records []search.Record
	for source, name := range []string{"short", "long", "for ever"} {
		for day := range 6 {
			for _, hour := range []int{0, 23} {
				raw := fmt.Sprintf("%s day %d at %d", name, day, hour)
				r := newRecord(Origin{SourceID: int64(source), ReceivedAt: midnight.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)}, []byte(raw))
				records = append(records, r)
			}
		}
	}
	if _, err := store.Insert(t.Context(), records, 1); err != nil {
		t.Fatal(err)
	}
	days := func(id string) int { return map[string]int{"0": 2, "1": 4}[id] }
	metrics := NewMetrics(prometheus.NewRegistry())
	retention := NewRetention(store, days, metrics, slog.New(slog.DiscardHandler))
	left := func() (first []string) {
		count := map[string]int{}
		for r, err := range store.Search(t.Context(), search.Request{ByReceiptTime: true}) {
			if err != nil {
				t.Fatal(err)
			}
			count[r.SourceID]++
		}
		for source, n := range count {
			first = append(first, fmt.Sprintf("%s: %d", source, n))
		}
		slices.Sort(first)
		return first
	}
	for _, step := range []struct {
		now  time.Time
		want []string
	}{
		{midnight.AddDate(0, 0, 3).Add(-time.Second), []string{"0: 12", "1: 12", "2: 12"}},
		{midnight.AddDate(0, 0, 3), []string{"0: 10", "1: 12", "2: 12"}},
		{midnight.AddDate(0, 0, 6).Add(time.Hour), []string{"0: 4", "1: 8", "2: 12"}},
		{midnight.AddDate(1, 0, 0), []string{"2: 12"}},
	} {
		if err := retention.expire(t.Context(), step.now); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, left()); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", step.now, diff)
		}
	}
}

// countingStore has nothing, and counts who asks.
type countingStore struct {
	search.Store
	asked int
}

func (s *countingStore) Oldest(context.Context) (map[string]time.Time, error) {
	s.asked++
	return nil, nil
}

func TestExpiredRecordsAreLookedForEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{}
		retention := NewRetention(store, nil, NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer cancel()
		retention.Run(ctx)
		if store.asked != 4 {
			t.Errorf("asked %d times, want 4", store.asked)
		}
	})
}
