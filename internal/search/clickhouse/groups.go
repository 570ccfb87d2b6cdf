package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	engine "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/trailhook/trailhook/internal/search"
)

// maxGroups is how many groups the engine may answer with: it holds all of them
// before the first is read.
const maxGroups = 1_000_000

// Groups implements [search.Store].
func (s *Store) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return func(yield func(search.Group, error) bool) {
		err := s.groups(ctx, g, yield)
		if isTooMuch(err) {
			err = search.ErrNotGrouped
		}
		if err != nil {
			yield(search.Group{}, fmt.Errorf("group: %w", err))
		}
	}
}

// Codes of the server's errors.
const (
	codeTooManyRows = 158 // of groups here, as of rows that are read where a user's settings limit those
	codeMemoryLimit = 241
)

// isTooMuch tells of more groups than the engine may hold.
func isTooMuch(err error) bool {
	refused, ok := errors.AsType[*engine.Exception](err)
	return ok && (refused.Code == codeTooManyRows || refused.Code == codeMemoryLimit)
}

// groups returns nil when yield asked to stop.
func (s *Store) groups(ctx context.Context, g search.Grouping, yield func(search.Group, error) bool) error {
	v := s.views.begin()
	defer s.views.end(v)
	there := s.current()
	where, err := there.seen(g.Request, v)
	if err != nil {
		return err
	}
	c := compiler{stored: there.content}
	by, ok := c.groupedBy(g)
	if !ok || !where.exact {
		return search.ErrNotGrouped
	}
	statement := `SELECT ` + strings.Join(append(by, `count()`), `, `) + ` FROM records ` + where.sql()
	if len(by) > 0 {
		statement += ` GROUP BY ` + strings.Join(by, `, `)
	}
	rows, err := s.reading.conn.Query(grouping(ctx, s.maxGroups), statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for count := 0; rows.Next(); count++ {
		group, err := readGroup(rows, g)
		switch {
		case err != nil:
			return err
		case count == s.maxGroups:
			return search.ErrNotGrouped
		case group.Count > 0 && !yield(group, nil):
			return nil
		}
	}
	return rows.Err()
}

// grouping is for statements that group: each thread of the engine refuses to hold
// more groups than that.
func grouping(ctx context.Context, limit int) context.Context {
	return engine.Context(ctx, engine.WithSettings(engine.Settings{
		"readonly": 2, "max_query_size": maxStatement, "max_rows_to_group_by": limit,
	}))
}

// absent stands for no value: not being UTF-8, it is none. The engine groups by texts
// that cannot be NULL in half the time.
const absent = "\xff"

// groupedBy returns an expression for each field, and one for the step. It is not ok
// where there is none for one, or where they would be too long.
func (c *compiler) groupedBy(g search.Grouping) (by []string, ok bool) {
	for _, name := range g.Fields {
		name = search.Text(name)
		i, hasColumn := columnOf(name)
		if hasColumn && valueColumns[i].name == "raw" {
			return nil, false
		}
		none := literal(absent)
		if !hasColumn || c.stored.odd.has(i) {
			v := c.listed(name)
			none = `if(` + v.present + `, ` + v.text + `, ` + none + `)`
		}
		switch {
		case !hasColumn:
			by = append(by, none)
		case valueColumns[i].of != nil:
			by = append(by, `"`+valueColumns[i].name+`"`)
		default:
			by = append(by, `ifNull(`+valueColumns[i].sql()+`, `+none+`)`)
		}
	}
	if step := g.Step.Milliseconds(); step > 0 {
		at := timeColumn(g.ByReceiptTime)
		by = append(by, fmt.Sprintf(`%[1]s - (%[1]s %% toInt64(%[2]d) + toInt64(%[2]d)) %% toInt64(%[2]d)`, at, step))
	}
	return by, c.text <= maxText && len(by) <= maxTerms
}

// readGroup reads a row of a selection.
func readGroup(rows driver.Rows, grouping search.Grouping) (search.Group, error) {
	var (
		texts   = make([]string, len(grouping.Fields))
		targets []any
		start   int64
		count   uint64
	)
	for i := range texts {
		targets = append(targets, &texts[i])
	}
	if grouping.Step > 0 {
		targets = append(targets, &start)
	}
	if err := rows.Scan(append(targets, &count)...); err != nil {
		return search.Group{}, fmt.Errorf("read a group: %w", err)
	}
	g := search.Group{Count: int(count), Values: make([]search.Value, len(texts))}
	for i, text := range texts {
		_, isMetadata := search.Metadata(grouping.Fields[i])
		if text != absent && (text != "" || !isMetadata) {
			g.Values[i] = search.TextValue(text)
		}
	}
	if grouping.Step > 0 {
		g.Time = time.UnixMilli(start).UTC()
	}
	return g, nil
}
