package search

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// functionWord is a function in the language's own table.
type functionWord struct {
	name, syntax, meaning string
	least, most           int // arguments
	kind                  Kind
	of                    func(args []Value) Value
}

const (
	anyNumber = 100     // of arguments
	maxText   = 1 << 20 // bytes of what concat and replace make, which could double at every stage
)

// functions is the table of functions, for the parser, the evaluator and the
// reference alike. Functions of text take a number as its text.
//
// What now gives is set by the evaluation, and if is evaluated like any other
// function, as no expression has an effect.
func functions(now time.Time) []functionWord {
	return []functionWord{
		{"isNull", "isNull(X)", "Whether there is no value at all.", 1, 1, KindText,
			func(a []Value) Value { return truth(a[0].null()) }},
		{"isEmpty", "isEmpty(X)", "Whether the value is null or the empty text.", 1, 1, KindText,
			func(a []Value) Value { return truth(a[0].String() == "") }},
		{"isBlank", "isBlank(X)", "Whether the value is null, or a text of nothing but white space.", 1, 1, KindText,
			func(a []Value) Value { return truth(trim(a[0].String()) == "") }},
		{"isNumeric", "isNumeric(X)", "Whether the value is a number or looks like one.", 1, 1, KindText,
			func(a []Value) Value { _, ok := a[0].Number(); return truth(ok) }},
		{"if", "if(CONDITION, X, Y)", "X where the condition holds, else Y. If one of them is a text and the other a number, the number is taken as its text.", 3, 3, KindNull,
			func(a []Value) Value { return choose(a[0], a[1], a[2]) }},
		{"contains", "contains(X, Y)", "Whether the text X has the text Y in it, letters compared as they are; not where one of them is null.", 2, 2, KindText,
			func(a []Value) Value {
				return truth(!a[0].null() && !a[1].null() && strings.Contains(a[0].String(), a[1].String()))
			}},
		{"concat", "concat(X, Y, …)", "The texts one after the other, a null as the empty text. Null if that is more than 1 MiB.", 1, anyNumber, KindText, concat},
		{"length", "length(X)", "How many characters the text has; null of null.", 1, 1, KindNumber,
			func(a []Value) Value {
				return unlessNull(a, func() Value { return NumberValue(float64(utf8.RuneCountInString(a[0].String()))) })
			}},
		{"substring", "substring(X, START [, END])", "The characters of the text from START on, counted from 0, and up to END, not included. Null if one of them is null, and the empty text if there are no such characters.", 2, 3, KindText,
			substring},
		{"toLowerCase", "toLowerCase(X)", "The text in lower case; null of null.", 1, 1, KindText, textFunction(strings.ToLower)},
		{"toUpperCase", "toUpperCase(X)", "The text in upper case; null of null.", 1, 1, KindText, textFunction(strings.ToUpper)},
		{"trim", "trim(X)", "The text without spaces, tabs and line breaks at its ends; null of null.", 1, 1, KindText, textFunction(trim)},
		{"replace", "replace(X, OLD, NEW)", "The text with NEW in the place of every OLD, letters compared as they are; null if one of them is null, and X as it is if OLD is empty. Null, too, if that is more than 1 MiB.", 3, 3, KindText,
			replace},
		{"num", "num(X)", "The number that the value is or looks like; null if it does not.", 1, 1, KindNumber,
			numberFunction(func(x float64) float64 { return x })},
		{"abs", "abs(X)", "The number without its sign.", 1, 1, KindNumber, numberFunction(math.Abs)},
		{"ceil", "ceil(X)", "The number, up to the next whole one.", 1, 1, KindNumber, numberFunction(math.Ceil)},
		{"floor", "floor(X)", "The number, down to the next whole one.", 1, 1, KindNumber, numberFunction(math.Floor)},
		{"round", "round(X)", "The nearest whole number; halves go away from 0.", 1, 1, KindNumber, numberFunction(math.Round)},
		{"now", "now()", "When the search began, in milliseconds since 1970.", 0, 0, KindNumber,
			func([]Value) Value { return NumberValue(float64(now.UnixMilli())) }},
	}
}

func functionNamed(name string, now time.Time) (functionWord, bool) {
	all := functions(now)
	i := slices.IndexFunc(all, func(f functionWord) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return functionWord{}, false
	}
	return all[i], true
}

// kindOf returns the kind of a call. Only that of an if depends on what it is
// given: an if of a text and a number gives a text.
func (f functionWord) kindOf(args []Expression) Kind {
	if f.name != "if" {
		return f.kind
	}
	x, y := args[1].Kind(), args[2].Kind()
	switch {
	case x == y || y == KindNull:
		return x
	case x == KindNull:
		return y
	}
	return KindText
}

func choose(condition, x, y Value) Value {
	if condition.holds() {
		return x
	}
	return y
}

func concat(args []Value) Value {
	var b strings.Builder
	for _, a := range args {
		if b.WriteString(a.String()); b.Len() > maxText {
			return Value{}
		}
	}
	return TextValue(b.String())
}

func substring(args []Value) Value {
	return unlessNull(args, func() Value {
		runes := []rune(args[0].String())
		start, ok := position(args[1], len(runes))
		if !ok {
			return Value{}
		}
		end := len(runes)
		if len(args) == 3 {
			if end, ok = position(args[2], len(runes)); !ok {
				return Value{}
			}
		}
		return TextValue(string(runes[start:max(start, end)]))
	})
}

// position returns a number, cut to a whole one, as a place in a text.
func position(v Value, length int) (int, bool) {
	x, ok := v.Number()
	return int(min(max(x, 0), float64(length))), ok
}

func replace(args []Value) Value {
	return unlessNull(args, func() Value {
		text, old, with := args[0].String(), args[1].String(), args[2].String()
		if old == "" {
			return TextValue(text)
		}
		if n := strings.Count(text, old); len(text)+n*(len(with)-len(old)) > maxText {
			return Value{}
		}
		return TextValue(strings.ReplaceAll(text, old, with))
	})
}

func trim(s string) string { return strings.Trim(s, " \t\n\v\f\r") }

func textFunction(of func(string) string) func([]Value) Value {
	return func(args []Value) Value {
		return unlessNull(args, func() Value { return TextValue(of(args[0].String())) })
	}
}

func numberFunction(of func(float64) float64) func([]Value) Value {
	return func(args []Value) Value {
		x, ok := args[0].Number()
		if !ok {
			return Value{}
		}
		return NumberValue(of(x))
	}
}

func unlessNull(args []Value, of func() Value) Value {
	if slices.ContainsFunc(args, Value.null) {
		return Value{}
	}
	return of()
}
