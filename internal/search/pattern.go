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
	return p.folded().fits(text)
}

func (p Pattern) folded() Pattern {
	folded := make(Pattern, len(p))
	for i, piece := range p {
		folded[i] = Fold(piece)
	}
	return folded
}

// fits says whether all of text fits the pattern, letters compared as they are.
func (p Pattern) fits(text string) bool {
	if len(p) == 1 {
		return text == p[0]
	}
	text, ok := strings.CutPrefix(text, p[0])
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, p[len(p)-1]); !ok {
		return false
	}
	return p[1 : len(p)-1].within(text)
}

// matchWithin says whether text, which is folded, has the pattern somewhere.
func (p Pattern) matchWithin(text string) bool { return p.folded().within(text) }

// within says whether text has the pattern somewhere, letters compared as they
// are. The leftmost place of each piece leaves the most room for the next, so that
// nothing has to be tried twice.
func (p Pattern) within(text string) bool {
	for _, piece := range p {
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
