package clickhouse

import (
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// keyword adds that the line has the pattern somewhere. To write the lines that
// are not kept costs much more than to look into their columns: so a keyword that
// can only be in a value is looked for there.
func (c *compiler) keyword(k search.Keyword) {
	p := k.Pattern
	switch {
	case len(p) == 0:
		c.add(`0`)
		return
	case p.Any():
		c.add(`1`)
		return
	}
	if _, named := k.BeforeSignature(); named {
		c.within(p, c.foldedLine)
		return
	}
	word, whole := inValues(p)
	if !whole {
		c.within(p, c.foldedSignless)
		return
	}
	foreign := c.stored.foreign.has(rawColumn())
	c.add(`(`)
	if foreign || c.stored.forms.has(keptForm) {
		c.within(p, func() { c.add(c.signlessOf(signless(`"raw"`))) })
		c.add(` OR `)
	}
	c.add(`"form" > 0 AND `)
	if foreign {
		c.add(`NOT has("folded_names", ` + lineName + `) AND `)
	}
	c.inColumns(word)
	c.add(`)`)
}

// possible adds a condition without which no line has the keyword, and which costs
// less to look at than lines: that a value has a word of it.
func (c *compiler) possible(k search.Keyword) {
	before, _ := k.BeforeSignature()
	word, _ := inValues(before)
	if word == "" {
		c.add(`1`)
		return
	}
	c.add(`(`)
	if c.stored.forms.has(keptForm) {
		c.add(`"form" = 0 OR `)
	}
	if c.stored.foreign.has(rawColumn()) {
		c.add(`has("folded_names", ` + lineName + `) OR `)
	}
	c.inColumns(word)
	c.add(`)`)
}

// within adds that the text, which is folded, has the pattern somewhere.
func (c *compiler) within(p search.Pattern, folded func()) {
	if len(p) == 1 {
		c.add(`position(`)
		folded()
		c.add(`, `)
		c.literal(search.Fold(p[0]))
		c.add(`) > 0`)
		return
	}
	c.add(`match(`)
	folded()
	c.add(`, `)
	c.pattern(`(?s)` + expression(p))
	c.add(`)`)
}

// delimiters stand around every value of a line, or are escaped within: a word
// without them that is in a line is in one of its values, or in one of wording.
const delimiters = " =|\"\\,:{}\n\r\t"

// wording is what lines have beside values, as words, in lower case.
var wording = [...]string{
	"konghq.com", "cef", "0", "konginc", "1.0", "cef_version", "event", "event_class_id", "event_product", "event_ts", "event_vendor",
	"event_version", "name", "severity", "rt", "src", "request", "success", "action", "granted", "act", "status", "org_id",
	"portal_id", "principal_id", "principal_name", "actor_id", "kong_initiated", "trace_id", "user_agent", "query", "sig",
	"true", "false",
}

// inValues returns the longest word of the pattern that can only be found in
// values, and whether it is the whole pattern; and nothing if there is none.
func inValues(p search.Pattern) (word string, whole bool) {
	for _, piece := range p {
		piece = search.Fold(piece)
		for w := range strings.FieldsFuncSeq(piece, func(r rune) bool { return strings.ContainsRune(delimiters, r) }) {
			if len(w) > len(word) && !isWording(w) {
				word, whole = w, len(p) == 1 && w == piece
			}
		}
	}
	return word, whole
}

func isWording(word string) bool {
	for _, w := range wording {
		if strings.Contains(w, word) {
			return true
		}
	}
	return false
}

// inColumns adds that a value of a line that is not kept, and is ASCII, has the
// word.
func (c *compiler) inColumns(word string) {
	c.add(`(`)
	for i := range valueColumns {
		column := &valueColumns[i]
		switch {
		case column.of != nil || column.kind == boolean || column.name == "kind" || column.name == "vendor":
		case column.kind != text && strings.Trim(word, "0123456789") != "":
		case column.kind == text && !c.stored.wide.has(i) && !narrow(word):
		default:
			c.has(`ifNull(`+column.sql()+`, '')`, c.stored.upper.has(i), word)
			c.add(` OR `)
		}
	}
	if strings.Trim(word, "0123456789-tz") == "" {
		c.has(stamp, true, word)
		c.add(` OR `)
	}
	c.add(`0)`)
}

func (c *compiler) has(value string, fold bool, word string) {
	if fold {
		value = `lower(` + value + `)`
	}
	c.add(`position(` + value + `, `)
	c.literal(word)
	c.add(`) > 0`)
}
