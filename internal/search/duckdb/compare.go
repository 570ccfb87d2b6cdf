package duckdb

import (
	"regexp"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// compare adds that a field has a value that fits a pattern. It may be NULL where
// the field has none.
func (c *compiler) compare(e search.Compare) {
	p := e.Value
	name := search.Text(e.Field)
	i, hasColumn := columnOf(name)
	switch {
	case len(p) == 0:
		c.add(`FALSE`)
	case name == search.SignatureField:
		c.matches(p, true, func() { c.signature(name) })
	case !hasColumn:
		c.matches(p, true, func() { c.listed(name) })
	case valueColumns[i].name == "raw":
		c.matches(p, true, func() { c.line(`"raw"`, signatureText) }) // NULL if it is empty, which counts as none
	case valueColumns[i].kind == text:
		c.matches(p, c.stored.upper.has(i), func() { c.add(valueColumns[i].sql()) })
	case !c.stored.odd.has(i):
		c.matchesTyped(p, i)
	default:
		c.add(`(`)
		c.matchesTyped(p, i)
		c.add(` OR `)
		c.matches(p, true, func() { c.listed(name) })
		c.add(`)`)
	}
}

// matches adds that the value, which may be NULL, fits the pattern.
func (c *compiler) matches(p search.Pattern, fold bool, value func()) {
	folded := value
	if fold {
		folded = func() { c.folded(value) }
	}
	switch {
	case p.Any():
		value()
		c.add(` IS NOT NULL`)
	case len(p) == 1:
		folded()
		c.add(` = CAST(? AS VARCHAR)`, search.Fold(p[0]))
	default:
		c.add(`regexp_matches(`)
		folded()
		c.add(`, CAST(? AS VARCHAR))`, `\A`+expression(p)+`\z`)
	}
}

func (c *compiler) folded(value func()) {
	c.add(`lower(`)
	value()
	c.add(`)`)
}

// matchesTyped compares values and not their texts where the pattern is one.
func (c *compiler) matchesTyped(p search.Pattern, i int) {
	column := &valueColumns[i]
	if len(p) > 1 {
		c.matches(p, false, func() { c.add(column.sql()) })
		return
	}
	literal := search.Fold(p[0])
	if _, ok := column.kind.value(literal, 0); !ok {
		c.add(`FALSE`)
		return
	}
	c.add(column.typed()+` = CAST(? AS `+column.kind.sqlType()+`)`, literal)
}

// listed adds the value of a field that has no column, or does not fit it. Most
// records have neither: the CASE spares the engine to look for it there.
func (c *compiler) listed(name string) {
	c.add(`CASE WHEN "names" IS NOT NULL THEN "contents"[list_position("names", CAST(? AS VARCHAR))] END`, name)
}

// signature adds the signature of the line, unless the record has a field of that
// name.
func (c *compiler) signature(name string) {
	c.add(`CASE WHEN list_contains("names", CAST(? AS VARCHAR)) THEN `, name)
	c.listed(name)
	c.add(` ELSE ` + signatureText + ` END`)
}

// line adds the raw line; kept is what it is where the table has it.
func (c *compiler) line(kept, signature string) {
	c.lines++
	if c.lines <= maxLines { // beyond, the condition is not used
		c.add(line(c.stored.forms, kept, signature))
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
