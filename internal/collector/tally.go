package collector

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// tally is what one insert holds of one source, those of its lines that are in
// quarantine apart.
type tally struct {
	sourceID    string // as the records have it
	quarantined bool
	lines       int
	stored      int // the others were stored before
	verdicts    [verdictCount]int
}

// source is the id that the catalog has.
func (t *tally) source() int64 {
	id, err := strconv.ParseInt(strings.TrimSuffix(t.sourceID, quarantineID), 10, 64)
	if err != nil {
		return thisServer
	}
	return id
}

// tallyOf counts records by their sources.
func tallyOf(records []search.Record) []*tally {
	var all []*tally
	known := map[string]*tally{}
	var t *tally
	for i := range records {
		r := &records[i]
		if t == nil || t.sourceID != r.SourceID { // the lines of a request follow each other
			if t = known[r.SourceID]; t == nil {
				t = &tally{sourceID: r.SourceID, quarantined: inQuarantine(r)}
				known[r.SourceID] = t
				all = append(all, t)
			}
		}
		t.lines++
		t.verdicts[verdictOf(r.Signature)]++
	}
	return all
}

// verdictOf is the verdict that has the text.
func verdictOf(text string) audit.Verdict {
	for v := audit.Unsigned; v < audit.Verdict(verdictCount); v++ {
		if v.String() == text {
			return v
		}
	}
	return audit.Unsigned
}

// maxAsked is of how many sources the store is asked what it took of an insert.
const maxAsked = 16

// attribute sets how many lines of each source were stored, of all that were.
// The store tells the sum only: where some lines were stored before, and not
// all, it is asked what it has of each source after the ordinal that it had
// before the insert. Beyond [maxAsked] sources, or without an answer, what is
// left is divided as the lines are.
func attribute(ctx context.Context, store search.Store, all []*tally, before int64, stored int) {
	lines := 0
	for _, t := range all {
		lines += t.lines
	}
	// The smallest first, since the last of them follows from the sum.
	bySize := slices.SortedFunc(slices.Values(all), func(a, b *tally) int { return a.lines - b.lines })
	for i, t := range bySize {
		switch {
		case stored == lines:
			t.stored = t.lines
		case stored == 0 || i == len(bySize)-1:
			t.stored = min(stored, t.lines)
		default:
			n, ok := 0, false
			if i < maxAsked {
				n, ok = storedAfter(ctx, store, t, before)
			}
			if !ok {
				n = t.lines * stored / lines
			}
			t.stored = min(n, t.lines, stored)
		}
		stored -= t.stored
		lines -= t.lines
	}
}

// storedAfter counts the records of the source that were stored after an ordinal.
func storedAfter(ctx context.Context, store search.Store, t *tally, ordinal int64) (n int, ok bool) {
	for n < t.lines {
		some, err := store.Stored(ctx, t.sourceID, ordinal, t.lines-n)
		if err != nil {
			return 0, false
		}
		if len(some) == 0 {
			break
		}
		n += len(some)
		ordinal = some[len(some)-1].Ordinal
	}
	return n, true
}
