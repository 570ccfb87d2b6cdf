package search

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Setting is what an answer depends on besides the query and the records.
type Setting struct {
	Now           time.Time      // when the search began
	Zone          *time.Location // in which timeslice cuts days; nil for UTC
	From, To      time.Time      // the search's range; timeslice by buckets needs it
	ByReceiptTime bool           // timeslice cuts by when messages were received

	// MaxBytes is how much text may be held at once by stages that hold rows,
	// groups or values, and by the answer; 0 for 64 MiB.
	MaxBytes int
}

// Answer is what a query gives: messages, or a table if it aggregates.
type Answer struct {
	Messages []Record // in the form of [Record.Normal], their fields as the stages left them
	Table    *Table
}

// Table is rows of values by columns. No column is missing in a row; what a row
// lacks is null.
type Table struct {
	Columns []Column
	Rows    [][]Value
}

// ErrTooMuch says that a query would hold more than its setting allows.
var ErrTooMuch = errors.New("the search holds more than it may at once: narrow its filter or its time, or group by less")

const (
	defaultMaxBytes = 64 << 20
	rowOverhead     = 64 // bytes that a row, group or value takes beside its text
)

// Evaluate answers a query from records, in the order in which they come, which
// is newest first where the answer should be that of a search. It is the meaning
// of the language: engines are tested to answer as it does. It holds no more
// than Setting.MaxBytes allows, and fails with [ErrTooMuch] where it would.
func Evaluate(q Query, records iter.Seq2[Record, error], s Setting) (Answer, error) {
	e := newEvaluator(s)
	all, err := e.through(q, e.filtered(q.Filter, records), nil)
	if err != nil {
		return Answer{}, err
	}
	if q.Aggregates() {
		table, err := e.table(q.Columns(), all)
		return Answer{Table: table}, err
	}
	return e.messages(all)
}

// through gives the rows of the answer, from those that the filter left. Of a query that aggregates, each, unless
// it is nil, sees the messages that the first table is made of.
func (e *evaluator) through(q Query, all rows, each func(Found) error) (rows, error) {
	aggregated := false
	for i, stage := range q.Stages {
		var previous Stage
		if i > 0 {
			previous = q.Stages[i-1]
		}
		if _, ok := stage.(Aggregate); ok && !aggregated {
			aggregated = true
			all = seen(all, each)
		}
		var err error
		if all, err = e.apply(stage, previous, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rows is what goes from stage to stage. An error comes last.
type rows = iter.Seq2[*row, error]

type evaluator struct {
	setting Setting
	left    int // bytes that may still be held
}

func newEvaluator(s Setting) *evaluator {
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = defaultMaxBytes
	}
	return &evaluator{setting: s, left: s.MaxBytes}
}

// hold counts bytes that are held until the answer is there.
func (e *evaluator) hold(bytes int) error {
	if e.left -= bytes; e.left < 0 {
		return fmt.Errorf("evaluate the query: %w (the limit is %d bytes)", ErrTooMuch, e.setting.MaxBytes)
	}
	return nil
}

// holdRow counts a row, the first time that it is held.
func (e *evaluator) holdRow(r *row) error {
	if r.held {
		return nil
	}
	r.held = true
	return e.hold(r.size())
}

func (e *evaluator) filtered(filter Expr, records iter.Seq2[Record, error]) rows {
	return func(yield func(*row, error) bool) {
		for r, err := range rowsOf(records) {
			if (err != nil || Match(filter, r.record)) && !yield(r, err) {
				return
			}
		}
	}
}

func (e *evaluator) apply(stage, previous Stage, in rows) (rows, error) {
	switch stage := stage.(type) {
	case Aggregate:
		return e.aggregated(stage, in), nil
	case Sort:
		return e.sorted(stage, in), nil
	case Dedup:
		return e.deduplicated(stage, in), nil
	case Limit:
		return limited(stage.Count, in), nil
	}
	step, err := e.step(stage, previous)
	if err != nil {
		return nil, err
	}
	return func(yield func(*row, error) bool) {
		for r, err := range in {
			if (err != nil || step(r)) && !yield(r, err) {
				return
			}
		}
	}, nil
}

func (e *evaluator) table(columns []Column, all rows) (*Table, error) {
	table := &Table{Columns: columns, Rows: [][]Value{}}
	for r, err := range all {
		if err == nil {
			err = e.holdRow(r)
		}
		if err != nil {
			return nil, err
		}
		table.Rows = append(table.Rows, r.values(columns))
	}
	return table, nil
}

func (e *evaluator) messages(all rows) (Answer, error) {
	var a Answer
	for r, err := range all {
		if err == nil {
			err = e.holdRow(r)
		}
		if err != nil {
			return Answer{}, err
		}
		a.Messages = append(a.Messages, r.message())
	}
	return a, nil
}

// Tail is a query over messages one at a time, as they come in.
type Tail struct {
	filter Expr
	steps  []func(*row) bool
}

// NewTail returns a tail of the query, which may not have stages that need more
// than one message: those that aggregate, sort, limit and dedup.
func NewTail(q Query, s Setting) (*Tail, error) {
	e := newEvaluator(s)
	t := &Tail{filter: q.Filter}
	var previous Stage
	for _, stage := range q.Stages {
		switch stage.(type) {
		case Aggregate, Sort, Dedup, Limit:
			return nil, fmt.Errorf("tail the query: the stage %q needs more than one message", stage)
		}
		step, err := e.step(stage, previous)
		if err != nil {
			return nil, err
		}
		t.steps = append(t.steps, step)
		previous = stage
	}
	return t, nil
}

// Next returns the message that a record is in the answer, and whether it is in
// the answer at all. It may be called from many goroutines at once.
func (t *Tail) Next(record Record) (message Record, ok bool) {
	if !Match(t.filter, &record) {
		return Record{}, false
	}
	r := &row{record: &record}
	for _, step := range t.steps {
		if !step(r) {
			return Record{}, false
		}
	}
	return r.message(), true
}
