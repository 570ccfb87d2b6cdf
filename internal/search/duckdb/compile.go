package duckdb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// maxLines is how often a condition may have the engine write the raw line. A
// query that asks for more is answered by looking at every record of its time.
const maxLines = 8

// compiler turns a query into a condition of SQL. The condition is made of
// constants of this package and of column names; whatever comes from the query
// is an argument.
type compiler struct {
	sql   strings.Builder
	args  []any
	lines int // times that the condition writes the raw line

	odd uint64 // the columns that some stored value did not fit: see state
}

// compile returns the condition for everything that the request asks, limit
// apart, for a store with odd values in those columns. If it is not exact, records
// match it that the request does not.
func compile(r search.Request, odd uint64) (condition string, args []any, exact bool, err error) {
	c := &compiler{odd: odd}
	c.add(`TRUE`)
	exact = true
	for _, term := range conjuncts(r.Query) {
		t := &compiler{odd: odd}
		switch err := t.expr(term); {
		case errors.Is(err, errNotCompiled), err == nil && c.lines+t.lines > maxLines:
			exact = false
			continue
		case err != nil:
			return "", nil, false, err
		}
		c.add(` AND `+t.sql.String(), t.args...)
		c.lines += t.lines
	}
	for _, bound := range []struct {
		at   time.Time
		sign string
	}{{r.From, ">="}, {r.To, "<"}} {
		if !bound.at.IsZero() {
			c.add(` AND `+timeColumn(r.ByReceiptTime)+` `+bound.sign+` ?`, wholeMilliseconds(bound.at))
		}
	}
	return c.sql.String(), c.args, exact, nil
}

// errNotCompiled says that a condition has no SQL: what it asks is answered by
// looking at records.
var errNotCompiled = errors.New("the condition has no SQL")

// conjuncts are the conditions that must all hold.
func conjuncts(e search.Expr) []search.Expr {
	and, ok := e.(search.And)
	if !ok {
		return []search.Expr{e}
	}
	var all []search.Expr
	for _, term := range and.Terms {
		all = append(all, conjuncts(term)...)
	}
	return all
}

func timeColumn(byReceiptTime bool) string {
	if byReceiptTime {
		return `"receipt"`
	}
	return `"time"`
}

// wholeMilliseconds rounds up: a record's time, in whole milliseconds, is before
// t exactly if it is before t rounded up.
func wholeMilliseconds(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

func (c *compiler) add(sql string, args ...any) {
	c.sql.WriteString(sql)
	c.args = append(c.args, args...)
}

// expr adds a condition that is true or false, never NULL, so that NOT means
// what it says.
func (c *compiler) expr(e search.Expr) error {
	switch e := e.(type) {
	case nil, search.All:
		c.add(`TRUE`)
	case search.And:
		return c.join(e.Terms, ` AND `, `TRUE`)
	case search.Or:
		return c.join(e.Terms, ` OR `, `FALSE`)
	case search.Not:
		c.add(`(NOT `)
		defer c.add(`)`)
		return c.expr(e.Term)
	case search.Keyword:
		c.keyword(e.Pattern)
	case search.Compare:
		c.compare(e)
	case search.Order:
		return errNotCompiled
	default:
		return fmt.Errorf("compile the query: no SQL for %T", e)
	}
	return nil
}

func (c *compiler) join(terms []search.Expr, operator, empty string) error {
	if len(terms) == 0 {
		c.add(empty)
		return nil
	}
	c.add(`(`)
	for i, t := range terms {
		if i > 0 {
			c.add(operator)
		}
		if err := c.expr(t); err != nil {
			return err
		}
	}
	c.add(`)`)
	return nil
}

func (c *compiler) compare(e search.Compare) {
	p := e.Value
	name := search.Text(e.Field)
	i, hasColumn := columnOf(name)
	var column *valueColumn
	if hasColumn {
		column = &valueColumns[i]
	}
	switch {
	case len(p) == 0:
		c.add(`FALSE`)
	case !hasColumn:
		c.matchesListed(p, name)
	case column.name == "raw":
		c.matches(p, func() { c.line(`"raw"`) }) // NULL if it is empty, which counts as none
	case column.kind == text:
		c.matches(p, func() { c.add(column.sql()) })
	case c.odd&(1<<i) == 0:
		c.matchesTyped(p, column)
	default:
		c.add(`(`)
		c.matchesTyped(p, column)
		c.add(` OR `)
		c.matchesListed(p, name)
		c.add(`)`)
	}
}

// matches adds that the value, which may be NULL, fits the pattern.
func (c *compiler) matches(p search.Pattern, value func()) {
	c.add(`coalesce(`)
	switch {
	case p.Any():
		value()
		c.add(` IS NOT NULL`)
	case len(p) == 1:
		c.add(`lower(`)
		value()
		c.add(`) = CAST(? AS VARCHAR)`, search.Fold(p[0]))
	default:
		c.add(`regexp_matches(lower(`)
		value()
		c.add(`), CAST(? AS VARCHAR))`, `\A`+expression(p)+`\z`)
	}
	c.add(`, FALSE)`)
}

// matchesTyped compares values and not their texts where the pattern is one.
func (c *compiler) matchesTyped(p search.Pattern, column *valueColumn) {
	if len(p) > 1 {
		c.matches(p, func() { c.add(column.sql()) })
		return
	}
	literal := search.Fold(p[0])
	if _, ok := column.kind.value(literal, 0); !ok {
		c.add(`FALSE`)
		return
	}
	left := `"` + column.name + `"`
	if column.kind == moment {
		left = `"time" + ` + left
	}
	c.add(`coalesce(`+left+` = CAST(? AS `+column.kind.sqlType()+`), FALSE)`, literal)
}

// matchesListed compares a field that has no column, or a value that does not fit
// it. Most records have neither: the CASE spares the engine to look for it there.
func (c *compiler) matchesListed(p search.Pattern, name string) {
	c.add(`CASE WHEN "names" IS NULL THEN FALSE ELSE `)
	c.matches(p, func() { c.add(`"contents"[list_position("names", CAST(? AS VARCHAR))]`, name) })
	c.add(` END`)
}

// line adds the raw line; kept is what it is where the table has it.
func (c *compiler) line(kept string) {
	c.lines++
	if c.lines <= maxLines { // beyond, the condition is not used
		c.add(line(kept))
	}
}

// expression returns a regular expression for the pattern: RE2's answers in time
// proportional to the text, where LIKE tries the ways of placing each wildcard,
// and a query may come from anybody. The wildcard is \C, any byte, and not the
// dot, because a .* has the engine turn the whole back into a LIKE.
func expression(p search.Pattern) string {
	pieces := make([]string, len(p))
	for i, piece := range p {
		pieces[i] = regexp.QuoteMeta(search.Fold(piece))
	}
	return strings.Join(pieces, `\C*`)
}
