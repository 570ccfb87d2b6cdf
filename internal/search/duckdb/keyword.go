package duckdb

import (
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// keyword adds that the line, mostly without its signature, has the pattern somewhere. To
// write a line costs much more than to look into its columns: so a part of the
// keyword that can only be in a value is looked for there first. Nothing is said
// of forms that no line was ever stored in, as the engine takes its time to read it.
//
// All text is compared as lower makes it, which is [search.Fold] (a test holds
// the two together).
func (c *compiler) keyword(k search.Keyword) {
	p := k.Pattern
	switch {
	case len(p) == 0:
		c.add(`FALSE`)
		return
	case p.Any():
		c.add(`TRUE`)
		return
	}
	kept, plain, controlled := c.stored.forms.has(keptForm), c.stored.forms.below(formControlled), c.stored.forms.from(formControlled)
	keptLine, signature := signlessLine, noSignature
	before, named := k.BeforeSignature()
	if named {
		keptLine, signature = `coalesce("raw", '')`, signatureText
	}
	word, whole := inValues(before)
	whole = whole && !named
	if kept {
		c.add(`"form" IS NULL AND `)
		c.within(p, func() { c.add(keptLine) })
		c.add(` OR `)
	}
	if plain && whole {
		c.add(`"form" < 20 AND `)
		c.inColumns(word)
		c.add(` OR `)
	}
	if controlled || plain && !whole {
		c.add(`"form" IS NOT NULL AND `)
		switch {
		case plain && whole:
			c.add(`"form" >= 20 AND `)
		case controlled && word != "":
			c.add(`("form" >= 20 OR `)
			c.inColumns(word)
			c.add(`) AND `)
		case word != "":
			c.inColumns(word)
			c.add(` AND `)
		}
		c.within(p, func() { c.line(keptLine, signature) })
		c.add(` OR `)
	}
	c.add(`FALSE`)
}

// signlessLine is a line that the table has, which has NULL for an empty one, without
// the characters of its signature.
const signlessLine = `CASE WHEN "signature_bytes" IS NULL THEN coalesce("raw", '')
	WHEN NOT starts_with("raw", '{') THEN left("raw", -86)
	WHEN starts_with("raw", '{"event":') AND ends_with("raw", '"}}') THEN left("raw", -89) || '"}}'
	ELSE left("raw", -88) || '"}' END`

// noSignature stands for a signature of which only its place counts.
const noSignature = `CASE WHEN "signature_bytes" IS NOT NULL THEN '' END`

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
	number := strings.Trim(word, "0123456789") == ""
	for i := range valueColumns {
		column := &valueColumns[i]
		switch {
		case column.of != nil || column.kind == boolean || column.name == "kind" || column.name == "vendor":
		case column.kind != text && !number:
		case column.kind == text && !c.stored.wide.has(i) && !narrow(word):
		default:
			c.has(column.sql(), c.stored.upper.has(i), word)
			c.add(` OR `)
		}
	}
	if inStamp(word) {
		c.has(stamp, true, word)
		c.add(` OR `)
	}
	c.add(`FALSE)`)
}

// inStamp says whether a word can be in the time at the head of a line.
func inStamp(word string) bool {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return 'd'
		}
		return r
	}, word)
	return strings.Contains("dddd-dd-ddtdd dd ddz", digits) && !strings.Contains(word, "d")
}

func (c *compiler) has(value string, fold bool, word string) {
	if fold {
		value = `lower(` + value + `)`
	}
	c.add(`contains(`+value+`, CAST(? AS VARCHAR))`, word)
}
