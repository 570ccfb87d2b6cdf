package search

import (
	"fmt"
	"strings"
	"time"
)

// Reference returns the reference of the language in Markdown, made from the
// tables that the parser and the evaluator work with.
func Reference() string {
	var b strings.Builder
	b.WriteString(introduction)
	b.WriteString("## The records of the examples\n\nEvery example is run by a test over these six records, of 1 March 2026, UTC. The source of the last is `App`, of the others `Konnect`.\n\n")
	block(&b, exampleLines()...)
	b.WriteString("An answer of messages is shown as their `id`, and fields where they matter; of a table, its first line has the names of the columns.\n\n## The filter\n\n")
	known := examples()
	for _, f := range filterForms() {
		entry(&b, f.syntax, f.meaning, known[f.syntax])
	}
	b.WriteString("## Stages\n\n")
	for _, w := range stageWords() {
		meaning := w.meaning
		if w.also != "" {
			meaning += " Also called `" + w.also + "`."
		}
		entry(&b, w.syntax, meaning, known[w.name])
	}
	entry(&b, "EXPRESSION as NAME", "Sets a field of each message, or a column of a table, to what the expression gives.", known["as"])
	b.WriteString("## Aggregates\n\n")
	entry(&b, "AGGREGATE [as NAME], … [by FIELD, …]", aggregateMeaning, known["aggregate"])
	for _, w := range aggregates() {
		entry(&b, w.syntax, w.meaning, known[w.name])
	}
	b.WriteString("## Expressions\n\n")
	for _, f := range expressionForms() {
		entry(&b, f.syntax, f.meaning, known[f.syntax])
	}
	b.WriteString("## Functions\n\nNames of functions are read in any case of letters. A text function takes a number as its text.\n\n")
	for _, w := range functions(time.Time{}) {
		entry(&b, w.syntax, w.meaning, known[w.name])
	}
	fmt.Fprintf(&b, limits, maxQuery>>10, maxStages, maxNesting, maxSigns, maxWildcards, maxRegexp)
	return b.String()
}

func entry(b *strings.Builder, syntax, meaning string, shown []example) {
	fmt.Fprintf(b, "### `%s`\n\n%s\n\n", syntax, meaning)
	for _, e := range shown {
		block(b, append([]string{e.query, ""}, e.answer...)...)
	}
}

func block(b *strings.Builder, lines ...string) {
	b.WriteString("```\n")
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	b.WriteString("```\n\n")
}

// example is a query over the example records, and its answer: a line a row. Of
// messages a line has the fields that it shows, the id if none is named.
type example struct {
	query  string
	shows  string
	answer []string
}

// form is a way to write something that no word of the language names.
type form struct{ syntax, meaning string }

const introduction = `# The search language

The language is the core of Sumo Logic's: a filter, and stages after it, each behind a pipe. Words of the language are read
in any case of letters. This page is made from the program's own tables (` + "`go test ./internal/search -update`" + `).

    _source=Konnect status>=400 | count by principal | sort by _count | limit 10

A query begins with messages, the newest first, and goes on with them until a stage aggregates; from there on it has the rows of a table.

## Values

- A value is a text, a number or null. Fields of records are texts; a field that a record lacks is null. Numbers are what a
  query computes.
- A text looks like a number if it is a ` + "`-`" + ` or none, digits, and perhaps a point and digits, with 15 digits at most: so many
  can be told apart without loss, and longer identifiers stay texts.
- Two values that are or look like numbers are compared by number; any others by their texts, byte by byte, with letters as
  they are. What is or looks like a number comes before any other text, and null before everything.
- Nothing is equal to null, or less or greater than it, null included; ` + "`!=`" + ` is the opposite of ` + "`=`" + `, and so holds.
- A condition gives the text ` + "`true` or `false`" + `, and a value holds as a condition if it is the text ` + "`true`" + `.
- Arithmetic with what is no number gives null, as does a division by 0. Aggregates leave out what is no number.
- A number is written as a whole number up to 2^53 in full, and any other with 12 significant digits.
- A name is letters, digits, ` + "`_` and `.`" + `, a letter or ` + "`_`" + ` first; any other stands in ` + "`%\"…\"`" + `, as does one that is a word of the language.
  In the filter names and values with odd characters stand in quotes.
- In quotes, ` + "`\\\"`" + ` is a quote and ` + "`\\\\`" + ` a backslash; a backslash before anything else is itself.
- ` + "`_source`, `_collector`, `_sourceCategory`, `_sourceHost`, `_sourceName`, `_signature`, `_keyid`, `_raw` (the line) and `_parse_error`" + ` are what the collector
  knows of a message, in any case of letters; in stages there are ` + "`_messageTime` and `_receiptTime`" + ` too, in milliseconds since 1970.

`

const aggregateMeaning = "Makes a table: a row for each combination of values of the fields, ordered by these, or one row without `by`. " +
	"A column is called `_count`, `_sum`, `_FIELD_pct_95` and so on, if no name is given. Null is a value to group by like any other. `group by` is understood, and after a lone `count` the `by` may be left out."

const limits = `## Limits

A query has at most %d KiB, %d stages, %d parentheses, functions and NOTs within one another, %d signs of arithmetic in a stage,
%d wildcards in a word, and %d bytes in a regular expression. What a search may hold in memory is bounded; one that would hold
more fails and says so.
`

func filterForms() []form {
	return []form{
		{`WORD or "PHRASE"`, "Lines that have it somewhere, letters in any case. A `*` in a word, outside quotes, stands for any run of characters. " +
			"The 86 characters of a line's signature, where it has one in its place, are as good as random, and are not looked into: ask for it by name, `sig=VALUE`, which may have wildcards. Only a word or phrase that has `sig=` or `\"sig\":\"` in it, such as a whole line, is looked for there too."},
		{"A B, A AND B, A OR B, NOT A, (A)", "NOT binds tighter than AND, and AND, which may be left out, tighter than OR. A `*` by itself matches everything."},
		{"FIELD=VALUE", "Records that have the field with this value, letters in any case. `FIELD=*` matches any value. `sig` is the line's signature, in the filter alone, unless the record has a field of that name."},
		{"FIELD!=VALUE", "The same as NOT FIELD=VALUE: records without the field match."},
		{"FIELD<VALUE, <=, >, >=", "Records that have the field with a value that is less, or greater: by number if both look like one, else by text, letters in any case."},
		{"FIELD in (VALUE, …)", "The same as FIELD=VALUE OR …; `not in` is its opposite."},
	}
}

func expressionForms() []form {
	return []form{
		{"X = Y, !=, <, <=, >, >=", "Compares two values; `==` and `<>` are understood."},
		{"A and B, A or B, not A, !A", "Joins conditions; `not` binds tighter than `and`, and `and` tighter than `or`."},
		{"X + Y, X - Y, X * Y, X / Y, X % Y, -X", "Arithmetic; `%` is the remainder, with the sign of X."},
		{`X matches "TEXT*"`, "Whether all of the text fits, letters as they are. `not matches` is its opposite."},
		{"X matches /REGEXP/", "Whether the regular expression, as RE2 has them, matches somewhere in the text."},
		{"X in (VALUE, …)", "Whether it is equal to one of the numbers or texts; `not in` is its opposite."},
	}
}
