package clickhouse

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// value is a text of a record, in SQL.
type value struct {
	column  int    // of valueColumns, or -1
	name    string // in the language
	present string // a condition: whether the record has it
	text    string // never NULL, and anything where the record does not have it
}

// held is the value that a column holds.
func (c *compiler) held(i int) value {
	column := &valueColumns[i]
	if column.of != nil {
		return value{i, literal(column.term), `"` + column.name + `" != ''`, `"` + column.name + `"`}
	}
	return value{i, literal(column.name), `isNotNull("` + column.name + `")`, `ifNull(` + column.sql() + `, '')`}
}

// listed is the value of a field that has no column, or one that does not fit it.
func (c *compiler) listed(name string) value {
	c.text += 3 * len(name)
	n := literal(name)
	return value{-1, n, `has("names", ` + n + `)`, `"contents"[indexOf("names", ` + n + `)]`}
}

// signature is the signature of the line, unless the record has a field of that
// name.
func (c *compiler) signature() value {
	v := c.listed(search.SignatureField)
	v.text = `if(` + v.present + `, ` + v.text + `, "signature_text")`
	v.present = `(` + v.present + ` OR "signature_text" != '')`
	return v
}

// compare adds that a field has a value that fits a pattern.
func (c *compiler) compare(e search.Compare) {
	p := e.Value
	name := search.Text(e.Field)
	i, hasColumn := columnOf(name)
	switch {
	case len(p) == 0:
		c.add(`0`)
	case name == search.SignatureField:
		c.matches(p, c.signature())
	case !hasColumn:
		c.matches(p, c.listed(name))
	case valueColumns[i].name == "raw":
		c.add(`(` + hasLine)
		if !p.Any() {
			c.add(` AND `)
			c.fits(p, c.foldedLine)
		}
		c.add(`)`)
	case valueColumns[i].kind == text:
		c.matches(p, c.held(i))
	case !c.stored.odd.has(i):
		c.matchesTyped(p, i)
	default:
		c.add(`(`)
		c.matchesTyped(p, i)
		c.add(` OR `)
		c.matches(p, c.listed(name))
		c.add(`)`)
	}
}

// hasLine says whether there is a line: an empty one counts as none.
const hasLine = `("form" > 0 OR "raw" != '')`

// matches adds that the value is present and fits the pattern.
func (c *compiler) matches(p search.Pattern, v value) {
	c.add(`(` + v.present)
	if !p.Any() {
		c.add(` AND `)
		c.fits(p, func() { c.add(c.folded(v)) })
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

// folded is the value as search.Fold has it.
func (c *compiler) folded(v value) string {
	text := v.text
	if v.column < 0 || c.stored.upper.has(v.column) {
		text = `lower(` + text + `)`
	}
	if v.column < 0 || c.stored.foreign.has(v.column) {
		text = `if(has("folded_names", ` + v.name + `), "folded"[indexOf("folded_names", ` + v.name + `)], ` + text + `)`
	}
	return text
}

// matchesTyped compares values and not their texts where the pattern is one.
func (c *compiler) matchesTyped(p search.Pattern, i int) {
	column := &valueColumns[i]
	if len(p) > 1 {
		c.matches(p, c.held(i))
		return
	}
	v, ok := column.kind.value(search.Fold(p[0]), 0)
	if !ok {
		c.add(`0`)
		return
	}
	c.add(fmt.Sprintf(`ifNull(%s = %d, 0)`, column.typed(), v))
}

// line adds the raw line.
func (c *compiler) line(kept, signature string) {
	c.lines++
	if c.lines <= maxLines { // beyond, the condition is not used
		c.add(line(c.stored.forms, kept, signature))
	}
}

func (c *compiler) foldedLine() {
	c.lines++
	if c.lines <= maxLines {
		c.add(c.folded(value{rawColumn(), lineName, "", `lower(` + line(c.stored.forms, `"raw"`, `"signature_text"`) + `)`}))
	}
}

// foldedSignless adds the line without the characters of its signature.
func (c *compiler) foldedSignless() {
	c.lines++
	if c.lines <= maxLines {
		c.add(c.signlessOf(line(c.stored.forms, signless(`"raw"`), `''`)))
	}
}

// signlessOf is a line without the characters of its signature, folded, which is
// given so where the engine can fold it.
func (c *compiler) signlessOf(line string) string {
	line = `lower(` + line + `)`
	if !c.stored.foreign.has(rawColumn()) {
		return line
	}
	return `if(has("folded_names", ` + lineName + `), ` + signless(`"folded"[indexOf("folded_names", `+lineName+`)]`) + `, ` + line + `)`
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
