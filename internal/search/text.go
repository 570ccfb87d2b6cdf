package search

import (
	"strings"
	"unicode/utf8"
)

// Text returns s with U+FFFD for each byte that is no part of valid UTF-8.
// It is what a search sees of a line that is not text.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune { return r }, s)
}

// Fold returns the form in which text is compared: [Text], and each character
// lower-cased by itself, by Unicode's simple mapping and by no language's
// rules: "Ä" is equal to "ä", "ß" is not equal to "ss". Stores must fold alike.
func Fold(s string) string { return strings.ToLower(s) }
