package clickhouse

import "strings"

// content is what kinds of lines and values were ever stored, expired or not, so
// that a statement does not look for what cannot be there. The last row of the
// table intake has it.
type content struct {
	odd     set // of valueColumns: some value did not fit, and is with the fields that have no column; of "raw", some line is not UTF-8
	upper   set // of valueColumns: some value has capitals of ASCII
	wide    set // of valueColumns: some value has more than digits, a to f, dots, colons and dashes
	foreign set // of valueColumns: some value is not ASCII, and is in "folded"; of "raw", some line, kept or not
	forms   set // of values of "form"
}

// set is a set of small numbers.
type set uint64

func (s set) has(i int) bool { return s&(1<<i) != 0 }

func (s *set) add(i int) { *s |= 1 << i }

func (c *content) sets() []*set { return []*set{&c.odd, &c.upper, &c.wide, &c.foreign, &c.forms} }

// contentColumns are the columns of the sets, in their order.
func contentColumns() []string { return []string{"odd", "upper", "wide", "foreign", "forms"} }

// columnList is the columns of the sets in SQL, each with what follows it.
func columnList(columns []string, behind string) (list string) {
	for _, name := range columns {
		list += `, "` + name + `"` + behind
	}
	return list
}

// add adds what else is there.
func (c *content) add(other content) {
	for i, s := range other.sets() {
		*c.sets()[i] |= *s
	}
}

// note adds what a value of a column is; what is not ASCII, row.fold adds.
func (c *content) note(column int, value string) {
	if c.upper.has(column) && c.wide.has(column) {
		return
	}
	for i := range len(value) {
		if b := value[i]; b >= 'A' && b <= 'Z' {
			c.upper.add(column)
		}
		if !isNarrow(value[i]) {
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
	return strings.IndexFunc(word, func(r rune) bool { return r >= 0x80 || !isNarrow(byte(r)) }) < 0
}
