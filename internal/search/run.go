package search

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"time"

	"github.com/trailhook/trailhook/internal/tracing"
)

// Search is a query with everything else that its answer depends on.
type Search struct {
	Query   Query
	Setting Setting // From and To bound the search; zero ones do not

	// OpenEnd lets messages of after Setting.To count too: what comes in while a
	// search runs, from clocks that are ahead.
	OpenEnd bool

	Limit int // how many messages, or rows of a table, at most; 0 for all

	lines []*regexp.Regexp // taken over from the query's stages
}

// Found is a message of an answer. It is good until the next one is found.
type Found struct{ row *row }

// Message returns the message in the form of [Record.Normal], with the fields
// that the stages left.
func (f Found) Message() Record { return f.row.message() }

// Stored returns the record that the message was made from, which is not to be
// changed.
func (f Found) Stored() *Record { return f.row.record }

// Size returns about how many bytes of memory the message takes.
func (f Found) Size() int { return f.row.size() }

// Run answers the search from a store. Messages go to each, one after the other,
// as they are found; what each returns ends the search and is its error. A
// query that aggregates gives a table; each then gets the messages that it is made
// from, and may be nil, which is much faster: see [Search.Grouped].
//
// The store filters, orders and groups, and the stages run here, as [Evaluate] has
// them and within what the setting lets them hold. When ctx ends, the search does,
// with the cause.
func (s Search) Run(ctx context.Context, store Store, each func(Found) error) (_ *Table, err error) {
	ctx, span := tracing.Begin(ctx, "search")
	defer func() { span.End(err) }()
	table, err := s.run(ctx, store, each)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // rather than how the store puts it
	}
	return table, err
}

func (s Search) run(ctx context.Context, store Store, each func(Found) error) (*Table, error) {
	if each == nil && s.Query.Aggregates() {
		if table, err := s.Grouped(ctx, store); !errors.Is(err, ErrNotGrouped) {
			return table, err
		}
	}
	s = s.narrowed()
	e := newEvaluator(s.Setting)
	q := s.limited()
	all, err := e.through(q, whileAlive(ctx, rowsOf(store.Search(ctx, s.request()))), each)
	if err != nil {
		return nil, err
	}
	if q.Aggregates() {
		return e.table(q.Columns(), all)
	}
	for r, err := range all {
		if err == nil {
			err = each(Found{r})
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// limited is the query with the search's limit as its last stage.
func (s Search) limited() Query {
	q := s.Query
	if s.Limit > 0 {
		q.Stages = append(slices.Clip(q.Stages), Limit{Count: s.Limit})
	}
	return q
}

// request is what the store is asked.
func (s Search) request() Request {
	r := Request{Query: s.Query.Filter, From: s.Setting.From, To: s.Setting.To, ByReceiptTime: s.Setting.ByReceiptTime, Lines: s.lines}
	if s.OpenEnd {
		r.To = time.Time{}
	}
	if len(s.Query.Stages) == 0 {
		r.Limit = s.Limit
	}
	return r
}

// rowsOf are the rows of records that a store found.
func rowsOf(records iter.Seq2[Record, error]) rows {
	return func(yield func(*row, error) bool) {
		for record, err := range records {
			if !yield(&row{record: &record, weight: 1}, err) || err != nil {
				return
			}
		}
	}
}

// whileAlive ends with ctx, also where a store has much at hand.
func whileAlive[T any](ctx context.Context, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range all {
			if ctx.Err() != nil {
				var none T
				r, err = none, context.Cause(ctx)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// seen shows rows to each on their way.
func seen(in rows, each func(Found) error) rows {
	if each == nil {
		return in
	}
	return func(yield func(*row, error) bool) {
		for r, err := range in {
			if err == nil {
				err = each(Found{r})
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
