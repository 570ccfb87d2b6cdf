package search

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// stageWord is a stage in the language's own table: what the parser dispatches
// by, and what the reference is made from.
type stageWord struct {
	name, syntax, meaning string
	also                  string // another name of it
	parse                 func(*stages) error
}

func stageWords() []stageWord {
	return []stageWord{
		{"where", "where CONDITION", "Keeps the rows for which the condition holds.", "", (*stages).where},
		{"parse", `parse [field=FIELD] "TEXT*TEXT…" as NAME, … [nodrop]`,
			"Sets a field for each `*`, from the line or a field that has the texts between them one after the other. " +
				"Each `*` stands for as little as the rest allows, the last one, if nothing follows it, for all that is left; letters count as they are. " +
				"What it does not fit is dropped, unless there is a `nodrop`, or one of the stages with `nodrop` directly before has fitted.", "", (*stages).parseText},
		{"parse regex", `parse regex [field=FIELD] "…(?<NAME>…)…" [nodrop]`,
			"Sets a field for each named group of a regular expression, as RE2 has them, from its first match; a group that took no part is the empty text. Drops as `parse` does.",
			"extract", (*stages).parseRegexp},
		{"json", `json [field=FIELD] "PATH", … [as NAME, …] [nodrop]`,
			"Sets a field for each path, such as `user.roles[0]` or `['odd key']`, from a line or a field that is JSON as a whole. " +
				"Texts come without their quotes, everything else as it is written; null counts as missing. Drops as `parse` does.", "", (*stages).json},
		{"timeslice", "timeslice WIDTH [as NAME]",
			"Sets `_timeslice`, or the name, to the start of the slice of time that the message is in, in milliseconds since 1970. The width is a number with s, m, h, d or w; " +
				"`timeslice 60 buckets` takes a round width that divides the search's range into no more than so many. Days begin at midnight of the search's time zone, weeks on Monday.", "", (*stages).timeslice},
		{"sort", "sort by FIELD [asc|desc], …",
			"Orders rows, from the greatest value down or ascending: null, then numbers and what looks like one, then other texts. Rows that are alike stay in their order.", "order", (*stages).sort},
		{"top", "top N FIELD, … [by AGGREGATE]",
			"Counts messages by the fields, or aggregates them as it says, and keeps the N rows that have most. Of a table, `top N FIELD by COLUMN` keeps the rows with the greatest values.", "", (*stages).top},
		{"limit", "limit N", "Keeps the first N rows.", "", (*stages).limit},
		{"fields", "fields [-] FIELD, …",
			"Keeps only these fields of messages, or these columns of a table in this order; with a `-`, all but these. Metadata stays on messages.", "", (*stages).fields},
		{"dedup", "dedup [N] [by FIELD, …]", "Keeps of the rows that have the same values of the fields only the first, or the first N. Of messages, the line decides if no field does.", "", (*stages).dedup},
	}
}

const anyStage = "a stage (where, parse, json, count, sum, timeslice, sort, top, limit, fields, dedup …)"

// stages is the parser after the first pipe.
type stages struct {
	*parser
	made []Stage
}

func (p *parser) stages() ([]Stage, error) {
	s := &stages{parser: p}
	p.inStages = true
	for p.token.kind != endToken {
		if !p.token.is("|") {
			return nil, p.expected("a | or the end of the query")
		}
		if len(s.made) == maxStages {
			return nil, syntaxError(p.query, p.token.offset, "more than %d stages", maxStages)
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		p.signs = 0
		if err := s.stage(); err != nil {
			return nil, err
		}
	}
	return s.made, nil
}

// add adds a stage, and lets the names after it mean what it makes of them.
func (s *stages) add(stage Stage) {
	s.made = append(s.made, stage)
	s.scope.apply(stage)
}

func (s *stages) stage() error {
	if s.token.kind == endToken || s.token.is("|") {
		return s.expected(anyStage)
	}
	if s.token.kind != nameToken || s.token.quoted {
		return s.assign()
	}
	for _, w := range stageWords() {
		if s.word(w.name) || w.also != "" && s.word(w.also) {
			if err := s.advance(); err != nil {
				return err
			}
			return w.parse(s)
		}
	}
	if _, ok := aggregateNamed(s.token.text); ok {
		return s.aggregate()
	}
	if _, ok := s.scope.resolve(s.token.text); !ok && !s.called() && !reserved(s.token.text) {
		return s.expected(anyStage + ", or a column of the table (" + columnList(s.scope.columns) + ")")
	}
	return s.assign()
}

// called says whether a parenthesis follows the token.
func (p *parser) called() bool {
	return strings.HasPrefix(strings.TrimLeftFunc(p.rest(), unicode.IsSpace), "(")
}

// word says whether the token is the word of the language.
func (p *parser) word(w string) bool {
	return p.token.kind == nameToken && !p.token.quoted && strings.EqualFold(p.token.text, w)
}

// takeWord advances past the word if it is there.
func (p *parser) takeWord(w string) (bool, error) {
	if !p.word(w) {
		return false, nil
	}
	return true, p.advance()
}

func reserved(name string) bool {
	if slices.ContainsFunc(stageWords(), func(w stageWord) bool { return strings.EqualFold(name, w.name) || strings.EqualFold(name, w.also) }) {
		return true
	}
	_, aggregate := aggregateNamed(name)
	return aggregate || slices.ContainsFunc([]string{
		"and", "or", "not", "in", "matches", "true", "false", "null", "as", "by", "group", "asc", "desc", "nodrop", "field", "regex", "buckets", "auto",
	}, func(w string) bool { return strings.EqualFold(name, w) })
}

func (s *stages) where() error {
	condition, err := s.expression()
	if err != nil {
		return err
	}
	s.add(Where{Condition: condition})
	return nil
}

func (s *stages) assign() error {
	first := s.token
	e, err := s.expression()
	if err != nil {
		return err
	}
	if !s.word("as") {
		if _, lone := e.(Column); lone { // more likely a stage's word with a slip than a field
			s.token = first
			return s.expected(anyStage + ", or a value with as and a name after it")
		}
		return s.expected("as and a name, or a stage's word before it all (where, parse, json, count, …)")
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return syntaxError(s.query, s.token.offset, "one name goes with one expression, and here are %d names before this", len(names))
	}
	s.add(Assign{Expression: e, Name: names[0]})
	return nil
}

// names reads as and a list of new names.
func (s *stages) names() ([]string, error) {
	var names []string
	for {
		if err := s.advance(); err != nil {
			return nil, err
		}
		n, err := s.newName()
		if err != nil {
			return nil, err
		}
		names = append(names, n)
		if !s.token.is(",") {
			return names, nil
		}
	}
}

// newName reads a name that is to be set.
func (s *stages) newName() (string, error) {
	if s.token.kind != nameToken || !s.token.quoted && reserved(s.token.text) && !s.newNameAnyway() {
		return "", s.expected(`a name (an odd one in %"…")`)
	}
	n := s.token
	if ofEveryMessage(canonicalName(n.text)) {
		return "", syntaxError(s.query, n.offset, "%s is what the collector knows of a message: choose another name", n.source)
	}
	return n.text, s.advance()
}

// newNameAnyway says whether a reserved word is one that people do name things
// by, and that cannot be mistaken after as: count as count.
func (s *stages) newNameAnyway() bool {
	_, ok := aggregateNamed(s.token.text)
	return ok
}

// column reads the name of a field or column that there is.
func (p *parser) column() (Column, error) {
	if p.token.kind != nameToken || !p.token.quoted && reserved(p.token.text) && !p.known(p.token.text) {
		return Column{}, p.expected(`the name of a field (an odd one in %"…")`)
	}
	c, ok := p.scope.resolve(p.token.text)
	if !ok {
		return Column{}, p.expected("a column of the table (" + columnList(p.scope.columns) + ")")
	}
	return c, p.advance()
}

// known says whether a name is a column of a table, whatever else it means.
func (p *parser) known(name string) bool {
	_, ok := p.scope.resolve(name)
	_, aggregate := aggregateNamed(name)
	return ok && aggregate && p.scope.columns != nil
}

// columns reads a list of different names.
func (p *parser) columns() ([]Column, error) {
	var columns []Column
	for {
		at := p.token
		c, err := p.column()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(columns, func(other Column) bool { return other.Name == c.Name }) {
			return nil, syntaxError(p.query, at.offset, "%s is named twice", at.source)
		}
		columns = append(columns, c)
		if comma, err := p.take(","); !comma || err != nil {
			return columns, err
		}
	}
}

// whole reads a whole number from 1 to most.
func (p *parser) whole(most int) (int, error) {
	x := p.token.number
	if p.token.kind != numberToken || x < 1 || x > float64(most) || x != math.Trunc(x) {
		return 0, p.expected(fmt.Sprintf("a whole number from 1 to %d", most))
	}
	return int(x), p.advance()
}
