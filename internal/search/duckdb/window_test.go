package duckdb

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWindowsCoverTheTimeOfASearchOnceFromItsEnd(t *testing.T) {
	times := rapid.OneOf(rapid.Int64Range(-50, 50), rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		first, last := times.Draw(t, "first"), times.Draw(t, "last")
		w := window{first: first, to: last, length: rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Just(uint64(1<<63))).Draw(t, "length")}
		if uint64(last-first)/max(1, w.length) > 1<<40 {
			w.length = 1 << 40
		}
		w.begin()
		for next, more := last, true; more; {
			if w.to != next || w.from < first || w.from > w.to && first <= last {
				t.Fatalf("from %d to %d after %d, of %d to %d", w.from, w.to, next, first, last)
			}
			next = w.from - 1
			more = w.older(true)
		}
		if w.from != first {
			t.Fatalf("ended at %d, want %d", w.from, first)
		}
	})
}
