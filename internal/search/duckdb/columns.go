package duckdb

import (
	"database/sql/driver"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// valueColumn is a column of one value that queries know by a name: NULL where
// the record has nothing to put there.
type valueColumn struct {
	name string // in the table, and for a parsed field in the language too
	kind columnKind
	term string // the metadata field of the language that it holds, or empty

	// of gives the record's string that the column holds. It is nil for a
	// parsed field, which is found among the record's fields by its name.
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
	{"raw", text, "_raw", func(r *search.Record) *string { return &r.Raw }}, // NULL where "form" says how it is written
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

// otherColumns come before the values in the table. Times are milliseconds since
// the epoch, as in the lines: the engine's own type overflows for times that a
// line can claim. "form", "stamp" and "signature_bytes" are what line.go writes a
// raw line from, beside the fields. raw_bytes is set only for a raw line that is
// not valid UTF-8, which text cannot hold; "raw" is then what a search sees of it.
// Hashes and signatures do not compress: the engine need not try.
const otherColumns = `"ordinal" BIGINT NOT NULL, "time" BIGINT NOT NULL, "receipt" BIGINT NOT NULL, "timed" BOOLEAN NOT NULL,
	"source_id" VARCHAR NOT NULL, "identity" UUID NOT NULL USING COMPRESSION uncompressed, "form" UTINYINT, "stamp" BIGINT,
	"signature_bytes" BLOB USING COMPRESSION uncompressed,
	"raw_bytes" BLOB, "names" VARCHAR[], "contents" VARCHAR[]`

// columnDefinitions is every column of the table, in its order.
func columnDefinitions() string {
	var b strings.Builder
	b.WriteString(otherColumns)
	for _, c := range valueColumns {
		b.WriteString(`, "` + c.name + `" ` + c.kind.sqlType())
	}
	return b.String()
}

func (k columnKind) sqlType() string {
	return [...]string{text: "VARCHAR", boolean: "BOOLEAN", small: "USMALLINT", large: "UBIGINT", moment: "BIGINT"}[k]
}

// columnOf returns the place of the column that holds what a name of the language stands for.
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
func (k columnKind) value(s string, at int64) (v driver.Value, ok bool) {
	switch k {
	case boolean:
		return s == "true", s == "true" || s == "false"
	case small:
		n, ok := number(s, 16)
		return uint16(n), ok
	case large:
		return number(s, 64)
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

// text is the reverse of value, for what comes from the engine. It is not ok for
// NULL.
func (k columnKind) text(v any, at int64) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case uint16:
		return strconv.FormatUint(uint64(v), 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case int64:
		return strconv.FormatInt(at+v, 10), true
	default:
		return "", false
	}
}

// typed is the column's value in SQL.
func (c *valueColumn) typed() string {
	if c.kind == moment {
		return `("time" + "` + c.name + `")`
	}
	return `"` + c.name + `"`
}

// sql is the column's value as text, in SQL: what text returns.
func (c *valueColumn) sql() string {
	if c.kind == text {
		return c.typed()
	}
	return `CAST(` + c.typed() + ` AS VARCHAR)`
}
