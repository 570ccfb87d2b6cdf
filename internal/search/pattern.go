package search

import (
	"slices"
	"strings"
)

// Pattern is text with wildcards: the literal pieces between them. One piece
// is literal text; {"a", "b"} is a*b; {"", ""} is a * by itself.
type Pattern []string

// Literal returns the pattern that stands for exactly s.
func Literal(s string) Pattern { return Pattern{s} }

// Any says whether the pattern is wildcards alone, and so matches any text.
func (p Pattern) Any() bool {
	return len(p) > 1 && !slices.ContainsFunc(p, func(piece string) bool { return piece != "" })
}

// String returns the pattern as it stands in a query.
func (p Pattern) String() string {
	if len(p) == 1 && (p[0] == "" || isOperator(p[0])) {
		return quote(p[0])
	}
	pieces := make([]string, len(p))
	for i, piece := range p {
		pieces[i] = piece
		if strings.ContainsFunc(piece, isSpecial) {
			pieces[i] = quote(piece)
		}
	}
	return strings.Join(pieces, "*")
}

// matchWhole says whether all of text, which is folded, fits the pattern.
func (p Pattern) matchWhole(text string) bool {
	if len(p) == 0 {
		return false
	}
	first, last := Fold(p[0]), Fold(p[len(p)-1])
	if len(p) == 1 {
		return text == first
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, last); !ok {
		return false
	}
	return p[1 : len(p)-1].matchWithin(text)
}

// matchWithin says whether text, which is folded, has the pattern somewhere.
// The leftmost place of each piece leaves the most room for the next, so that
// nothing has to be tried twice.
func (p Pattern) matchWithin(text string) bool {
	for _, piece := range p {
		piece = Fold(piece)
		i := strings.Index(text, piece)
		if i < 0 {
			return false
		}
		text = text[i+len(piece):]
	}
	return true
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
