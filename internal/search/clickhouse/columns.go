package clickhouse

import (
	"strconv"

	"github.com/trailhook/trailhook/internal/search"
)

// valueColumn is a column of one value that queries know by a name.
type valueColumn struct {
	name string // in the table, and for a parsed field in the language too
	kind columnKind
	term string // the metadata field of the language that it holds, or empty

	// of gives the record's string that the column holds, which is absent when
	// empty. It is nil for a parsed field, which is found among the record's
	// fields by its name, and NULL where the record has none.
	of func(*search.Record) *string
}

// columnKind is how a column keeps a value. Whatever it is in the table, it is
// text in a record, and a text that is not written as the table's value would be
// (status=abc, granted=TRUE, trace_id=007) is kept with the fields that have no
// column: nothing that a line claims is lost, refused or changed.
type columnKind uint8

const (
	text    columnKind = iota
	boolean            // true or false
	small              // a number up to 65,535
	large              // a number up to 2^64-1
	moment             // milliseconds since the epoch, as the difference to the record's time, which is almost always 0
)

// valueColumns is what writing, reading and compiling a query go by. A parsed
// field that has no column here goes into the lists "names" and "contents".
var valueColumns = [...]valueColumn{
	{"collector", text, "_collector", func(r *search.Record) *string { return &r.Collector }},
	{"source", text, "_source", func(r *search.Record) *string { return &r.Source }},
	{"source_category", text, "_sourceCategory", func(r *search.Record) *string { return &r.Category }},
	{"source_host", text, "_sourceHost", func(r *search.Record) *string { return &r.Host }},
	{"source_name", text, "_sourceName", func(r *search.Record) *string { return &r.Name }},
	{"signature", text, "_signature", func(r *search.Record) *string { return &r.Signature }},
	{"keyid", text, "_keyid", func(r *search.Record) *string { return &r.KeyID }},
	{"parse_error", text, "_parse_error", func(r *search.Record) *string { return &r.ParseError }},
	{"time_note", text, "_time_note", func(r *search.Record) *string { return &r.TimeNote }},
	{"raw", text, "_raw", func(r *search.Record) *string { return &r.Raw }}, // empty where "form" says how it is written
	{name: "kind"},
	{name: "vendor"},
	{name: "product"},
	{name: "class"},
	{name: "name"},
	{name: "severity", kind: small},
	{name: "action"},
	{name: "granted", kind: boolean},
	{name: "success", kind: boolean},
	{name: "status", kind: small},
	{name: "act"},
	{name: "request"},
	{name: "query"},
	{name: "org_id"},
	{name: "portal_id"},
	{name: "principal_id"},
	{name: "principal_name"},
	{name: "actor_id"},
	{name: "kong_initiated", kind: boolean},
	{name: "src"},
	{name: "user_agent"},
	{name: "trace_id", kind: large},
	{name: "rt", kind: moment},
}

// column is one of the table, with its type.
type column struct {
	name, kind string
	codec      string // for servers that have codecs
}

const (
	packed    = "ZSTD(1)"
	ascending = "Delta, ZSTD(1)"
	asItIs    = "NONE" // a hash does not compress: the engine need not try
)

// otherColumns come before the values in the table. Times are milliseconds since
// the epoch, as in the lines. "form", "stamp" and "signature_text" are what line.go
// writes a raw line from, beside the fields: a form of 0 is a line that is kept, a
// stamp of 0 that of "rt", and an empty signature none. "size" is about how many
// bytes of memory the record takes. "folded_names" and "folded" are the values
// that are not ASCII, by their names in the language, as [search.Fold] has them:
// the engine folds the others. A line that is not UTF-8 is there by textName too.
var otherColumns = [...]column{
	{"ordinal", "Int64", ascending},
	{"time", "Int64", ascending},
	{"receipt", "Int64", ascending},
	{"timed", "UInt8", packed},
	{"source_id", "String", packed},
	{"identity", "FixedString(16)", asItIs},
	{"size", "UInt32", packed},
	{"form", "UInt8", packed},
	{"stamp", "UInt32", packed},
	{"signature_text", "String", packed},
	{"names", "Array(String)", packed},
	{"contents", "Array(String)", packed},
	{"folded_names", "Array(String)", packed},
	{"folded", "Array(String)", packed},
}

// columns are all of the table, in its order.
func columns() []column {
	all := otherColumns[:]
	for _, c := range valueColumns {
		all = append(all, column{c.name, c.sqlType(), packed})
	}
	return all
}

func (c *valueColumn) sqlType() string {
	if c.of != nil {
		return "String"
	}
	return "Nullable(" + [...]string{text: "String", boolean: "UInt8", small: "UInt16", large: "UInt64", moment: "Int64"}[c.kind] + ")"
}

// columnOf returns the place of the column that holds what a name of the language
// stands for.
func columnOf(field string) (place int, ok bool) {
	metadata, isMetadata := search.Metadata(field)
	for i := range valueColumns {
		c := &valueColumns[i]
		if isMetadata && c.term == metadata || !isMetadata && c.of == nil && c.name == field {
			return i, true
		}
	}
	return 0, false
}

// value returns what the column keeps of a text in a record of that time, in
// milliseconds, and whether the column can: whether text returns it unchanged.
func (k columnKind) value(s string, at int64) (v any, ok bool) {
	switch k {
	case boolean:
		if s == "true" {
			return uint8(1), true
		}
		return uint8(0), s == "false"
	case small:
		n, ok := number(s, 16)
		return uint16(n), ok
	case large:
		n, ok := number(s, 64)
		return n, ok
	case moment:
		n, ok := number(s, 63)
		const far = 1 << 61 // beyond, differences overflow
		return int64(n) - at, ok && n < far && -far < at && at < far
	default:
		return s, true
	}
}

// number reads one that is written as strconv.FormatUint does.
func number(s string, bits int) (uint64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}

// target returns a place for the driver to read a value of the column to.
func (c *valueColumn) target() any {
	switch {
	case c.of != nil:
		return new(string)
	case c.kind == boolean:
		return new(*uint8)
	case c.kind == small:
		return new(*uint16)
	case c.kind == large:
		return new(*uint64)
	case c.kind == moment:
		return new(*int64)
	default:
		return new(*string)
	}
}

// textAt is the reverse of value, for what was read to a target. It is not ok for
// NULL.
func textAt(target any, at int64) (s string, ok bool) {
	switch v := target.(type) {
	case *string:
		return *v, true
	case **string:
		if *v != nil {
			return **v, true
		}
	case **uint8:
		if *v != nil {
			return strconv.FormatBool(**v == 1), true
		}
	case **uint16:
		if *v != nil {
			return strconv.FormatUint(uint64(**v), 10), true
		}
	case **uint64:
		if *v != nil {
			return strconv.FormatUint(**v, 10), true
		}
	case **int64:
		if *v != nil {
			return strconv.FormatInt(at+**v, 10), true
		}
	}
	return "", false
}

// typed is the column's value in SQL, which may be NULL.
func (c *valueColumn) typed() string {
	if c.kind == moment {
		return `("time" + "` + c.name + `")`
	}
	return `"` + c.name + `"`
}

// sql is the column's value as text, in SQL, which may be NULL: what textAt
// returns.
func (c *valueColumn) sql() string {
	switch c.kind {
	case text:
		return `"` + c.name + `"`
	case boolean:
		return `multiIf("` + c.name + `" = 1, 'true', "` + c.name + `" = 0, 'false', NULL)`
	default:
		return `toString(` + c.typed() + `)`
	}
}
