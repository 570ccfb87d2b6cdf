package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// pageSize is how many records a statement answers with: the engine has an
// answer ready as a whole, in memory, before the first record of it is read. An
// answer of many pages comes to have larger ones, up to so many times the size.
const (
	pageSize   = 2000
	pageGrowth = 8
)

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
	where, _, err := s.seen(ctx, r, v)
	if err != nil {
		return err
	}
	p := page{byReceiptTime: r.ByReceiptTime, few: where.few, condition: where, window: s.newestWindow(r)}
	if where.few {
		p.window.all()
	}
	if !where.exact {
		p.matches = r.Matches
	}
	most, left := s.pageSize, r.Limit
	for {
		p.size = most
		if r.Limit > 0 {
			p.size = min(p.size, left)
		}
		more, err := p.read(ctx, s.db, yield)
		if most > 1 && p.found == 0 && isOutOfMemory(err) {
			most, p.frugal = (most+7)/8, true // of very long lines fewer fit
			continue
		}
		if err != nil || !more {
			return err
		}
		if left -= p.found; r.Limit > 0 && left == 0 {
			return nil
		}
		if p.whole = p.count < p.size; p.whole && !p.window.older(p.count < p.size/4) {
			return nil
		}
		if !p.whole && most >= s.pageSize {
			most = min(2*most, pageGrowth*s.pageSize)
		}
	}
}

// seen returns the condition for what a search that begins now sees, and what
// there is.
func (s *Store) seen(ctx context.Context, r search.Request, v *view) (where condition, stored content, err error) {
	now, err := readState(ctx, s.db)
	if err != nil {
		return condition{}, content{}, err
	}
	if where, err = compile(r, now.content); err != nil {
		return condition{}, content{}, err
	}
	without, more := v.condition()
	where.sql += ` AND "ordinal" <= ?` + without
	where.args = append(append(where.args, now.ordinal), more...)
	if trace, ok := traceOf(r.Query); ok {
		var within part
		if within, where.few = s.traces.part(trace); where.few {
			where.sql += ` AND "ordinal" BETWEEN ? AND ?`
			where.args = append(where.args, within.from, within.to)
		}
	}
	return where, now.content, nil
}

func isOutOfMemory(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Type == engine.ErrorTypeOutOfMemory
}

// page is a part of an answer, and the place at which the part before it ended.
type page struct {
	byReceiptTime bool
	few           bool // records match, if any
	frugal        bool // even where it takes longer
	condition     condition
	window        window
	size          int
	matches       func(*search.Record) bool // what the condition leaves to be looked at; nil if nothing

	count             int  // records of the last page
	found             int  // those of them that were given to yield
	whole             bool // the last page was all that was left of its window
	begun             bool
	endTime, endOrder int64
}

// read gives the records of the page to yield, and says whether it wants more.
func (p *page) read(ctx context.Context, db *sql.DB, yield func(search.Record, error) bool) (more bool, err error) {
	p.found, p.count = 0, 0
	statement, args := p.statement()
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	scan := newReader()
	for ; rows.Next(); p.count++ {
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
	if p.count > 0 {
		p.begun, p.endTime, p.endOrder = true, scan.time, scan.ordinal
		if p.byReceiptTime {
			p.endTime = scan.receipt
		}
	}
	return true, rows.Err()
}

// once keeps the engine from finding the records of a page by few columns first, and
// reading the other columns of these after that: for little that takes longer, and
// the longer the larger the table.
const once = ` CROSS JOIN (VALUES (1)) AS once`

func (p *page) statement() (statement string, args []any) {
	at := timeColumn(p.byReceiptTime)
	from := `records`
	if first := !p.begun || p.whole; first && !p.frugal && (p.few || p.window.narrow()) {
		from += once
	}
	statement = `SELECT ` + readList() + ` FROM ` + from + ` WHERE ` + at + ` BETWEEN ? AND ? AND ` + p.condition.sql
	args = append([]any{p.window.from, p.window.to}, p.condition.args...)
	if p.begun && !p.whole {
		statement += ` AND ` + at + ` <= ? AND (` + at + ` < ? OR "ordinal" < ?)`
		args = append(args, p.endTime, p.endTime, p.endOrder)
	}
	return statement + ` ORDER BY ` + at + ` DESC, "ordinal" DESC LIMIT ?`, append(args, int64(p.size))
}
