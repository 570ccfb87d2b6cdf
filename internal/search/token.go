package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word, with the wildcards and quotes of it resolved, or one of the
// signs ( ) = !=, or the end of the query.
type token struct {
	kind    tokenKind
	offset  int     // of its first byte in the query
	source  string  // as written, for error messages
	pattern Pattern // of a word
	quoted  bool    // a word that has quotes in it, and so is no operator
}

type tokenKind uint8

const (
	end tokenKind = iota
	word
	equal
	notEqual
	open
	shut
)

// operator returns "AND", "OR" or "NOT" for a token that is one, else "".
func (t token) operator() string {
	if t.kind == word && !t.quoted && isOperator(t.source) {
		return strings.ToUpper(t.source)
	}
	return ""
}

func isOperator(s string) bool {
	return strings.EqualFold(s, "AND") || strings.EqualFold(s, "OR") || strings.EqualFold(s, "NOT")
}

// isSpecial says whether a character has to be quoted to stand for itself.
// The ! is special only before =, but quoting it always is simpler to promise.
func isSpecial(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(`()="*|!`, r)
}

// scanner cuts a query into tokens.
type scanner struct {
	query  string
	offset int
}

func (s *scanner) rest() string { return s.query[s.offset:] }

func (s *scanner) next() (token, error) {
	s.offset = len(s.query) - len(strings.TrimLeftFunc(s.rest(), unicode.IsSpace))
	start := s.offset
	for _, sign := range []struct {
		text string
		kind tokenKind
	}{{"(", open}, {")", shut}, {"=", equal}, {"!=", notEqual}} {
		if strings.HasPrefix(s.rest(), sign.text) {
			s.offset += len(sign.text)
			return token{kind: sign.kind, offset: start, source: sign.text}, nil
		}
	}
	switch {
	case s.rest() == "":
		return token{kind: end, offset: start}, nil
	case s.rest()[0] == '|':
		return token{}, syntaxError(s.query, start, "pipes are not understood here (quote the | to search for it)")
	}
	return s.word()
}

// word scans pieces of plain or quoted text with a * between any two.
func (s *scanner) word() (token, error) {
	t := token{kind: word, offset: s.offset}
	for {
		piece, err := s.piece(&t)
		if err != nil {
			return token{}, err
		}
		t.pattern = append(t.pattern, piece)
		if !strings.HasPrefix(s.rest(), "*") {
			t.source = s.query[t.offset:s.offset]
			return t, nil
		}
		if len(t.pattern) > maxWildcards {
			return token{}, syntaxError(s.query, s.offset, "more than %d wildcards in a word", maxWildcards)
		}
		s.offset++
	}
}

// piece scans one piece of a word, which may be empty.
func (s *scanner) piece(t *token) (string, error) {
	if strings.HasPrefix(s.rest(), `"`) {
		t.quoted = true
		return s.phrase()
	}
	start := s.offset
	s.offset += plainLength(s.rest())
	if strings.HasPrefix(s.rest(), `"`) && s.offset > start {
		return "", syntaxError(s.query, s.offset, `a quote inside a word: put a space before it, or quote the whole and write \" for a quote`)
	}
	return s.query[start:s.offset], nil
}

// plainLength returns how many bytes of s belong to a piece without quotes.
func plainLength(s string) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if isSpecial(r) && (r != '!' || strings.HasPrefix(s[i:], "!=")) {
			return i
		}
		i += size
	}
	return len(s)
}

// phrase scans text in quotes. A backslash before anything but a quote or a
// backslash stands for itself, so that a Windows path can be pasted.
func (s *scanner) phrase() (string, error) {
	var text strings.Builder
	rest := s.rest()
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\'):
			i++
			text.WriteByte(rest[i])
		case c == '"':
			s.offset += i + 1
			if plainLength(s.rest()) > 0 || strings.HasPrefix(s.rest(), `"`) {
				return "", syntaxError(s.query, s.offset, "text right after a closing quote: put a space or a * between them")
			}
			return text.String(), nil
		default:
			text.WriteByte(c)
		}
	}
	return "", syntaxError(s.query, s.offset, "a quote that is not closed")
}
