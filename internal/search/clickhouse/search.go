package clickhouse

import (
	"context"
	"fmt"
	"iter"

	engine "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	// pageSize is how many records are read at once at first. Each page after is
	// twice as large, because to find where one begins the engine looks at all
	// that are left; but it holds no more than about pageBytes.
	pageSize     = 2000
	maxPageSize  = 64_000
	pageBytes    = 16 << 20
	maxStatement = 4 << 20
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

// search reads page after page, of the records that are there as it begins. A
// caller may take its time over one: no connection waits for it. It returns nil
// when yield asked to stop.
func (s *Store) search(ctx context.Context, r search.Request, yield func(search.Record, error) bool) error {
	v := s.views.begin()
	defer s.views.end(v)
	where, err := s.current().seen(r, v)
	if err != nil {
		return err
	}
	p := page{in: s.tables.in(), at: timeColumn(r.ByReceiptTime), condition: where.sql(), size: s.pageSize, bytes: pageBytes}
	left := r.Limit
	for {
		if where.exact && r.Limit > 0 {
			p.size = min(p.size, left)
		}
		records, more, err := p.read(ctx, s.reading)
		if err != nil {
			return err
		}
		for i := range records {
			if !where.exact && !r.Matches(&records[i]) {
				continue
			}
			if !yield(records[i], nil) {
				return nil
			}
			if left--; left == 0 {
				return nil
			}
		}
		if !more {
			return nil
		}
		p.size = min(2*p.size, maxPageSize)
	}
}

// seen is the condition for what the request asks of what is there.
func (s state) seen(r search.Request, v *view) (where condition, err error) {
	where, err = compile(r, s.content)
	where.early += ` AND ` + s.condition() + v.condition()
	return where, err
}

// readOnly is for statements in which there is something of a query: the engine
// would refuse to change anything for them.
func readOnly(ctx context.Context) context.Context {
	return engine.Context(ctx, engine.WithSettings(engine.Settings{"readonly": 2, "max_query_size": maxStatement}))
}

// page is a part of an answer.
type page struct {
	at        string // the column of the time
	in        string // how the engine looks into a list: see tables.in
	condition string // as clauses
	size      int    // records
	bytes     int    // of memory, about; but at least one record

	begun bool
	end   place // where the page before ended
}

// place is where a record is in an answer.
type place struct{ time, ordinal int64 }

// read returns the records of the next page, and whether there may be more after.
//
// It first looks for where they are, in a few columns of all that match, and then
// reads them, in all columns of the few that are there.
func (p *page) read(ctx context.Context, from *connection) (records []search.Record, more bool, err error) {
	places, more, err := p.find(readOnly(ctx), from)
	if err != nil || len(places) == 0 {
		return nil, false, err
	}
	list, err := ext.NewTable("places", ext.Column("ordinal", "Int64"))
	if err != nil {
		return nil, false, err
	}
	for _, here := range places {
		if err := list.Append(here.ordinal); err != nil {
			return nil, false, err
		}
	}
	p.begun, p.end = true, places[len(places)-1]
	rows, err := from.conn.Query(engine.Context(readOnly(ctx), engine.WithExternalTable(list)), fmt.Sprintf(
		`SELECT %s FROM records WHERE %s BETWEEN %d AND %d AND "ordinal" %s (SELECT "ordinal" FROM places)%s`,
		readList(), p.at, p.end.time, places[0].time, p.in, p.order()))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		record, err := newReader().record(rows)
		if err != nil {
			return nil, false, err
		}
		records = append(records, record)
	}
	return records, more, rows.Err()
}

func (p *page) order() string { return ` ORDER BY ` + p.at + ` DESC, "ordinal" DESC` }

// find returns the places of the records of the page, and whether there may be
// more after it.
func (p *page) find(ctx context.Context, from *connection) (places []place, more bool, err error) {
	statement := `SELECT ` + p.at + `, "ordinal", "size" FROM records ` + p.condition
	if p.begun {
		statement += fmt.Sprintf(` AND %[1]s <= %[2]d AND (%[1]s < %[2]d OR "ordinal" < %[3]d)`, p.at, p.end.time, p.end.ordinal)
	}
	rows, err := from.conn.Query(ctx, statement+p.order()+fmt.Sprintf(` LIMIT %d`, p.size))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	bytes := 0
	for rows.Next() {
		var here place
		var size uint32
		if err := rows.Scan(&here.time, &here.ordinal, &size); err != nil {
			return nil, false, err
		}
		bytes += int(size)
		if more = more || len(places) > 0 && bytes > p.bytes; !more {
			places = append(places, here)
		} // and on to the end of the answer, which is short
	}
	return places, more || len(places) == p.size, rows.Err()
}
