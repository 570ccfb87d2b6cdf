package duckdb

import (
	"context"
	"database/sql"
	"math"
	"sync"

	"github.com/trailhook/trailhook/internal/search"
)

// window is a part of the time of a search, in milliseconds, both ends included.
// An answer comes newest first, so a search looks at one part after the other, from
// the newest back: where much is found it never looks at most of the table. Each
// part is as long as the one before, or where little was found a multiple.
type window struct {
	from, to int64
	first    int64 // where the search's time begins
	length   uint64
	density  float64 // records per millisecond, as may be expected
}

// windowGrowth is how much longer a part gets. What is looked at in parts where
// nothing is found costs each time what a statement costs.
const windowGrowth = 16

// newestWindow returns the newest part of the search's time. It is empty, with its
// end before its beginning, where nothing is stored of that time.
func (s *Store) newestWindow(r search.Request) window {
	earliest, latest, density := s.extent.of(r.ByReceiptTime)
	w := window{first: earliest, to: latest, density: density}
	if !r.From.IsZero() {
		w.first = max(w.first, wholeMilliseconds(r.From))
	}
	if !r.To.IsZero() {
		w.to = min(w.to, wholeMilliseconds(r.To)-1)
	}
	wanted := s.pageSize
	if r.Limit > 0 {
		wanted = min(wanted, r.Limit)
	}
	// As long as it takes, presumably, for some times as many records as wanted.
	const times = 8
	w.length = uint64(min(float64(uint64(latest-earliest)), times*float64(wanted)/density))
	w.begin()
	return w
}

// narrow says whether there are, presumably, few enough records in the part to
// read every column of it at once.
func (w *window) narrow() bool {
	return w.density*(float64(w.to)-float64(w.from)) <= 10*pageSize
}

// all has the search look at all of its time at once.
func (w *window) all() {
	w.length = math.MaxUint64
	w.begin()
}

// begin sets the beginning by the end and the length.
func (w *window) begin() {
	w.from = w.first
	if w.to > w.first && uint64(w.to-w.first) > w.length {
		w.from = w.to - int64(w.length)
	}
}

// older moves on to the part before, a longer one if little was found, and says
// whether there is one.
func (w *window) older(little bool) bool {
	if w.from <= w.first {
		return false
	}
	if little {
		w.length = max(1, w.length) * min(windowGrowth, math.MaxUint64/max(1, w.length))
	}
	w.to = w.from - 1
	w.begin()
	return true
}

// extent is between which times there are records, or were, and about how many.
type extent struct {
	mu                             sync.Mutex
	earliest, latest               int64
	earliestReceipt, latestReceipt int64
	records                        int
}

func readExtent(ctx context.Context, db *sql.DB, e *extent) error {
	return db.QueryRowContext(ctx, `SELECT coalesce(min("time"), ?), coalesce(max("time"), ?), coalesce(min("receipt"), ?), coalesce(max("receipt"), ?), count(*) FROM records`,
		int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64),
	).Scan(&e.earliest, &e.latest, &e.earliestReceipt, &e.latestReceipt, &e.records)
}

// note is called with what is about to be stored.
func (e *extent) note(records []search.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range records {
		at, receipt := records[i].Time.UnixMilli(), records[i].Receipt.UnixMilli()
		e.earliest, e.latest = min(e.earliest, at), max(e.latest, at)
		e.earliestReceipt, e.latestReceipt = min(e.earliestReceipt, receipt), max(e.latestReceipt, receipt)
	}
	e.records += len(records)
}

// of returns how many records there are in a millisecond of the time between, by
// the average. One line that claims a time of long ago would spoil it, so the time
// is taken to be that of the receipts, if that is shorter, but not by too much:
// what was imported claims more time than that took.
func (e *extent) of(byReceiptTime bool) (earliest, latest int64, density float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	const most = 4096
	times, receipts := float64(uint64(e.latest-e.earliest)), float64(uint64(e.latestReceipt-e.earliestReceipt))
	if byReceiptTime {
		return e.earliestReceipt, e.latestReceipt, float64(e.records+1) / (receipts + 1)
	}
	return e.earliest, e.latest, float64(e.records+1) / (min(times, max(receipts, times/most)) + 1)
}
