package clickhouse

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	// maxLines is how often a condition may have the engine write the raw line,
	// maxTerms how many comparisons it may have, maxDepth how far they may be
	// nested and maxText how much text they may be about, and maxPattern how much
	// a pattern with wildcards may have. A query that asks for more is answered by
	// looking at every record of its time: servers refuse statements of unusual
	// size, each version at another, and long regular expressions take them long.
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
}

// compile returns the condition for everything that the request asks, limit
// apart. If it is not exact, records match it that the request does not.
func compile(r search.Request) (condition string, exact bool, err error) {
	c := new(compiler)
	if err := c.expr(r.Query); err != nil {
		return "", false, err
	}
	exact = c.lines <= maxLines && c.terms <= maxTerms && c.text <= maxText && !c.odd
	if !exact {
		c = new(compiler)
		c.add(`1`)
	}
	exact = exact && len(r.Lines) == 0
	for _, bound := range []struct {
		at   time.Time
		sign string
	}{{r.From, ">="}, {r.To, "<"}} {
		if !bound.at.IsZero() {
			c.add(fmt.Sprintf(` AND %s %s toInt64(%d)`, timeColumn(r.ByReceiptTime), bound.sign, wholeMilliseconds(bound.at)))
		}
	}
	return c.sql.String(), exact, nil
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
		c.odd = true // an order of numbers and texts that no engine has
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
	column, hasColumn := columnOf(name)
	switch {
	case len(p) == 0:
		c.add(`0`)
	case name == search.SignatureField:
		c.text += 2 * len(name)
		n := literal(name)
		value := `if(has("names", ` + n + `), "contents"[indexOf("names", ` + n + `)], "signature_text")`
		c.matches(p, func() { c.add(`(has("names", ` + n + `) OR "signature_text" != '')`) }, func() { c.folded(n, value) })
	case !hasColumn:
		c.listed(name, p)
	case column.name == "raw": // an empty line counts as none
		c.matches(p, func() { c.line(`"raw"`, `"signature_text"`); c.add(` != ''`) }, c.foldedLine)
	case column.of != nil:
		c.matches(p, func() { c.add(`"` + column.name + `" != ''`) }, func() { c.folded(literal(column.term), `"`+column.name+`"`) })
	case column.kind == text:
		value := `ifNull("` + column.name + `", '')`
		c.matches(p, func() { c.add(`isNotNull("` + column.name + `")`) }, func() { c.folded(literal(name), value) })
	default:
		c.add(`(`)
		c.matchesTyped(p, column)
		c.add(` OR `)
		c.listed(name, p)
		c.add(`)`)
	}
}

// matches adds that the value is present and fits the pattern.
func (c *compiler) matches(p search.Pattern, present, folded func()) {
	c.add(`(`)
	present()
	if !p.Any() {
		c.add(` AND `)
		c.fits(p, folded)
	}
	c.add(`)`)
}

// fits adds that a text, which is folded, fits the pattern as a whole.
func (c *compiler) fits(p search.Pattern, folded func()) {
	if len(p) == 1 {
		folded()
		c.add(` = `)
		c.literal(search.Fold(p[0]))
		return
	}
	c.add(`match(`)
	folded()
	c.add(`, `)
	c.pattern(`(?s)\A` + expression(p) + `\z`)
	c.add(`)`)
}

// folded adds a value as search.Fold has it. The name is that in the language.
func (c *compiler) folded(name, value string) {
	c.add(`if(has("folded_names", ` + name + `), "folded"[indexOf("folded_names", ` + name + `)], lower(` + value + `))`)
}

// listed adds that a field that has no column, or a value that does not fit it,
// fits the pattern.
func (c *compiler) listed(name string, p search.Pattern) {
	c.text += len(name)
	n := literal(name)
	c.matches(p, func() { c.add(`has("names", ` + n + `)`) }, func() { c.folded(n, `"contents"[indexOf("names", `+n+`)]`) })
}

// matchesTyped compares values and not their texts where the pattern is one.
func (c *compiler) matchesTyped(p search.Pattern, column *valueColumn) {
	if len(p) > 1 {
		present := func() { c.add(`isNotNull("` + column.name + `")`) }
		c.matches(p, present, func() { c.add(`ifNull(` + column.sql() + `, '')`) })
		return
	}
	v, ok := column.kind.value(search.Fold(p[0]), 0)
	if !ok {
		c.add(`0`)
		return
	}
	left := `"` + column.name + `"`
	if column.kind == moment {
		left = `"time" + ` + left
	}
	c.add(fmt.Sprintf(`ifNull(%s = %d, 0)`, left, v))
}

// line adds the raw line.
func (c *compiler) line(kept, signature string) {
	c.lines++
	if c.lines <= maxLines { // beyond, the condition is not used
		c.add(line(kept, signature))
	}
}

func (c *compiler) foldedLine() {
	c.lines++
	if c.lines <= maxLines {
		c.folded(lineName, line(`"raw"`, `"signature_text"`))
	}
}

// foldedSignless adds the line without the characters of its signature.
func (c *compiler) foldedSignless() {
	c.lines++
	if c.lines <= maxLines {
		c.add(foldedSignless(line(signless(`"raw"`), `''`)))
	}
}

// foldedSignless is a line without the characters of its signature, which is given
// so where the engine can fold it.
func foldedSignless(line string) string {
	return `if(has("folded_names", ` + lineName + `), ` + signless(`"folded"[indexOf("folded_names", `+lineName+`)]`) + `, lower(` + line + `))`
}

// lineName is the name of the raw line among those that are folded.
const lineName = `'_raw'`

// expression returns a regular expression for the pattern, of which (?s) lets the
// dot stand for newlines too: RE2's answers in time proportional to the text, and
// a query may come from anybody.
func expression(p search.Pattern) string {
	pieces := make([]string, len(p))
	for i, piece := range p {
		pieces[i] = regexp.QuoteMeta(search.Fold(piece))
	}
	return strings.Join(pieces, `.*`)
}
