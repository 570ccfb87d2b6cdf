package duckdb

import (
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// keyword adds that the line has the pattern somewhere. Few lines are kept, and
// to write the others costs much more than to look into their columns: so a
// part of the keyword that can only be in a value is looked for there first.
//
// All text is compared as lower makes it, which is [search.Fold] (a test holds
// the two together).
func (c *compiler) keyword(p search.Pattern) {
	switch {
	case len(p) == 0:
		c.add(`FALSE`)
		return
	case p.Any():
		c.add(`TRUE`)
		return
	}
	word, whole := inValues(p)
	c.add(`CASE WHEN "form" IS NULL THEN `)
	c.within(p, func() { c.add(keptLine) })
	switch {
	case whole:
		c.add(` WHEN "form" < 20 THEN `)
		c.inColumns(word)
	case word != "":
		c.add(` WHEN "form" < 20 AND NOT `)
		c.inColumns(word)
		c.add(` THEN FALSE`)
	}
	c.add(` ELSE `)
	c.within(p, func() { c.line(keptLine) })
	c.add(` END`)
}

// keptLine is a line that the table has, which has NULL for an empty one.
const keptLine = `coalesce("raw", '')`

// within adds that the text has the pattern somewhere.
func (c *compiler) within(p search.Pattern, text func()) {
	if len(p) == 1 {
		c.add(`contains(lower(`)
		text()
		c.add(`), CAST(? AS VARCHAR))`, search.Fold(p[0]))
		return
	}
	c.add(`regexp_matches(lower(`)
	text()
	c.add(`), CAST(? AS VARCHAR))`, expression(p))
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

// inColumns adds that a value of a line that is not kept has the word.
func (c *compiler) inColumns(word string) {
	c.add(`(`)
	for i, column := range valueColumns {
		switch {
		case column.of != nil || column.kind == boolean || column.name == "kind" || column.name == "vendor":
		case column.kind != text && strings.Trim(word, "0123456789") != "":
		default:
			c.has(valueColumns[i].sql(), word)
			c.add(` OR `)
		}
	}
	if strings.Trim(word, "0123456789-tz") == "" {
		c.has(stamp, word)
		c.add(` OR `)
	}
	if inBase64 := strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" && len(word) <= 86; inBase64 {
		c.has(`left(to_base64("signature_bytes"), 86)`, strings.NewReplacer("-", "+", "_", "/").Replace(word))
		c.add(` OR `)
	}
	c.add(`FALSE)`)
}

func (c *compiler) has(value, word string) {
	c.add(`coalesce(contains(lower(`+value+`), CAST(? AS VARCHAR)), FALSE)`, word)
}
