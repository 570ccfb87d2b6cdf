package search

import (
	"strings"
	"time"
)

// expression reads a value or a condition.
func (p *parser) expression() (Expression, error) { return p.logic("or", "||", p.conjunction) }

func (p *parser) conjunction() (Expression, error) { return p.logic("and", "&&", p.negation) }

// logic reads terms with a word or a sign between any two.
func (p *parser) logic(word, sign string, term func() (Expression, error)) (Expression, error) {
	var terms []Expression
	for {
		t, err := term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
		if !p.word(word) && !p.token.is(sign) {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return Logic{Any: word == "or", Terms: terms}, nil
}

// negation reads a ! or not before a comparison, or the comparison alone.
func (p *parser) negation() (e Expression, err error) {
	if !p.word("not") && !p.token.is("!") {
		return p.relation()
	}
	err = p.deeper(func() error {
		if err := p.advance(); err != nil {
			return err
		}
		term, err := p.negation()
		e = Negation{Term: term}
		return err
	})
	return e, err
}

// relation reads a sum, and what it is compared with if it is.
func (p *parser) relation() (Expression, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.token.kind == signToken && strings.Contains(" = != < <= > >= ", " "+p.token.source+" ") {
		by := Sign(p.token.source)
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.sum()
		return Comparison{Sign: by, Left: left, Right: right}, err
	}
	switch {
	case p.word("matches"):
		return p.matches(left)
	case p.word("in"):
		return p.member(left)
	case p.word("not"):
		return p.notMember(left)
	}
	return left, nil
}

// notMember reads not in and a list, or not matches and a pattern.
func (p *parser) notMember(term Expression) (e Expression, err error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch {
	case p.word("in"):
		e, err = p.member(term)
	case p.word("matches"):
		e, err = p.matches(term)
	default:
		return nil, p.expected("in or matches after not")
	}
	return Negation{Term: e}, err
}

// matches reads a text with wildcards, or a regular expression between slashes.
func (p *parser) matches(term Expression) (Expression, error) {
	expression, ok, err := p.scanner.expression()
	if err != nil {
		return nil, err
	}
	if ok {
		if err := p.checkRegexp(expression); err != nil {
			return nil, err
		}
		return RegexpMatch{Term: term, Regexp: Regexp(expression.text)}, p.advance()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind != textToken {
		return nil, p.expected("a text with wildcards in quotes, or a regular expression between slashes")
	}
	pattern := Pattern(strings.Split(p.token.text, "*"))
	if len(pattern) > maxWildcards+1 {
		return nil, syntaxError(p.query, p.token.offset, "more than %d wildcards in a text", maxWildcards)
	}
	return Wildcard{Term: term, Pattern: pattern}, p.advance()
}

// member reads in and a list of constants.
func (p *parser) member(term Expression) (Expression, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e := Member{Term: term}
	if !p.token.is("(") {
		return nil, p.expected("( and a list of values")
	}
	for !p.token.is(")") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		v, err := p.listed()
		if err != nil {
			return nil, err
		}
		e.Values = append(e.Values, v)
		if !p.token.is(",") && !p.token.is(")") {
			return nil, p.expected("a comma or a closing parenthesis")
		}
	}
	return e, p.advance()
}

func (p *parser) listed() (Value, error) {
	negative, err := p.take("-")
	if err != nil {
		return Value{}, err
	}
	t := p.token
	switch {
	case t.kind == numberToken && negative:
		return NumberValue(-t.number), p.advance()
	case t.kind == numberToken:
		return NumberValue(t.number), p.advance()
	case t.kind == textToken && !negative:
		return TextValue(t.text), p.advance()
	}
	return Value{}, p.expected("a number, or a text in quotes")
}

func (p *parser) sum() (Expression, error) { return p.arithmetic("+-", p.product) }

func (p *parser) product() (Expression, error) { return p.arithmetic("*/%", p.factor) }

// arithmetic reads terms with one of the signs between any two, from left to right.
func (p *parser) arithmetic(signs string, term func() (Expression, error)) (Expression, error) {
	left, err := term()
	for err == nil && p.token.kind == signToken && len(p.token.source) == 1 && strings.Contains(signs, p.token.source) {
		if p.signs++; p.signs > maxSigns {
			return nil, syntaxError(p.query, p.token.offset, "more than %d signs of arithmetic in a stage", maxSigns)
		}
		e := Arithmetic{Sign: p.token.source, Left: left}
		if err := p.advance(); err != nil {
			return nil, err
		}
		e.Right, err = term()
		left = e
	}
	return left, err
}

// factor reads a - and a factor, a group in parentheses, or one piece.
func (p *parser) factor() (e Expression, err error) {
	minus := p.token.is("-")
	if !minus && !p.token.is("(") {
		return p.operand()
	}
	err = p.deeper(func() error {
		if err := p.advance(); err != nil {
			return err
		}
		if minus {
			term, err := p.factor()
			e = Negative{Term: term}
			return err
		}
		if e, err = p.expression(); err != nil {
			return err
		}
		return p.expect(")", "a closing parenthesis")
	})
	return e, err
}

// operand reads a constant, a field or a function.
func (p *parser) operand() (Expression, error) {
	t := p.token
	switch t.kind {
	case numberToken:
		return Constant{Value: NumberValue(t.number)}, p.advance()
	case textToken:
		return Constant{Value: TextValue(t.text)}, p.advance()
	case nameToken:
		if p.called() && !t.quoted && !reserved(t.text) {
			return p.call()
		}
	default:
		return nil, p.expected("a value: a field, a number, a text in quotes or a function")
	}
	switch {
	case p.word("null"):
		return Constant{}, p.advance()
	case p.word("true"), p.word("false"):
		return Constant{Value: TextValue(strings.ToLower(t.text))}, p.advance()
	}
	return p.column()
}

func (p *parser) call() (Expression, error) {
	at := p.token
	word, ok := functionNamed(at.text, time.Time{})
	if !ok {
		return nil, p.expected("the name of a function")
	}
	c := Call{Function: word.name}
	if err := p.advance(); err != nil {
		return nil, err
	}
	err := p.deeper(func() (err error) {
		if err := p.advance(); err != nil {
			return err
		}
		if !p.token.is(")") {
			c.Args, err = p.args()
		}
		if err != nil {
			return err
		}
		return p.expect(")", "a comma or a closing parenthesis")
	})
	if err != nil {
		return nil, err
	}
	if len(c.Args) < word.least || len(c.Args) > word.most {
		return nil, syntaxError(p.query, at.offset, "%d arguments of %s, which is used as %s", len(c.Args), word.name, word.syntax)
	}
	c.kind = word.kindOf(c.Args)
	return c, nil
}

func (p *parser) args() (args []Expression, err error) {
	for {
		a, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
		if comma, err := p.take(","); !comma || err != nil {
			return args, err
		}
	}
}
