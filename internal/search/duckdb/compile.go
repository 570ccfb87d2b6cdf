package duckdb

import (
	"errors"
	"fmt"
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

	stored content
}

// condition is what records are asked for by.
type condition struct {
	sql   string
	args  []any
	exact bool // else records match it that the request does not
	few   bool // it looks at a small part of the table
}

// compile returns the condition for everything that the request asks, limit
// apart, of a store with such content.
func compile(r search.Request, stored content) (condition, error) {
	c := &compiler{stored: stored}
	c.add(`TRUE`)
	exact := true
	for _, bound := range []struct {
		at   time.Time
		sign string
	}{{r.From, ">="}, {r.To, "<"}} {
		if !bound.at.IsZero() {
			c.add(` AND `+timeColumn(r.ByReceiptTime)+` `+bound.sign+` ?`, wholeMilliseconds(bound.at))
		}
	}
	for _, term := range conjuncts(r.Query) {
		t := &compiler{stored: stored}
		switch err := t.expr(term, orNull); {
		case errors.Is(err, errNotCompiled), err == nil && c.lines+t.lines > maxLines:
			exact = false
			continue
		case err != nil:
			return condition{}, err
		}
		c.add(` AND `+t.sql.String(), t.args...)
		c.lines += t.lines
	}
	for _, x := range r.Lines {
		if c.lines == maxLines {
			exact = false
			break
		}
		c.add(` AND regexp_matches(`)
		c.line(`"raw"`, signatureText)
		c.add(`, CAST(? AS VARCHAR))`, search.Regexp(x.String()).RE2())
	}
	return condition{sql: c.sql.String(), args: c.args, exact: exact}, nil
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

// falsehood is how a condition says that it does not hold.
type falsehood bool

const (
	orNull  falsehood = true  // FALSE or NULL, which is the same where nothing negates it, and quicker
	notNull falsehood = false // FALSE, so that NOT means what it says
)

// expr adds a condition.
func (c *compiler) expr(e search.Expr, f falsehood) error {
	switch e := e.(type) {
	case nil, search.All:
		c.add(`TRUE`)
	case search.And:
		return c.join(e.Terms, ` AND `, `TRUE`, f)
	case search.Or:
		return c.join(e.Terms, ` OR `, `FALSE`, f)
	case search.Not:
		c.add(`(NOT `)
		defer c.add(`)`)
		return c.expr(e.Term, notNull)
	case search.Keyword:
		c.known(f, func() { c.keyword(e) })
	case search.Compare:
		c.known(f, func() { c.compare(e) })
	case search.Order:
		var err error
		c.known(f, func() { err = c.order(e) })
		return err
	default:
		return fmt.Errorf("compile the query: no SQL for %T", e)
	}
	return nil
}

// known adds a condition, and FALSE in the place of NULL where that matters.
func (c *compiler) known(f falsehood, condition func()) {
	if f == orNull {
		c.add(`(`)
		condition()
		c.add(`)`)
		return
	}
	c.add(`coalesce(`)
	condition()
	c.add(`, FALSE)`)
}

func (c *compiler) join(terms []search.Expr, operator, empty string, f falsehood) error {
	if len(terms) == 0 {
		c.add(empty)
		return nil
	}
	c.add(`(`)
	for i, t := range terms {
		if i > 0 {
			c.add(operator)
		}
		if err := c.expr(t, f); err != nil {
			return err
		}
	}
	c.add(`)`)
	return nil
}
