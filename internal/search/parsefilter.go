package search

import (
	"strings"
	"unicode"
)

// filter reads what stands before the first pipe.
func (p *parser) filter() (e Expr, err error) {
	e = All{}
	if p.token.kind != endToken && !p.token.is("|") {
		if e, err = p.or(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.plain && p.token.is("|"):
		return nil, syntaxError(p.query, p.token.offset, "pipes are not understood here (quote the | to search for it)")
	case p.token.kind != endToken && !p.token.is("|"):
		return nil, p.expected("the end of the query")
	}
	return e, nil
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
	return p.token.is("(") || p.token.kind == wordToken && p.token.operator() != "OR"
}

// unary reads a NOT, a group in parentheses, or a term.
func (p *parser) unary() (e Expr, err error) {
	not := p.token.operator() == "NOT"
	if !not && !p.token.is("(") {
		return p.term()
	}
	err = p.deeper(func() error {
		if err := p.advance(); err != nil {
			return err
		}
		if not {
			term, err := p.unary()
			e = Not{Term: term}
			return err
		}
		if e, err = p.or(); err != nil {
			return err
		}
		return p.expect(")", "a closing parenthesis")
	})
	return e, err
}

// term reads a keyword or a comparison.
func (p *parser) term() (Expr, error) {
	if p.token.kind != wordToken || p.token.operator() != "" {
		return nil, p.expected("a keyword or a field")
	}
	first := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == signToken && strings.ContainsAny(p.token.source, "=<>") {
		return p.comparison(first)
	}
	if e, ok, err := p.membership(first); ok || err != nil {
		return e, err
	}
	switch {
	case first.pattern.Any():
		return All{}, nil
	case len(first.pattern) == 1 && first.pattern[0] == "":
		return nil, syntaxError(p.query, first.offset, "an empty phrase (a * by itself matches everything)")
	}
	return Keyword{Pattern: first.pattern}, nil
}

func (p *parser) checkField(field token) error {
	if len(field.pattern) != 1 || !field.quoted && !plainName(field.pattern[0]) {
		return syntaxError(p.query, field.offset,
			"%s is no name of a field: a name is letters, digits, _ . and -, or stands in quotes", field.source)
	}
	return nil
}

// comparison reads the sign and the value that follow a field's name.
func (p *parser) comparison(field token) (Expr, error) {
	if err := p.checkField(field); err != nil {
		return nil, err
	}
	by := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	value := p.token
	if value.kind != wordToken {
		return nil, p.expected("a value after " + by.source + " (quote one that has special characters)")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == signToken && strings.ContainsAny(p.token.source, "=<>") {
		return nil, p.expected("a space, AND, OR or the end of the query after a value (quote a value that has a " + p.token.source + " in it)")
	}
	equals := Compare{Field: field.pattern[0], Value: value.pattern}
	switch {
	case by.source == "=":
		return equals, nil
	case by.source == "!=":
		return Not{Term: equals}, nil
	case len(value.pattern) != 1:
		return nil, syntaxError(p.query, value.offset, "a * in a value after %s: wildcards go with = and !=", by.source)
	}
	return Order{Field: field.pattern[0], Sign: Sign(by.source), Value: value.pattern[0]}, nil
}

// membership reads what follows a field's name if that is a list of values:
// in (a, b), or not in (a, b). It is understood as field=a OR field=b.
func (p *parser) membership(field token) (e Expr, ok bool, err error) {
	ahead, not := p.query[p.token.offset:], p.token.operator() == "NOT"
	if not {
		ahead = strings.TrimLeftFunc(p.rest(), unicode.IsSpace)
	}
	if !listFollows(ahead) {
		return nil, false, nil
	}
	for !p.token.is("(") {
		p.list = true
		if err := p.advance(); err != nil {
			return nil, true, err
		}
	}
	if err := p.checkField(field); err != nil {
		return nil, true, err
	}
	if e, err = p.values(field.pattern[0]); not {
		e = Not{Term: e}
	}
	return e, true, err
}

// listFollows says whether s begins with the word in and a parenthesis.
func listFollows(s string) bool {
	return len(s) > 2 && strings.EqualFold(s[:2], "in") && strings.HasPrefix(strings.TrimLeftFunc(s[2:], unicode.IsSpace), "(")
}

// values reads a list of values, parentheses included.
func (p *parser) values(field string) (Expr, error) {
	var terms []Expr
	for !p.token.is(")") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.token.kind != wordToken {
			return nil, p.expected("a value")
		}
		terms = append(terms, Compare{Field: field, Value: p.token.pattern})
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.token.is(",") && !p.token.is(")") {
			return nil, p.expected("a comma or a closing parenthesis")
		}
	}
	p.list = false
	if err := p.advance(); err != nil {
		return nil, err
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return Or{Terms: terms}, nil
}
