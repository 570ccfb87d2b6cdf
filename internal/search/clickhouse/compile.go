package clickhouse

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	// maxLines is how often a condition may have the engine write the raw line,
	// maxTerms how many comparisons it may have, maxDepth how far they may be
	// nested and maxText how much text they may be about, and maxPattern how much
	// a pattern with wildcards may have. A query that asks for more is answered by
	// looking at records: servers refuse statements of unusual size, each version
	// at another, and long regular expressions take them long.
	maxLines = 8
	maxTerms = 100
	maxDepth = 40
	maxText  = 100_000

	maxPattern = 1000
)

// compiler turns a query into a condition of SQL. The condition is made of
// constants of this package and of column names. Whatever comes from the query is
// in it as hexadecimal digits alone: see literal.
type compiler struct {
	sql   strings.Builder
	lines int // times that the condition writes the raw line
	terms int
	text  int
	depth int
	odd   bool // too deep, with too long a pattern, or of what SQL cannot say

	stored content
}

// condition is what records are asked for by.
type condition struct {
	early string // what is looked at first
	late  string // what has the engine write lines, of the records that are left; or empty
	exact bool   // else records match it that the request does not
}

// sql is the condition as clauses of a statement, which can be added to by AND. The
// engine reads PREWHERE first, and the rest of the columns of what that leaves.
func (c condition) sql() string {
	if c.late == "" {
		return `WHERE ` + c.early
	}
	return `PREWHERE ` + c.early + ` WHERE ` + c.late
}

// compile returns the condition for everything that the request asks, limit
// apart, of a store with such content.
func compile(r search.Request, stored content) (where condition, err error) {
	c := &compiler{stored: stored}
	c.add(`1`)
	for _, bound := range []struct {
		at   time.Time
		sign string
	}{{r.From, ">="}, {r.To, "<"}} {
		if !bound.at.IsZero() {
			c.add(fmt.Sprintf(` AND %s %s toInt64(%d)`, timeColumn(r.ByReceiptTime), bound.sign, wholeMilliseconds(bound.at)))
		}
	}
	where.exact = true
	for _, term := range conjuncts(r.Query) {
		t := &compiler{stored: stored}
		if err := t.expr(term); err != nil {
			return condition{}, err
		}
		where.exact = c.and(t, &where) && where.exact
		if keyword, ok := term.(search.Keyword); ok && t.lines > 0 {
			t := &compiler{stored: stored}
			t.possible(keyword)
			c.and(t, &where)
		}
	}
	for _, x := range r.Lines {
		t := &compiler{stored: stored}
		t.lineMatches(x)
		where.exact = c.and(t, &where) && where.exact
	}
	where.early = c.sql.String()
	where.late = strings.TrimPrefix(where.late, ` AND `)
	return where, nil
}

// and adds the condition that must hold too, if there is room for it.
func (c *compiler) and(t *compiler, where *condition) (ok bool) {
	lines, terms, text := c.lines+t.lines, c.terms+t.terms, c.text+t.text
	if t.odd || lines > maxLines || terms > maxTerms || text > maxText {
		return false
	}
	c.lines, c.terms, c.text = lines, terms, text
	if t.lines > 0 {
		where.late += ` AND ` + t.sql.String()
	} else {
		c.add(` AND ` + t.sql.String())
	}
	return true
}

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

// literal is a text in SQL, whatever its bytes are: neither the driver, which
// would write an argument into the statement itself, nor the server finds
// anything in it that could end the text or stand for something else. Servers
// have arguments of their own only since version 20.
func literal(s string) string {
	return `unhex('` + hex.EncodeToString([]byte(s)) + `')`
}

func (c *compiler) add(sql string) { c.sql.WriteString(sql) }

// literal adds a text of the query.
func (c *compiler) literal(s string) {
	c.text += len(s)
	if c.text <= maxText { // beyond, the condition is not used
		c.add(literal(s))
	}
}

// pattern adds a regular expression.
func (c *compiler) pattern(expression string) {
	c.odd = c.odd || len(expression) > maxPattern
	c.literal(expression)
}

// expr adds a condition that is 1 or 0, never NULL, so that NOT means what it
// says.
func (c *compiler) expr(e search.Expr) error {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		c.odd = true
		return nil
	}
	switch e := e.(type) {
	case nil, search.All:
		c.add(`1`)
	case search.And:
		return c.join(e.Terms, ` AND `, `1`)
	case search.Or:
		return c.join(e.Terms, ` OR `, `0`)
	case search.Not:
		c.add(`(NOT `)
		defer c.add(`)`)
		return c.expr(e.Term)
	case search.Keyword:
		c.terms++
		c.keyword(e)
	case search.Compare:
		c.terms++
		c.compare(e)
	case search.Order:
		c.terms++
		c.order(e)
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
