package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// pageSize is how many records a statement answers with: the engine has an
// answer ready as a whole, in memory, before the first record of it is read.
const pageSize = 2000

// Search implements [search.Store]. Records of one time come in the order in
// which they were stored, the last first.
func (s *Store) Search(ctx context.Context, r search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		if err := s.search(ctx, r, yield); err != nil {
			yield(search.Record{}, fmt.Errorf("search: %w", err))
		}
	}
}

// search reads page after page, of the records that are there as it begins:
// records are added with rising ordinals, and days that expire are hidden from
// who begins and deleted when nobody reads them any more, so that remembering
// both does what a long transaction would. It returns nil when yield asked to
// stop.
func (s *Store) search(ctx context.Context, r search.Request, yield func(search.Record, error) bool) error {
	v := s.views.begin()
	defer s.views.end(v)
	stored, err := readState(ctx, s.db)
	if err != nil {
		return err
	}
	condition, args, exact, err := compile(r, stored.odd)
	if err != nil {
		return err
	}
	without, more := v.condition()
	p := page{byReceiptTime: r.ByReceiptTime, condition: condition + ` AND "ordinal" <= ?` + without, args: append(append(args, stored.ordinal), more...)}
	if !exact {
		p.matches = r.Matches
	}
	most := s.pageSize
	for left := r.Limit; ; left -= p.found {
		p.size = most
		if r.Limit > 0 {
			p.size = min(p.size, left)
		}
		more, err := p.read(ctx, s.db, yield)
		if most > 1 && p.found == 0 && isOutOfMemory(err) {
			most = (most + 7) / 8 // of very long lines fewer fit
			continue
		}
		if err != nil || !more || r.Limit > 0 && left == p.found {
			return err
		}
	}
}

func isOutOfMemory(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Type == engine.ErrorTypeOutOfMemory
}

// page is a part of an answer, and the place at which the part before it ended.
type page struct {
	byReceiptTime bool
	condition     string
	args          []any
	size          int
	matches       func(*search.Record) bool // what the condition leaves to be looked at; nil if nothing

	found             int // records of the last page that were given to yield
	begun             bool
	endTime, endOrder int64
}

// read gives the records of the page to yield, and says whether there may be
// more and yield wants them.
func (p *page) read(ctx context.Context, db *sql.DB, yield func(search.Record, error) bool) (more bool, err error) {
	p.found = 0
	statement, args := p.statement()
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	scan := newReader()
	count := 0
	for ; rows.Next(); count++ {
		record, err := scan.record(rows)
		if err != nil {
			return false, err
		}
		if p.matches != nil && !p.matches(&record) {
			continue
		}
		if !yield(record, nil) {
			return false, nil
		}
		p.found++
	}
	p.begun, p.endTime, p.endOrder = true, scan.time, scan.ordinal
	if p.byReceiptTime {
		p.endTime = scan.receipt
	}
	return count == p.size, rows.Err()
}

func (p *page) statement() (statement string, args []any) {
	at := timeColumn(p.byReceiptTime)
	statement = `SELECT ` + readList() + ` FROM records WHERE ` + p.condition
	args = slices.Clone(p.args)
	if p.begun {
		statement += ` AND ` + at + ` <= ? AND (` + at + ` < ? OR "ordinal" < ?)`
		args = append(args, p.endTime, p.endTime, p.endOrder)
	}
	return statement + ` ORDER BY ` + at + ` DESC, "ordinal" DESC LIMIT ?`, append(args, int64(p.size))
}
