package search

import (
	"strconv"
	"strings"
)

// Expression is what a stage computes with: one of [Column], [Constant],
// [Arithmetic], [Negative], [Comparison], [Member], [Wildcard], [RegexpMatch],
// [Logic], [Negation] and [Call].
//
// Conditions are expressions too: they give the text "true" or "false", never
// null, and an expression holds as a condition if it gives the text "true".
type Expression interface {
	Kind() Kind // what it gives, apart from null
	String() string
	expression()
}

// Column is a field of messages or a column of a table. A field that a record
// lacks is null, and so is metadata that is empty.
type Column struct {
	Name string
	kind Kind
}

// Constant is a value as the query has it.
type Constant struct{ Value Value }

// Arithmetic computes with two numbers: + - * / and %, the remainder with the
// sign of the left. It gives null where a side is no number (see [Value.Number])
// and where the outcome is not finite, as with a division by 0.
type Arithmetic struct {
	Sign        string
	Left, Right Expression
}

// Negative is the number with the other sign.
type Negative struct{ Term Expression }

// Comparison compares two values: as numbers if both are one or look like one,
// else as texts, by their bytes; what is a number is less than what is not.
// With a null, != holds and nothing else does.
type Comparison struct {
	Sign        Sign
	Left, Right Expression
}

// Member holds if the term is equal to one of the values, as [Comparison] has it.
type Member struct {
	Term   Expression
	Values []Value
}

// Wildcard holds if all of the text fits the pattern, letters compared as they
// are. It does not hold for null.
type Wildcard struct {
	Term    Expression
	Pattern Pattern
}

// RegexpMatch holds if the expression matches somewhere in the text. It does not
// hold for null.
type RegexpMatch struct {
	Term   Expression
	Regexp Regexp
}

// Logic holds if all of its terms hold, or with Any if one of them does. It has
// two terms or more.
type Logic struct {
	Any   bool
	Terms []Expression
}

// Negation holds if its term does not.
type Negation struct{ Term Expression }

// Call is a function of the language: [Reference] says what each gives.
type Call struct {
	Function string
	Args     []Expression
	kind     Kind
}

func (Column) expression()      {}
func (Constant) expression()    {}
func (Arithmetic) expression()  {}
func (Negative) expression()    {}
func (Comparison) expression()  {}
func (Member) expression()      {}
func (Wildcard) expression()    {}
func (RegexpMatch) expression() {}
func (Logic) expression()       {}
func (Negation) expression()    {}
func (Call) expression()        {}

func (e Column) Kind() Kind    { return e.kind }
func (e Constant) Kind() Kind  { return e.Value.Kind() }
func (Arithmetic) Kind() Kind  { return KindNumber }
func (Negative) Kind() Kind    { return KindNumber }
func (Comparison) Kind() Kind  { return KindText }
func (Member) Kind() Kind      { return KindText }
func (Wildcard) Kind() Kind    { return KindText }
func (RegexpMatch) Kind() Kind { return KindText }
func (Logic) Kind() Kind       { return KindText }
func (Negation) Kind() Kind    { return KindText }
func (e Call) Kind() Kind      { return e.kind }

func (e Column) String() string   { return stageName(e.Name) }
func (e Constant) String() string { return constant(e.Value) }
func (e Negative) String() string { return "-" + operand(e.Term) }
func (e Negation) String() string { return "!" + operand(e.Term) }

func (e Arithmetic) String() string {
	return operand(e.Left) + " " + e.Sign + " " + operand(e.Right)
}

func (e Comparison) String() string {
	return operand(e.Left) + " " + string(e.Sign) + " " + operand(e.Right)
}

func (e Member) String() string {
	values := make([]string, len(e.Values))
	for i, v := range e.Values {
		values[i] = constant(v)
	}
	return operand(e.Term) + " in (" + strings.Join(values, ", ") + ")"
}

func (e Wildcard) String() string {
	return operand(e.Term) + " matches " + quote(strings.Join(e.Pattern, "*"))
}

func (e RegexpMatch) String() string {
	return operand(e.Term) + " matches /" + slashed(e.Regexp.String()) + "/"
}

func (e Logic) String() string {
	operator := " and "
	if e.Any {
		operator = " or "
	}
	terms := make([]string, len(e.Terms))
	for i, t := range e.Terms {
		terms[i] = operand(t)
	}
	return strings.Join(terms, operator)
}

func (e Call) String() string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.String()
	}
	return e.Function + "(" + strings.Join(args, ", ") + ")"
}

// operand writes an expression within another, in parentheses unless it is one
// piece.
func operand(e Expression) string {
	switch e.(type) {
	case Column, Constant, Call:
		return e.String()
	}
	return "(" + e.String() + ")"
}

func constant(v Value) string {
	switch v.kind {
	case KindNull:
		return "null"
	case KindNumber:
		return strconv.FormatFloat(v.number, 'f', -1, 64)
	}
	return quote(v.text)
}

// slashed writes a regular expression between slashes: a backslash keeps what it
// stands before, and a slash without one gets one.
func slashed(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			b.WriteByte(pattern[i])
			i++
		case pattern[i] == '/':
			b.WriteByte('\\')
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// stageName writes a name as it stands in a stage.
func stageName(name string) string {
	if nameLength(name) == len(name) && !reserved(name) {
		return name
	}
	return "%" + quote(name)
}
