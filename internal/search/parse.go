package search

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxQuery     = 16 << 10 // bytes of a query
	maxNesting   = 100      // parentheses, functions and NOTs within one another
	maxWildcards = 16       // in one word: the engines' regular expressions slow down with each
	maxStages    = 50       // after the filter
	maxSigns     = 200      // arithmetic signs in one stage: each is a level of the tree
)

// SyntaxError says what is wrong with a query and where.
type SyntaxError struct {
	Offset       int // in bytes, from 0
	Line, Column int // from 1; the column in characters
	Message      string

	// Found and Expected are what the message is made of where it says that
	// something else was expected; else they are empty.
	Found, Expected string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

func syntaxError(query string, offset int, format string, args ...any) *SyntaxError {
	before := query[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Offset:  offset,
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[line:]) + 1,
		Message: fmt.Sprintf(format, args...),
	}
}

// Parse reads a filter: a query without stages, for who can do nothing with
// them. Its limits and errors are those of [ParseQuery].
func Parse(query string) (Expr, error) {
	p, err := newParser(query)
	if err != nil {
		return nil, err
	}
	p.plain = true
	return p.filter()
}

// ParseQuery reads a query of at most 16 KiB, with at most 50 stages, 100
// parentheses, functions and NOTs within one another, 16 wildcards in a word,
// and regular expressions of at most 1,000 bytes; which keeps what a query costs
// in proportion to what is searched. Its error is a *[SyntaxError].
func ParseQuery(query string) (Query, error) {
	p, err := newParser(query)
	if err != nil {
		return Query{}, err
	}
	filter, err := p.filter()
	if err != nil {
		return Query{}, err
	}
	stages, err := p.stages()
	if err != nil {
		return Query{}, err
	}
	return Query{Filter: filter, Stages: stages}, nil
}

// parser descends through the filter and then the stages, always looking at one
// token.
type parser struct {
	scanner
	token    token
	plain    bool // a filter without stages
	inStages bool
	nesting  int
	signs    int // of arithmetic in this stage
	scope    scope
}

func newParser(query string) (*parser, error) {
	if len(query) > maxQuery {
		return nil, syntaxError(query, 0, "a query of %d bytes: the limit is %d", len(query), maxQuery)
	}
	p := &parser{scanner: scanner{query: query}}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	if p.inStages {
		p.token, err = p.nextInStage()
	} else {
		p.token, err = p.next()
	}
	return err
}

// take advances past the sign if it is there.
func (p *parser) take(sign string) (bool, error) {
	if !p.token.is(sign) {
		return false, nil
	}
	return true, p.advance()
}

// expect advances past the sign, which must be there.
func (p *parser) expect(sign, what string) error {
	if !p.token.is(sign) {
		return p.expected(what)
	}
	return p.advance()
}

func (p *parser) expected(what string) error {
	found := "the end of the query"
	if p.token.kind != endToken {
		found = p.token.source
		if runes := []rune(found); len(runes) > 40 {
			found = string(runes[:40]) + "…"
		}
	}
	err := syntaxError(p.query, p.token.offset, "expected %s, found %s", what, found)
	err.Found, err.Expected = found, what
	return err
}

// deeper runs parse one level deeper.
func (p *parser) deeper(parse func() error) error {
	if p.nesting++; p.nesting > maxNesting {
		return syntaxError(p.query, p.token.offset, "more than %d parentheses and NOTs within one another", maxNesting)
	}
	defer func() { p.nesting-- }()
	return parse()
}
