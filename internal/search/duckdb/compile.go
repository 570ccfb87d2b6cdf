package duckdb

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// compiler turns a query into a condition of SQL. The condition is made of
// constants of this file and of column names; whatever comes from the query is
// an argument.
type compiler struct {
	sql  strings.Builder
	args []any
}

// compile returns the condition for everything that the request asks, limit apart.
func compile(r search.Request) (condition string, args []any, err error) {
	c := new(compiler)
	if err := c.expr(r.Query); err != nil {
		return "", nil, err
	}
	for _, bound := range []struct {
		at   time.Time
		sign string
	}{{r.From, ">="}, {r.To, "<"}} {
		if !bound.at.IsZero() {
			c.add(` AND `+timeColumn(r.ByReceiptTime)+` `+bound.sign+` ?`, wholeMilliseconds(bound.at))
		}
	}
	return c.sql.String(), c.args, nil
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

// keyword compares with what lower makes of the line, which is [search.Fold]
// (a test holds the two together).
func (c *compiler) keyword(p search.Pattern) {
	switch {
	case len(p) == 0:
		c.add(`FALSE`)
	case p.Any():
		c.add(`TRUE`)
	case len(p) == 1:
		c.add(`contains(lower(coalesce("raw", '')), CAST(? AS VARCHAR))`, search.Fold(p[0]))
	default:
		c.add(`regexp_matches(lower(coalesce("raw", '')), CAST(? AS VARCHAR))`, expression(p))
	}
}

func (c *compiler) compare(e search.Compare) {
	p := e.Value
	if len(p) == 0 {
		c.add(`FALSE`)
		return
	}
	c.add(`coalesce(`)
	switch {
	case p.Any():
		c.value(e.Field)
		c.add(` IS NOT NULL`)
	case len(p) == 1:
		c.add(`lower(`)
		c.value(e.Field)
		c.add(`) = CAST(? AS VARCHAR)`, search.Fold(p[0]))
	default:
		c.add(`regexp_matches(lower(`)
		c.value(e.Field)
		c.add(`), CAST(? AS VARCHAR))`, `\A`+expression(p)+`\z`)
	}
	c.add(`, FALSE)`)
}

// value adds what the field's name stands for: NULL if the record lacks it.
func (c *compiler) value(field string) {
	if column, ok := columnOf(search.Text(field)); ok {
		c.add(`"` + column + `"`)
		return
	}
	c.add(`map_extract_value("fields", CAST(? AS VARCHAR))`, search.Text(field))
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
