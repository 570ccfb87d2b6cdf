package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word of the filter, with its wildcards and quotes resolved, a name,
// number or text of a stage, a sign, or the end of the query.
type token struct {
	kind    tokenKind
	offset  int     // of its first byte in the query
	source  string  // as written; of a sign, the sign
	pattern Pattern // of a word
	text    string  // of a name or a text, without its quotes
	number  float64 // of a number
	quoted  bool    // a word or name that has quotes, and so is no word of the language
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	signToken
	wordToken
	nameToken
	numberToken
	textToken
)

// is says whether the token is the sign.
func (t token) is(text string) bool { return t.kind == signToken && t.source == text }

// operator returns "AND", "OR" or "NOT" for a token that is one, else "".
func (t token) operator() string {
	if t.kind == wordToken && !t.quoted && isOperator(t.source) {
		return strings.ToUpper(t.source)
	}
	return ""
}

func isOperator(s string) bool {
	return strings.EqualFold(s, "AND") || strings.EqualFold(s, "OR") || strings.EqualFold(s, "NOT")
}

// isSpecial says whether a character has to be quoted to stand for itself in
// the filter. The ! is special only before =, and the comma only in a list, but
// quoting them always is simpler to promise.
func isSpecial(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(`()="*|!<>,`, r)
}

// scanner cuts a query into tokens.
type scanner struct {
	query  string
	offset int
	list   bool // in a list of values, where a comma separates
}

func (s *scanner) rest() string { return s.query[s.offset:] }

func (s *scanner) skipSpace() {
	s.offset = len(s.query) - len(strings.TrimLeftFunc(s.rest(), unicode.IsSpace))
}

// next returns the next token of the filter.
func (s *scanner) next() (token, error) {
	s.skipSpace()
	if s.rest() == "" {
		return token{kind: endToken, offset: s.offset}, nil
	}
	if t, ok := s.sign("(", ")", "|", "=", "!=", "<=", "<", ">=", ">"); ok {
		return t, nil
	}
	if s.list {
		if t, ok := s.sign(","); ok {
			return t, nil
		}
	}
	return s.word()
}

// sign returns the first of the signs that the rest begins with.
func (s *scanner) sign(signs ...string) (token, bool) {
	for _, text := range signs {
		if strings.HasPrefix(s.rest(), text) {
			t := token{kind: signToken, offset: s.offset, source: text}
			s.offset += len(text)
			return t, true
		}
	}
	return token{}, false
}

// word scans pieces of plain or quoted text with a * between any two.
func (s *scanner) word() (token, error) {
	t := token{kind: wordToken, offset: s.offset}
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
	s.offset += s.plainLength()
	if strings.HasPrefix(s.rest(), `"`) && s.offset > start {
		return "", syntaxError(s.query, s.offset, `a quote inside a word: put a space before it, or quote the whole and write \" for a quote`)
	}
	return s.query[start:s.offset], nil
}

// plainLength returns how many bytes of the rest belong to a piece without quotes.
func (s *scanner) plainLength() int {
	rest := s.rest()
	for i := 0; i < len(rest); {
		r, size := utf8.DecodeRuneInString(rest[i:])
		plain := r == '!' && !strings.HasPrefix(rest[i:], "!=") || r == ',' && !s.list
		if isSpecial(r) && !plain {
			return i
		}
		i += size
	}
	return len(rest)
}

// phrase scans text in quotes that is a word or a piece of one.
func (s *scanner) phrase() (string, error) {
	text, err := s.quotation()
	if err == nil && (s.plainLength() > 0 || strings.HasPrefix(s.rest(), `"`)) {
		return "", syntaxError(s.query, s.offset, "text right after a closing quote: put a space or a * between them")
	}
	return text, err
}

// quotation scans text in quotes. A backslash before anything but a quote or a
// backslash stands for itself, so that a Windows path or a regular expression
// can be pasted.
func (s *scanner) quotation() (string, error) {
	var text strings.Builder
	rest := s.rest()
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\'):
			i++
			text.WriteByte(rest[i])
		case c == '"':
			s.offset += i + 1
			return text.String(), nil
		default:
			text.WriteByte(c)
		}
	}
	return "", syntaxError(s.query, s.offset, "a quote that is not closed")
}
