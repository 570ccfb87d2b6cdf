package search

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nextInStage returns the next token after the first pipe, where names, numbers
// and texts are told apart and signs need no spaces around them.
func (s *scanner) nextInStage() (token, error) {
	s.skipSpace()
	rest := s.rest()
	switch {
	case rest == "":
		return token{kind: endToken, offset: s.offset}, nil
	case rest[0] == '"':
		return s.quoted(textToken, 0)
	case strings.HasPrefix(rest, `%"`):
		return s.quoted(nameToken, 1)
	case isDigit(rest[0]):
		return s.number()
	}
	if t, ok := s.sign("(", ")", "||", "|", ",", "==", "=", "!=", "!", "<>", "<=", "<", ">=", ">", "&&", "+", "-", "*", "/", "%"); ok {
		switch t.source {
		case "==":
			t.source = "="
		case "<>":
			t.source = "!="
		}
		return t, nil
	}
	return s.name()
}

// quoted scans a text in quotes, with so many bytes before the opening one.
func (s *scanner) quoted(kind tokenKind, before int) (token, error) {
	t := token{kind: kind, offset: s.offset, quoted: true}
	s.offset += before
	text, err := s.quotation()
	if err != nil {
		return token{}, err
	}
	switch {
	case kind == nameToken && text == "":
		return token{}, syntaxError(s.query, t.offset, "an empty name")
	case !utf8.ValidString(text):
		return token{}, syntaxError(s.query, t.offset, "text that is not UTF-8")
	}
	t.text, t.source = text, s.query[t.offset:s.offset]
	return t, nil
}

func (s *scanner) name() (token, error) {
	t := token{kind: nameToken, offset: s.offset}
	length := nameLength(s.rest())
	if length == 0 {
		r, _ := utf8.DecodeRuneInString(s.rest())
		return token{}, syntaxError(s.query, s.offset, `%q means nothing after a pipe (a text stands in quotes, an odd name in %%"…")`, r)
	}
	s.offset += length
	t.source = s.query[t.offset:s.offset]
	t.text = t.source
	return t, nil
}

// nameLength returns how many bytes of s are a name without quotes: letters,
// digits, _ and the dot, a digit or a dot not first.
func nameLength(s string) int {
	for i, r := range s {
		first := unicode.IsLetter(r) || r == '_'
		if !first && (i == 0 || !unicode.IsDigit(r) && r != '.') {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) number() (token, error) {
	t := token{kind: numberToken, offset: s.offset}
	s.digits()
	if rest := s.rest(); len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
		s.offset++
		s.digits()
	}
	t.source = s.query[t.offset:s.offset]
	if !numeric(t.source) {
		return token{}, syntaxError(s.query, t.offset, "a number of more than %d digits", maxDigits)
	}
	var err error
	t.number, err = strconv.ParseFloat(t.source, 64)
	return t, err
}

func (s *scanner) digits() {
	for s.offset < len(s.query) && isDigit(s.query[s.offset]) {
		s.offset++
	}
}

// expression scans a regular expression between slashes, where \/ is a slash,
// and says whether there is one.
func (s *scanner) expression() (token, bool, error) {
	s.skipSpace()
	rest := s.rest()
	if !strings.HasPrefix(rest, "/") {
		return token{}, false, nil
	}
	t := token{kind: textToken, offset: s.offset}
	var pattern strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest):
			i++
			if rest[i] != '/' {
				pattern.WriteByte('\\')
			}
			pattern.WriteByte(rest[i])
		case c == '/':
			s.offset += i + 1
			t.text, t.source = pattern.String(), s.query[t.offset:s.offset]
			return t, true, nil
		default:
			pattern.WriteByte(c)
		}
	}
	return token{}, true, syntaxError(s.query, t.offset, "a regular expression that is not closed by a /")
}
