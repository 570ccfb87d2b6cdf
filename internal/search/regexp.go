package search

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

const (
	maxRegexp        = 1000 // bytes
	maxRegexpProgram = 2000 // instructions, which a match may try at every character
)

// Regexp is a regular expression of a query, in the syntax of RE2, whose answers
// take time in proportion to the text. [ParseQuery] has checked it.
type Regexp string

// String returns the expression as the query has it.
func (r Regexp) String() string { return string(r) }

// RE2 returns the same expression with nothing left to an engine's settings:
// whether a dot takes a newline, what ^ and $ mean and where letters are folded
// stands in it, and named groups are written as every version of RE2 knows them.
func (r Regexp) RE2() string { return r.tree().String() }

// Names returns the names of its groups, the first group's first.
func (r Regexp) Names() []string { return r.tree().CapNames()[1:] }

func (r Regexp) tree() *syntax.Regexp {
	tree, err := syntax.Parse(string(r), syntax.Perl)
	if err != nil { // not from a query
		return &syntax.Regexp{Op: syntax.OpNoMatch}
	}
	return tree
}

func (r Regexp) compile() (*regexp.Regexp, error) {
	compiled, err := regexp.Compile(string(r))
	if err != nil {
		return nil, fmt.Errorf("compile the regular expression: %w", err)
	}
	return compiled, nil
}

// check says why the expression may not stand in a query.
func (r Regexp) check() error {
	switch {
	case len(r) > maxRegexp:
		return fmt.Errorf("a regular expression of %d bytes: the limit is %d", len(r), maxRegexp)
	case !utf8.ValidString(string(r)):
		return errors.New("a regular expression that is not UTF-8")
	}
	tree, err := syntax.Parse(string(r), syntax.Perl)
	if err != nil {
		wrong, _ := errors.AsType[*syntax.Error](err)
		return fmt.Errorf("no regular expression as RE2 has them: %s: %s", wrong.Code, wrong.Expr)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > maxRegexpProgram {
		return errors.New("a regular expression that repeats too much")
	}
	return nil
}

// checkGroups says why a stage cannot set fields from the expression.
func (r Regexp) checkGroups() error {
	names := r.Names()
	if len(names) == 0 {
		return errors.New("a regular expression without a named group: write (?<name>…) around what to extract")
	}
	for _, n := range names {
		switch {
		case n == "":
			return errors.New("a group without a name: write (?<name>…) to extract what it matches, or (?:…) to group only")
		case ofEveryMessage(canonicalName(n)):
			return fmt.Errorf("a group named %s, which is what the collector knows of a message: choose another name", n)
		}
	}
	return nil
}
