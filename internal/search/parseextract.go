package search

import (
	"slices"
	"strings"
)

// parseText reads a parse with an anchor, or finds that it is a parse regex.
func (s *stages) parseText() error {
	if regex, err := s.takeWord("regex"); err != nil {
		return err
	} else if regex {
		return s.parseRegexp()
	}
	stage := ParseAnchor{}
	var err error
	if stage.From, err = s.from(); err != nil {
		return err
	}
	anchor := s.token
	if anchor.kind != textToken {
		return s.expected(`a text in quotes with a * for each field, or regex`)
	}
	stage.Anchor = strings.Split(anchor.text, "*")
	if err := s.checkAnchor(anchor, stage.Anchor); err != nil {
		return err
	}
	if err := s.advance(); err != nil {
		return err
	}
	if !s.word("as") {
		return s.expected("as and a name for each *")
	}
	if stage.Names, err = s.names(); err != nil {
		return err
	}
	if err := s.checkNames(anchor, stage.Names, len(stage.Anchor)-1, "wildcards"); err != nil {
		return err
	}
	if stage.NoDrop, err = s.takeWord("nodrop"); err != nil {
		return err
	}
	s.add(stage)
	return nil
}

func (s *stages) checkAnchor(at token, anchor Pattern) error {
	switch {
	case len(anchor) == 1:
		return syntaxError(s.query, at.offset, "a text without a *, which stands for what to extract")
	case len(anchor) > maxWildcards+1:
		return syntaxError(s.query, at.offset, "more than %d wildcards in a text", maxWildcards)
	case slices.Contains(anchor[1:len(anchor)-1], ""):
		return syntaxError(s.query, at.offset, "two wildcards without a text between them")
	}
	return nil
}

// checkNames wants as many names as there are things to name, and no name twice.
func (s *stages) checkNames(at token, names []string, want int, what string) error {
	if len(names) != want {
		return syntaxError(s.query, at.offset, "%d names for %d %s", len(names), want, what)
	}
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return syntaxError(s.query, at.offset, "%s is named twice", n)
		}
	}
	return nil
}

// from reads field=NAME, or nothing, which stands for the line.
func (s *stages) from() (Column, error) {
	at := s.token
	given, err := s.takeWord("field")
	if err != nil {
		return Column{}, err
	}
	if given {
		if err := s.expect("=", "= and the name of a field"); err != nil {
			return Column{}, err
		}
		return s.column()
	}
	c, ok := s.scope.resolve("_raw")
	if !ok {
		return Column{}, syntaxError(s.query, at.offset, "a table has no lines: write field= and one of its columns before the text")
	}
	return c, nil
}

func (s *stages) parseRegexp() error {
	stage := ParseRegexp{}
	var err error
	if stage.From, err = s.from(); err != nil {
		return err
	}
	pattern := s.token
	if pattern.kind != textToken {
		return s.expected("a regular expression in quotes")
	}
	stage.Regexp = Regexp(pattern.text)
	if err := s.checkRegexp(pattern); err != nil {
		return err
	}
	if err := stage.Regexp.checkGroups(); err != nil {
		return syntaxError(s.query, pattern.offset, "%v", err)
	}
	if err := s.advance(); err != nil {
		return err
	}
	if stage.NoDrop, err = s.takeWord("nodrop"); err != nil {
		return err
	}
	s.add(stage)
	return nil
}

func (p *parser) checkRegexp(t token) error {
	if err := Regexp(t.text).check(); err != nil {
		return syntaxError(p.query, t.offset, "%v", err)
	}
	return nil
}

func (s *stages) json() error {
	stage := ParseJSON{}
	var err error
	if stage.From, err = s.from(); err != nil {
		return err
	}
	first := s.token
	if stage.Paths, err = s.paths(); err != nil {
		return err
	}
	if s.word("as") {
		stage.Names, err = s.names()
	} else {
		stage.Names, err = s.pathNames(first, stage.Paths)
	}
	if err != nil {
		return err
	}
	if err := s.checkNames(first, stage.Names, len(stage.Paths), "paths"); err != nil {
		return err
	}
	if stage.NoDrop, err = s.takeWord("nodrop"); err != nil {
		return err
	}
	s.add(stage)
	return nil
}

func (s *stages) paths() (paths []JSONPath, err error) {
	for {
		if s.token.kind != textToken {
			return nil, s.expected("a path to a JSON value, in quotes")
		}
		path, err := parseJSONPath(s.token.text)
		if err != nil {
			return nil, syntaxError(s.query, s.token.offset, "%v", err)
		}
		if paths = append(paths, path); len(paths) > maxJSONPaths {
			return nil, syntaxError(s.query, s.token.offset, "more than %d paths", maxJSONPaths)
		}
		if err := s.advance(); err != nil {
			return nil, err
		}
		if comma, err := s.take(","); !comma || err != nil {
			return paths, err
		}
	}
}

// pathNames returns the names that fields have if the query gives none.
func (s *stages) pathNames(at token, paths []JSONPath) ([]string, error) {
	var names []string
	for _, path := range paths {
		n := path.String()
		if ofEveryMessage(canonicalName(n)) {
			return nil, syntaxError(s.query, at.offset, "%s is what the collector knows of a message: choose another name, with as", n)
		}
		names = append(names, n)
	}
	return names, nil
}
