package parquet

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/trailhook/trailhook/internal/search"
)

// metadata is what the collector knows of a message. What is empty becomes NULL.
var metadata = [...]struct {
	name string
	of   func(*search.Record) string
}{
	{"_collector", func(r *search.Record) string { return r.Collector }},
	{"_source", func(r *search.Record) string { return r.Source }},
	{"_sourceCategory", func(r *search.Record) string { return r.Category }},
	{"_sourceHost", func(r *search.Record) string { return r.Host }},
	{"_sourceName", func(r *search.Record) string { return r.Name }},
	{"_signature", func(r *search.Record) string { return r.Signature }},
	{"_keyid", func(r *search.Record) string { return r.KeyID }},
	{"_parse_error", func(r *search.Record) string { return r.ParseError }},
	{"_time_note", func(r *search.Record) string { return r.TimeNote }},
}

// known are the fields of audit events, which have columns. A value that is not
// written as its column would write it, such as status=abc, is with the other
// fields: nothing that a line claims is lost or changed.
var known = [...]struct {
	name string
	kind kind
}{
	{"kind", texts}, {"vendor", texts}, {"product", texts}, {"class", texts}, {"name", texts}, {"severity", wholes},
	{"action", texts}, {"granted", booleans}, {"success", booleans}, {"status", wholes}, {"act", texts}, {"request", texts}, {"query", texts},
	{"org_id", texts}, {"portal_id", texts}, {"principal_id", texts}, {"principal_name", texts}, {"actor_id", texts}, {"kong_initiated", booleans},
	{"src", texts}, {"user_agent", texts}, {"trace_id", wholes}, {"rt", wholes},
}

// The places of the columns.
const (
	atTime    = 0
	atReceipt = 1
	firstMeta = 2
	atRaw     = firstMeta + len(metadata)
	atBytes   = atRaw + 1
	firstOf   = atBytes + 1
	atNames   = firstOf + len(known)
	atValues  = atNames + 1
	width     = atValues + 1
)

// messageColumns are those of every export of messages, so that files of different
// days and queries fit together.
func messageColumns() []column {
	columns := make([]column, width, width+1)
	columns[atTime] = column{name: "_time", kind: moments}
	columns[atReceipt] = column{name: "_receipttime", kind: moments}
	for i, m := range metadata {
		columns[firstMeta+i] = column{name: m.name, kind: texts}
	}
	columns[atRaw] = column{name: "_raw", kind: texts}
	columns[atBytes] = column{name: "_raw_bytes", kind: blobs} // of a line that is not text
	for i, k := range known {
		columns[firstOf+i] = column{name: k.name, kind: k.kind}
	}
	columns[atNames] = column{kind: lists}
	columns[atValues] = column{kind: lists}
	return append(columns, column{name: "fields", kind: maps, of: fmt.Sprintf("map(c%d, c%d)", atNames, atValues)})
}

// messageRow makes rows of messages. It keeps its memory from one to the next.
type messageRow struct {
	places map[string]int // of the known fields; -1 of metadata
	row    []driver.Value
}

func newMessageRow() *messageRow {
	m := &messageRow{places: map[string]int{"_time": -1, "_receipttime": -1, "_raw": -1}, row: make([]driver.Value, width)}
	for _, c := range metadata {
		m.places[c.name] = -1
	}
	for i, k := range known {
		m.places[k.name] = firstOf + i
	}
	return m
}

// values is good until the next call. A field with the name of metadata, which a
// query can set, does not pass for it.
func (m *messageRow) values(r *search.Record) []driver.Value {
	clear(m.row)
	m.row[atTime], m.row[atReceipt] = r.Time, r.Receipt
	for i, c := range metadata {
		if s := c.of(r); s != "" {
			m.row[firstMeta+i] = s
		}
	}
	m.row[atRaw] = search.Text(r.Raw)
	if !utf8.ValidString(r.Raw) {
		m.row[atBytes] = []byte(r.Raw)
	}
	names, values := []string{}, []string{}
	for _, f := range r.Fields {
		place, hasColumn := m.places[f.Name]
		if hasColumn && place < 0 {
			continue
		}
		if hasColumn {
			if v, ok := known[place-firstOf].kind.value(f.Value); ok {
				m.row[place] = v
				continue
			}
		}
		names, values = append(names, f.Name), append(values, f.Value)
	}
	m.row[atNames], m.row[atValues] = names, values
	return m.row
}

// value returns what a column keeps of a text, and whether it reads the same.
func (k kind) value(s string) (v driver.Value, ok bool) {
	switch k {
	case booleans:
		return s == "true", s == "true" || s == "false"
	case wholes:
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == s
	}
	return s, true
}
