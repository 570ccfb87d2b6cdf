package clickhouse

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
)

// maxRanges is how many ranges of characters a regular expression may go by: the
// server refuses those that it takes too much memory for.
const maxRanges = 5000

// lineMatches adds that the expression, of [search.Regexp], matches somewhere in the
// line.
func (c *compiler) lineMatches(x *regexp.Regexp) {
	c.terms++
	expression, ok := portable(x.String())
	if !ok {
		c.odd = true
		return
	}
	kept := `"raw"`
	if c.stored.odd.has(rawColumn()) {
		n := literal(textName)
		kept = `if(has("folded_names", ` + n + `), "folded"[indexOf("folded_names", ` + n + `)], "raw")`
	}
	c.add(`(` + hasLine + ` AND match(`)
	c.line(kept, `"signature_text"`)
	c.add(`, `)
	c.literal(expression)
	c.add(`))`)
}

// portable is the expression as any version of RE2 reads it like ours: nothing is
// left to settings, or to what a version knows of letters, their classes and their
// capitals. The engine looks for a text that every match has, and does not read
// all expressions right for that; one with an alternative has none, here one that
// never matches. It is not ok for an expression that is too large.
func portable(expression string) (portable string, ok bool) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", false
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return "", false
	}
	ranges := 0
	for _, step := range program.Inst {
		ranges += 1 + len(step.Rune)/2
	}
	return `[^\s\S]|(?:` + unfolded(tree).String() + `)`, ranges <= maxRanges
}

// unfolded has the letters of a text in any case as classes of their own.
func unfolded(x *syntax.Regexp) *syntax.Regexp {
	if x.Op == syntax.OpLiteral && x.Flags&syntax.FoldCase != 0 {
		all := &syntax.Regexp{Op: syntax.OpConcat}
		for _, r := range x.Rune {
			all.Sub = append(all.Sub, anyCase(r))
		}
		return all
	}
	for i, sub := range x.Sub {
		x.Sub[i] = unfolded(sub)
	}
	return x
}

func anyCase(r rune) *syntax.Regexp {
	orbit := []rune{r}
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		orbit = append(orbit, next)
	}
	if len(orbit) == 1 {
		return &syntax.Regexp{Op: syntax.OpLiteral, Rune: orbit}
	}
	slices.Sort(orbit)
	class := &syntax.Regexp{Op: syntax.OpCharClass}
	for _, letter := range orbit {
		class.Rune = append(class.Rune, letter, letter)
	}
	return class
}
