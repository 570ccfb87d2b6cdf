package duckdb

import (
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// textColumn is a column of text: NULL where the record has nothing to put there.
type textColumn struct {
	name string // in the table, and for a parsed field in the language too
	term string // the metadata field of the language that it holds, or empty

	// of gives the record's string that the column holds. It is nil for a
	// parsed field, which is found among the record's fields by its name.
	of func(*search.Record) *string
}

// textColumns is what writing, reading and compiling a query go by. A parsed
// field that has no column here goes into the map "fields".
//
// Everything parsed is kept as text, numbers and truth values too: a line may
// claim status=abc, and nothing that a line claims is lost or refused. The same
// few values repeat, so that the engine's dictionaries keep them small.
var textColumns = [...]textColumn{
	{"collector", "_collector", func(r *search.Record) *string { return &r.Collector }},
	{"source", "_source", func(r *search.Record) *string { return &r.Source }},
	{"source_category", "_sourceCategory", func(r *search.Record) *string { return &r.Category }},
	{"source_host", "_sourceHost", func(r *search.Record) *string { return &r.Host }},
	{"source_name", "_sourceName", func(r *search.Record) *string { return &r.Name }},
	{"signature", "_signature", func(r *search.Record) *string { return &r.Signature }},
	{"keyid", "_keyid", func(r *search.Record) *string { return &r.KeyID }},
	{"parse_error", "_parse_error", func(r *search.Record) *string { return &r.ParseError }},
	{"raw", "_raw", func(r *search.Record) *string { return &r.Raw }},
	{name: "kind"},
	{name: "vendor"},
	{name: "product"},
	{name: "class"},
	{name: "name"},
	{name: "severity"},
	{name: "action"},
	{name: "granted"},
	{name: "success"},
	{name: "status"},
	{name: "act"},
	{name: "request"},
	{name: "query"},
	{name: "org_id"},
	{name: "portal_id"},
	{name: "principal_id"},
	{name: "principal_name"},
	{name: "actor_id"},
	{name: "src"},
	{name: "user_agent"},
	{name: "trace_id"},
}

// columnOf returns the column that holds what a name of the language stands for.
func columnOf(field string) (column string, ok bool) {
	metadata, isMetadata := search.Metadata(field)
	for _, c := range textColumns {
		if isMetadata && c.term == metadata || !isMetadata && c.of == nil && c.name == field {
			return c.name, true
		}
	}
	return "", false
}

// textColumnNames returns the names in quotes, ready for SQL.
func textColumnNames() []string {
	names := make([]string, len(textColumns))
	for i, c := range textColumns {
		names[i] = `"` + c.name + `"`
	}
	return names
}

// columnList is every column of the table but the map, in the table's order.
func columnList() string {
	return `"ordinal", "time", "receipt", "source_id", "identity", "raw_bytes", ` + strings.Join(textColumnNames(), ", ")
}

// columnDefinitions goes with columnList. Times are milliseconds since the
// epoch, as in the lines: the engine's own type overflows for times that a line
// can claim. raw_bytes is set only for a raw line that is not valid UTF-8, which
// text cannot hold; "raw" is then what a search sees of it.
func columnDefinitions() string {
	return `"ordinal" BIGINT NOT NULL, "time" BIGINT NOT NULL, "receipt" BIGINT NOT NULL,
		"source_id" VARCHAR NOT NULL, "identity" UUID NOT NULL, "raw_bytes" BLOB, ` +
		strings.Join(textColumnNames(), " VARCHAR, ") + " VARCHAR"
}
