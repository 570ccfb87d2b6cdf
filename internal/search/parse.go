package search

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxQuery     = 16 << 10 // bytes of a query
	maxNesting   = 100      // parentheses and NOTs within one another
	maxWildcards = 16       // in one word: the engines' regular expressions slow down with each
)

// SyntaxError says what is wrong with a query and where.
type SyntaxError struct {
	Line, Column int // from 1; the column in characters
	Message      string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

func syntaxError(query string, offset int, format string, args ...any) *SyntaxError {
	before := query[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[line:]) + 1,
		Message: fmt.Sprintf(format, args...),
	}
}

// Parse reads a query of at most 16 KiB, with at most 100 parentheses and NOTs
// within one another and at most 16 wildcards in a word, which keeps what a
// query costs in proportion to what is searched. Its error is a *SyntaxError.
func Parse(query string) (Expr, error) {
	if len(query) > maxQuery {
		return nil, syntaxError(query, 0, "a query of %d bytes: the limit is %d", len(query), maxQuery)
	}
	p := &parser{scanner: scanner{query: query}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == end {
		return All{}, nil
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token.kind != end {
		return nil, p.expected("the end of the query")
	}
	return e, nil
}

// parser descends through or, and, unary and term, always looking at one token.
type parser struct {
	scanner
	token   token
	nesting int
}

func (p *parser) advance() (err error) {
	p.token, err = p.next()
	return err
}

func (p *parser) expected(what string) error {
	found := "the end of the query"
	if p.token.kind != end {
		found = p.token.source
		if runes := []rune(found); len(runes) > 40 {
			found = string(runes[:40]) + "…"
		}
	}
	return syntaxError(p.query, p.token.offset, "expected %s, found %s", what, found)
}

func (p *parser) or() (Expr, error) {
	first, err := p.and()
	if err != nil || p.token.operator() != "OR" {
		return first, err
	}
	terms := []Expr{first}
	for p.token.operator() == "OR" {
		if err := p.advance(); err != nil {
			return nil, err
		}
		t, err := p.and()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return Or{Terms: terms}, nil
}

func (p *parser) and() (Expr, error) {
	first, err := p.unary()
	if err != nil || !p.andFollows() {
		return first, err
	}
	terms := []Expr{first}
	for p.andFollows() {
		if p.token.operator() == "AND" {
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		t, err := p.unary()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return And{Terms: terms}, nil
}

// andFollows says whether another term comes, with an AND before it or without.
func (p *parser) andFollows() bool {
	return p.token.kind == open || p.token.kind == word && p.token.operator() != "OR"
}

// unary reads a NOT, a group in parentheses, or a term.
func (p *parser) unary() (Expr, error) {
	not := p.token.operator() == "NOT"
	if !not && p.token.kind != open {
		return p.term()
	}
	if p.nesting++; p.nesting > maxNesting {
		return nil, syntaxError(p.query, p.token.offset, "more than %d parentheses and NOTs within one another", maxNesting)
	}
	defer func() { p.nesting-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	if not {
		e, err := p.unary()
		return Not{Term: e}, err
	}
	return p.group()
}

// group reads what follows an opening parenthesis, the closing one included.
func (p *parser) group() (Expr, error) {
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token.kind != shut {
		return nil, p.expected("a closing parenthesis")
	}
	return e, p.advance()
}

// term reads a keyword or a comparison.
func (p *parser) term() (Expr, error) {
	if p.token.kind != word || p.token.operator() != "" {
		return nil, p.expected("a keyword or a field")
	}
	first := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch p.token.kind {
	case equal, notEqual:
		return p.comparison(first)
	}
	switch {
	case first.pattern.Any():
		return All{}, nil
	case len(first.pattern) == 1 && first.pattern[0] == "":
		return nil, syntaxError(p.query, first.offset, "an empty phrase (a * by itself matches everything)")
	}
	return Keyword{Pattern: first.pattern}, nil
}

// comparison reads the sign and the value that follow a field's name.
func (p *parser) comparison(field token) (Expr, error) {
	if len(field.pattern) != 1 || !field.quoted && !plainName(field.pattern[0]) {
		return nil, syntaxError(p.query, field.offset,
			"%s is no name of a field: a name is letters, digits, _ . and -, or stands in quotes (comparisons are = and !=)", field.source)
	}
	sign := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind != word {
		return nil, p.expected("a value after " + sign.source + " (quote one that has special characters)")
	}
	var e Expr = Compare{Field: field.pattern[0], Value: p.token.pattern}
	if sign.kind == notEqual {
		e = Not{Term: e}
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == equal || p.token.kind == notEqual {
		return nil, p.expected("a space, AND, OR or the end of the query after a value (quote a value that has a = in it)")
	}
	return e, nil
}
