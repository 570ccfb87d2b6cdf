package search

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// Kind is what a value is, which is known before a query runs: every field of a
// record is a text or null, and only what a query computes is a number.
type Kind uint8

const (
	KindNull   Kind = iota // null alone, as the word null in a query
	KindText               // a text, or null
	KindNumber             // a finite number, or null
)

func (k Kind) String() string { return [...]string{"null", "text", "number"}[k] }

// Value is a text, a number or null; the zero Value is null. There are no
// booleans: a condition gives the text "true" or "false", and holds if it is
// "true".
type Value struct {
	kind   Kind
	text   string
	number float64
}

// TextValue returns the value that is the text.
func TextValue(s string) Value { return Value{kind: KindText, text: s} }

// NumberValue returns the value that is the number; null if it is not finite.
func NumberValue(x float64) Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Value{}
	}
	return Value{kind: KindNumber, number: x + 0} // + 0 makes -0 a 0
}

func truth(b bool) Value { return TextValue(strconv.FormatBool(b)) }

// Kind returns KindNull for null.
func (v Value) Kind() Kind { return v.kind }

// String returns the text; of a number, its decimal form: a whole number up to
// 2^53 in full, any other as C's printf has it with %.12g, so that sums that
// engines add up in another order come out alike; of null, nothing.
func (v Value) String() string {
	if v.kind != KindNumber {
		return v.text
	}
	if math.Abs(v.number) <= 1<<53 && v.number == math.Trunc(v.number) {
		return strconv.FormatFloat(v.number, 'f', -1, 64)
	}
	return strconv.FormatFloat(v.number, 'g', 12, 64)
}

func (v Value) null() bool { return v.kind == KindNull }

func (v Value) holds() bool { return v.kind == KindText && v.text == "true" }

// asText returns a number as its text, and a text or null as they are.
func (v Value) asText() Value {
	if v.kind == KindNumber {
		return TextValue(v.String())
	}
	return v
}

// maxDigits is how many digits a double carries without loss: two longer
// identifiers must not be equal for being equal numbers.
const maxDigits = 15

// Number returns the number that the value is, or that its text looks like: a -
// or none, digits, and perhaps a point and digits, 15 digits at most altogether.
func (v Value) Number() (x float64, ok bool) {
	switch {
	case v.kind == KindNumber:
		return v.number, true
	case v.kind == KindText && numeric(strings.TrimPrefix(v.text, "-")):
		x, err := strconv.ParseFloat(v.text, 64)
		return x, err == nil
	}
	return 0, false
}

// numeric says whether s looks like a number without a sign.
func numeric(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return allDigits(whole) && (!point || allDigits(fraction)) && len(whole)+len(fraction) <= maxDigits
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// compareValues orders values: null, then what is or looks like a number, by
// number, then other texts, by their bytes.
func compareValues(a, b Value) int {
	x, xIs := a.Number()
	y, yIs := b.Number()
	if xIs && yIs {
		return cmp.Compare(x, y)
	}
	return cmp.Or(cmp.Compare(rank(a, xIs), rank(b, yIs)), strings.Compare(a.text, b.text))
}

func rank(v Value, isNumber bool) int {
	switch {
	case v.null():
		return 0
	case isNumber:
		return 1
	}
	return 2
}

// place is where a value comes in the order of values: as compareValues has it, but
// texts of one number are told apart by their bytes, so that only equal values are
// equal. What a text looks like is found out once, however often it is compared.
type place struct {
	rank   int
	number float64
	text   string
}

func placeOf(v Value) place {
	x, isNumber := v.Number()
	return place{rank(v, isNumber), x, v.text}
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.rank, other.rank), cmp.Compare(p.number, other.number), strings.Compare(p.text, other.text))
}

func placesOf(values []Value) []place {
	places := make([]place, len(values))
	for i, v := range values {
		places[i] = placeOf(v)
	}
	return places
}

// Sign is one of the signs of a comparison: = != < <= > >=.
type Sign string

// holds says whether a and b compare as the sign says. Nothing is equal to null,
// or less or greater; != is the opposite of =.
func (s Sign) holds(a, b Value) bool {
	if a.null() || b.null() {
		return s == "!="
	}
	return s.of(compareValues(a, b))
}

// of says whether the outcome of a comparison is what the sign asks for.
func (s Sign) of(order int) bool {
	switch s {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
