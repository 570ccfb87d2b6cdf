package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// maxGroups is how many groups the engine may answer with: it holds all of them
// before the first is read.
const maxGroups = 1_000_000

// Groups implements [search.Store].
func (s *Store) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return func(yield func(search.Group, error) bool) {
		err := s.groups(ctx, g, yield)
		if isOutOfMemory(err) || isOutOfRange(err) {
			err = search.ErrNotGrouped
		}
		if err != nil {
			yield(search.Group{}, fmt.Errorf("group: %w", err))
		}
	}
}

// isOutOfRange tells of a time so far away that a step of it begins before all
// numbers.
func isOutOfRange(err error) bool {
	e, ok := errors.AsType[*engine.Error](err)
	return ok && e.Type == engine.ErrorTypeOutOfRange
}

// groups returns nil when yield asked to stop.
func (s *Store) groups(ctx context.Context, g search.Grouping, yield func(search.Group, error) bool) error {
	v := s.views.begin()
	defer s.views.end(v)
	where, stored, err := s.seen(ctx, g.Request, v)
	if err != nil {
		return err
	}
	c := grouper{compiler: compiler{stored: stored}, grouping: g}
	if !where.exact || !c.selection() {
		return search.ErrNotGrouped
	}
	rows, err := s.db.QueryContext(ctx, c.statement(where), append(c.args, append(where.args, maxGroups+1)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	read := newGroupReader(g, c.kinds)
	for count := 0; rows.Next(); count++ {
		group, err := read.group(rows)
		switch {
		case err != nil:
			return err
		case count == maxGroups:
			return search.ErrNotGrouped
		case group.Count > 0 && !yield(group, nil):
			return nil
		}
	}
	return rows.Err()
}

// grouper compiles what groups are told apart by.
type grouper struct {
	compiler
	grouping search.Grouping
	kinds    []columnKind // of the fields, as the statement gives them
}

// selection adds an expression for each field, and for the step. It is not ok
// where there is none for one.
func (c *grouper) selection() (ok bool) {
	for _, name := range c.grouping.Fields {
		i, hasColumn := columnOf(search.Text(name))
		kind := text
		switch {
		case !hasColumn:
			c.listed(search.Text(name))
		case valueColumns[i].name == "raw":
			return false
		case c.stored.odd.has(i):
			c.add(`coalesce(` + valueColumns[i].sql() + `, `)
			c.listed(valueColumns[i].name)
			c.add(`)`)
		default:
			kind = valueColumns[i].kind
			c.add(valueColumns[i].typed())
		}
		c.add(`, `)
		c.kinds = append(c.kinds, kind)
	}
	if step := c.grouping.Step.Milliseconds(); step > 0 {
		at := timeColumn(c.grouping.ByReceiptTime)
		c.add(at+` - ((`+at+` % CAST(? AS BIGINT) + CAST(? AS BIGINT)) % CAST(? AS BIGINT)), `, step, step, step)
	}
	return true
}

func (c *grouper) statement(where condition) string {
	columns := len(c.grouping.Fields)
	if c.grouping.Step > 0 {
		columns++
	}
	by := ""
	if columns > 0 {
		by = ` GROUP BY ALL`
	}
	groups := `SELECT ` + c.sql.String() + `count(*) AS "count" FROM records WHERE ` + where.sql + by
	if most := c.grouping.Most; most > 0 {
		groups = `FROM (` + groups + `) QUALIFY rank() OVER (ORDER BY "count" DESC) <= ` + strconv.Itoa(most)
	}
	return groups + ` LIMIT ?`
}

// groupReader reads rows of a selection into groups.
type groupReader struct {
	kinds   []columnKind
	values  []any
	step    int64
	count   int64
	stepped bool
	targets []any
}

func newGroupReader(g search.Grouping, kinds []columnKind) *groupReader {
	r := &groupReader{kinds: kinds, values: make([]any, len(kinds)), stepped: g.Step > 0}
	for i := range r.values {
		r.targets = append(r.targets, &r.values[i])
	}
	if r.stepped {
		r.targets = append(r.targets, &r.step)
	}
	r.targets = append(r.targets, &r.count)
	return r
}

func (r *groupReader) group(rows *sql.Rows) (search.Group, error) {
	if err := rows.Scan(r.targets...); err != nil {
		return search.Group{}, fmt.Errorf("read a group: %w", err)
	}
	g := search.Group{Count: int(r.count), Values: make([]search.Value, len(r.values))}
	for i, v := range r.values {
		// Times have been added up already, and are not differences any more.
		if value, ok := r.kinds[i].text(v, 0); ok {
			g.Values[i] = search.TextValue(value)
		}
	}
	if r.stepped {
		g.Time = time.UnixMilli(r.step).UTC()
	}
	return g, nil
}
