package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

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
// records are only ever added, with rising ordinals, so that remembering the
// last one does what a long transaction would. It returns nil when yield asked
// to stop.
func (s *Store) search(ctx context.Context, r search.Request, yield func(search.Record, error) bool) error {
	last, err := lastOrdinal(ctx, s.db)
	if err != nil {
		return err
	}
	condition, args, err := compile(r)
	if err != nil {
		return err
	}
	p := page{byReceiptTime: r.ByReceiptTime, condition: condition + ` AND "ordinal" <= ?`, args: append(args, last)}
	for left := r.Limit; ; left -= p.size {
		p.size = s.pageSize
		if r.Limit > 0 {
			p.size = min(p.size, left)
		}
		more, err := p.read(ctx, s.db, yield)
		if err != nil || !more || r.Limit > 0 && left == p.size {
			return err
		}
	}
}

// page is a part of an answer, and the place at which the part before it ended.
type page struct {
	byReceiptTime bool
	condition     string
	args          []any
	size          int

	begun             bool
	endTime, endOrder int64
}

// read gives the records of the page to yield, and says whether there may be
// more and yield wants them.
func (p *page) read(ctx context.Context, db *sql.DB, yield func(search.Record, error) bool) (more bool, err error) {
	statement, args := p.statement()
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	scan := newRowScanner()
	count := 0
	for ; rows.Next(); count++ {
		record, err := scan.record(rows)
		if err != nil {
			return false, err
		}
		if !yield(record, nil) {
			return false, nil
		}
	}
	p.begun, p.endTime, p.endOrder = true, scan.time, scan.ordinal
	if p.byReceiptTime {
		p.endTime = scan.receipt
	}
	return count == p.size, rows.Err()
}

func (p *page) statement() (statement string, args []any) {
	at := timeColumn(p.byReceiptTime)
	statement = `SELECT "ordinal", "time", "receipt", "source_id", "identity", "raw_bytes", map_keys("fields"), map_values("fields"), ` +
		strings.Join(textColumnNames(), ", ") + ` FROM records WHERE ` + p.condition
	args = slices.Clone(p.args)
	if p.begun {
		statement += ` AND ` + at + ` <= ? AND (` + at + ` < ? OR "ordinal" < ?)`
		args = append(args, p.endTime, p.endTime, p.endOrder)
	}
	return statement + ` ORDER BY ` + at + ` DESC, "ordinal" DESC LIMIT ?`, append(args, int64(p.size))
}

// rowScanner reads rows of a selection into records.
type rowScanner struct {
	ordinal, time, receipt int64
	sourceID               string
	identity, rawBytes     []byte
	names, contents        any // lists of text
	texts                  []sql.NullString
	targets                []any
}

func newRowScanner() *rowScanner {
	s := &rowScanner{texts: make([]sql.NullString, len(textColumns))}
	s.targets = []any{&s.ordinal, &s.time, &s.receipt, &s.sourceID, &s.identity, &s.rawBytes, &s.names, &s.contents}
	for i := range s.texts {
		s.targets = append(s.targets, &s.texts[i])
	}
	return s
}

func (s *rowScanner) record(rows *sql.Rows) (search.Record, error) {
	if err := rows.Scan(s.targets...); err != nil {
		return search.Record{}, fmt.Errorf("read a record: %w", err)
	}
	r := search.Record{
		Time:     time.UnixMilli(s.time).UTC(),
		Receipt:  time.UnixMilli(s.receipt).UTC(),
		SourceID: s.sourceID,
		Identity: [16]byte(s.identity),
	}
	for i, c := range textColumns {
		switch text := s.texts[i]; {
		case c.of != nil:
			*c.of(&r) = text.String
		case text.Valid:
			r.Fields = append(r.Fields, search.Field{Name: c.name, Value: text.String})
		}
	}
	if s.rawBytes != nil {
		r.Raw = string(s.rawBytes)
	}
	if err := s.appendMap(&r); err != nil {
		return search.Record{}, err
	}
	slices.SortFunc(r.Fields, func(a, b search.Field) int { return cmp.Compare(a.Name, b.Name) })
	return r, nil
}

func (s *rowScanner) appendMap(r *search.Record) error {
	names, ok := s.names.([]any)
	contents, ok2 := s.contents.([]any)
	if !ok || !ok2 || len(names) != len(contents) {
		return fmt.Errorf("read a record's fields: got %T and %T", s.names, s.contents)
	}
	for i := range names {
		name, ok := names[i].(string)
		value, ok2 := contents[i].(string)
		if !ok || !ok2 {
			return fmt.Errorf("read a record's fields: got %T and %T", names[i], contents[i])
		}
		r.Fields = append(r.Fields, search.Field{Name: name, Value: value})
	}
	return nil
}
