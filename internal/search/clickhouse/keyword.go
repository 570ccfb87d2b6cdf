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
	word, whole := onlyInValues(p)
	if !whole {
		c.within(p, c.foldedSignless)
		return
	}
	c.add(`(`)
	c.within(p, func() { c.add(foldedSignless(signless(`"raw"`))) })
	c.add(` OR ("form" > 0 AND NOT has("folded_names", ` + lineName + `) AND `)
	c.inColumns(word)
	c.add(`))`)
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

// onlyInValues says whether the whole pattern is a word that can only be found in
// values, and which.
func onlyInValues(p search.Pattern) (word string, whole bool) {
	word = search.Fold(p[0])
	whole = len(p) == 1 && word != "" && !strings.ContainsAny(word, delimiters) && !isWording(word)
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
		default:
			c.has(`ifNull(`+column.sql()+`, '')`, word)
			c.add(` OR `)
		}
	}
	if strings.Trim(word, "0123456789-tz") == "" {
		c.has(stamp, word)
		c.add(` OR `)
	}
	c.add(`0)`)
}

func (c *compiler) has(value, word string) {
	c.add(`position(lower(` + value + `), `)
	c.literal(word)
	c.add(`) > 0`)
}
