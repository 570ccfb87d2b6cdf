package audit

import "unicode/utf8"

// place is where in a line a text stands, and so what must be escaped there.
type place uint8

const (
	inHeader    place = iota // a CEF header value
	inExtension              // a CEF extension value
	inJSON                   // a JSON string
)

const replacement = "\uFFFD"

// appendText appends s, cleaned by the text rule and escaped for its place. It is the only way by which text from
// outside gets into a line; that no value forges a field or a line rests on it.
func appendText(dst []byte, s string, in place) []byte {
	copied := 0
	for i := 0; i < len(s); {
		instead, size := substitute(s, i, in)
		if instead != "" {
			dst = append(dst, s[copied:i]...)
			dst = append(dst, instead...)
			copied = i + size
		}
		i += size
	}
	return append(dst, s[copied:]...)
}

// substitute gives what to write instead of the character at i, or nothing where it may stand as it is,
// and the character's length.
func substitute(s string, i int, in place) (instead string, size int) {
	c := s[i]
	if c < utf8.RuneSelf {
		return substituteASCII(c, in), 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && size == 1 {
		return replacement, 1
	}
	// The C1 controls, and the two separators that some readers end a line at.
	if r <= 0x9F || r == '\u2028' || r == '\u2029' {
		return replacement, size
	}
	return "", size
}

func substituteASCII(c byte, in place) string {
	switch c {
	case '\\':
		return `\\`
	case '\n':
		return newline(`\n`, in)
	case '\r':
		return newline(`\r`, in)
	case '\t':
		return tab(in)
	case '|':
		return only(`\|`, in == inHeader)
	case '=':
		return only(`\=`, in == inExtension)
	case '"':
		return only(`\"`, in == inJSON)
	}
	return only(replacement, c < ' ' || c == 0x7F)
}

func only(instead string, when bool) string {
	if when {
		return instead
	}
	return ""
}

// newline: a CEF header has no escape for it, so a space has to do.
func newline(escape string, in place) string {
	if in == inHeader {
		return " "
	}
	return escape
}

func tab(in place) string {
	switch in {
	case inHeader:
		return " "
	case inJSON:
		return `\t`
	default:
		return ""
	}
}
