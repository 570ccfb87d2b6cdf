package duckdb

import (
	"strings"
	"unicode/utf8"
)

// content is what kinds of lines and values were ever stored, expired or not, so
// that a query does not look for what cannot be there.
type content struct {
	odd   set // of valueColumns: some value did not fit, and is with the fields that have no column
	upper set // of valueColumns: some value has letters to fold
	wide  set // of valueColumns: some value has more than digits, a to f, dots, colons and dashes
	forms set // of values of "form", and keptForm for lines that are kept
}

// set is a set of small numbers, in the engine a BIGINT.
type set int64

func (s set) has(i int) bool { return s&(1<<i) != 0 }

func (s *set) add(i int) { *s |= 1 << i }

// below says whether there is a number less than i, other than 0.
func (s set) below(i int) bool { return s&(1<<i-2) != 0 }

// from says whether there is i or a greater number.
func (s set) from(i int) bool { return s>>i != 0 }

// keptForm stands for no form.
const keptForm = 0

func (c *content) sets() []*set { return []*set{&c.odd, &c.upper, &c.wide, &c.forms} }

// contentColumns are the columns of the sets, in their order.
func contentColumns(definition string) string {
	var columns []string
	for _, name := range [...]string{"odd", "upper", "wide", "forms"} {
		columns = append(columns, strings.TrimSpace(`"`+name+`" `+definition))
	}
	return strings.Join(columns, ", ")
}

// note adds what a value of a text column is.
func (c *content) note(column int, value string) {
	if c.upper.has(column) && c.wide.has(column) {
		return
	}
	for i := range len(value) {
		b := value[i]
		if b >= 'A' && b <= 'Z' || b >= utf8.RuneSelf {
			c.upper.add(column)
		}
		if !isNarrow(b) {
			c.wide.add(column)
		}
	}
}

// isNarrow says whether the character is one of those of numbers, of addresses and
// of identifiers in hexadecimal digits.
func isNarrow(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b == '-' || b == '.' || b == ':'
}

// narrow says whether a word can be in values that have narrow characters only.
func narrow(word string) bool {
	for i := range len(word) {
		if !isNarrow(word[i]) {
			return false
		}
	}
	return true
}

func (c content) and(other content) content {
	return content{c.odd | other.odd, c.upper | other.upper, c.wide | other.wide, c.forms | other.forms}
}
