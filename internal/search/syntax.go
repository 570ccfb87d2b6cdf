package search

import (
	"strings"
	"unicode"
)

// Expr is a filter, parsed: one of [All], [And], [Or], [Not], [Keyword],
// [Compare] and [Order]. A nil Expr is understood as All wherever one is taken.
type Expr interface {
	// String returns a query that [Parse] reads as the same tree, if And and Or
	// have two terms or more and the text is within Parse's limits.
	String() string
	expr()
}

// All matches every record.
type All struct{}

// And matches what each of its terms matches. Without terms it matches everything.
type And struct{ Terms []Expr }

// Or matches what any of its terms matches. Without terms it matches nothing.
type Or struct{ Terms []Expr }

// Not matches what its term does not match.
type Not struct{ Term Expr }

// Keyword matches a raw line that has the pattern somewhere in it. The characters
// of the line's signature are left out, unless the pattern has sig= or "sig":" in it.
type Keyword struct{ Pattern Pattern }

// Compare matches a record that has the field, with a value that the pattern
// matches as a whole.
type Compare struct {
	Field string // a name of [Metadata], of a parsed field, or [SignatureField]
	Value Pattern
}

func (All) expr()     {}
func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (Keyword) expr() {}
func (Compare) expr() {}

func (All) String() string       { return "*" }
func (e And) String() string     { return join(e.Terms, " ") }
func (e Or) String() string      { return join(e.Terms, " OR ") }
func (e Keyword) String() string { return e.Pattern.String() }
func (e Compare) String() string { return fieldName(e.Field) + "=" + e.Value.String() }

func (e Not) String() string {
	if c, ok := e.Term.(Compare); ok {
		return fieldName(c.Field) + "!=" + c.Value.String()
	}
	return "NOT " + grouped(e.Term, true)
}

// join writes terms with parentheses where the tree would come out otherwise:
// around an And in an And too, since the tree keeps the grouping as written.
func join(terms []Expr, operator string) string {
	var b strings.Builder
	for i, t := range terms {
		if i > 0 {
			b.WriteString(operator)
		}
		b.WriteString(grouped(t, operator == " "))
	}
	return b.String()
}

func grouped(e Expr, groupAnd bool) string {
	switch e := e.(type) {
	case nil:
		return All{}.String()
	case Or:
		return "(" + e.String() + ")"
	case And:
		if groupAnd {
			return "(" + e.String() + ")"
		}
	}
	return e.String()
}

func fieldName(name string) string {
	if plainName(name) && !isOperator(name) {
		return name
	}
	return quote(name)
}

// plainName says whether a field's name may stand without quotes.
func plainName(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-", r) {
			return false
		}
	}
	return name != ""
}
