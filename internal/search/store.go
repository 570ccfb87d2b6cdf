package search

import (
	"context"
	"iter"
	"regexp"
	"time"
)

// Request is one search.
type Request struct {
	Query Expr

	// From and To bound when records happened, or with ByReceiptTime when they
	// were received: From included, To not. A zero one does not bound.
	From, To      time.Time
	ByReceiptTime bool

	// Lines are regular expressions of [Regexp], each of which must match somewhere
	// in the raw line, as text and with letters as they are.
	Lines []*regexp.Regexp

	Limit int // how many records at most; 0 for no limit
}

// Matches says whether the record is one that the request asks for, limits apart.
func (q Request) Matches(r *Record) bool {
	at := cutToMillisecond(q.TimeOf(r))
	if !q.From.IsZero() && at.Before(q.From) || !q.To.IsZero() && !at.Before(q.To) {
		return false
	}
	return Match(q.Query, r) && linesMatch(q.Lines, r.Raw)
}

// TimeOf returns the time of the record by which the request bounds and sorts.
func (q Request) TimeOf(r *Record) time.Time {
	if q.ByReceiptTime {
		return r.Receipt
	}
	return r.Time
}

// Store keeps records and finds them. It is used from many goroutines at once:
// inserts come one after the other, and searches wait for none of them.
type Store interface {
	// Insert stores records and the position of the intake that they reach up
	// to, all or nothing, and durably so when it returns without an error.
	// A record whose Key is stored already, or comes a second time in the call,
	// is skipped; stored counts the rest. A position not greater than the stored
	// one says that the batch was stored before: nothing is done.
	Insert(ctx context.Context, records []Record, position uint64) (stored int, err error)

	// Position returns the position of the last Insert, 0 if there was none.
	Position(ctx context.Context) (uint64, error)

	// Search gives the matching records in the form of [Record.Normal], newest
	// first, those of one time in an order that does not change between
	// searches. An error comes last, with a zero Record. The search sees what
	// was stored when it began, however long the caller takes to read.
	Search(ctx context.Context, r Request) iter.Seq2[Record, error]

	// Groups says how many matching records there are of each combination of
	// values, each once and in any order, without looking at the records one by one.
	// An error comes last, with a zero Group: [ErrNotGrouped] says that only
	// Search gives the answer, or gives it cheaper. It sees what Search does.
	Groups(ctx context.Context, g Grouping) iter.Seq2[Group, error]

	// Stored returns records of one source in the order in which they were
	// stored, those after an ordinal (0: from the first): at most max, and fewer,
	// but at least one if there is one, when their lines have more than about
	// [StoredBytes]. Ordinals rise, with gaps.
	Stored(ctx context.Context, sourceID string, after int64, max int) ([]Stored, error)

	// Last returns the ordinal of the record that was stored last, of any
	// source; 0 if there is none. Every record that is stored later has a higher
	// one.
	Last(ctx context.Context) (int64, error)

	// Oldest gives the time of the first receipt of each source that has records.
	Oldest(ctx context.Context) (map[string]time.Time, error)

	// Expire deletes the records of a source that were received before a time,
	// all or none, and returns how many there were. It waits for searches that
	// began before: each search sees all of these records or none.
	Expire(ctx context.Context, sourceID string, before time.Time) (removed int, err error)

	// Close releases the store. What was stored is there when it is opened again.
	Close() error
}

// StoredBytes bounds what one call of Stored returns.
const StoredBytes = 4 << 20

// Stored is a line with its place in the order of storing.
type Stored struct {
	Ordinal int64
	Raw     string // as in [Record]
}
