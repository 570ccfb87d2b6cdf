package duckdb

import (
	"cmp"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// The values of "form": the line's format, and above it what must be escaped to
// write the line, because that costs the engine time.
const (
	formCEF  = 1
	formJSON = 2
	formCPS  = 3

	formPlain      = 0  // nothing
	formEscaped    = 10 // backslashes, equals signs, quotes, bars
	formControlled = 20 // newlines and tabs too, which become letters
	formLevels     = 10
)

// writer makes rows of records. It keeps its memory from one batch to the next.
type writer struct {
	names   []string       // of all columns, in the table's order
	columns map[string]int // of parsed fields, to their place in valueColumns
	memory  []driver.Value

	content content        // of all that rows were made of so far
	row     []driver.Value // the one that is being made, of all columns
	fields  []search.Field // its record's, in their normal form but for the order
}

// The places of the columns before the values.
const (
	atForm       = 6
	atStamp      = 7
	atSignature  = 8
	atRawBytes   = 9
	atNames      = 10
	atContents   = 11
	firstOfValue = 12
)

func newWriter() *writer {
	w := &writer{columns: map[string]int{}, names: strings.Split(strings.ReplaceAll(readList(), `"`, ""), ", ")}
	for i, c := range valueColumns {
		if c.of == nil {
			w.columns[c.name] = i
		}
	}
	return w
}

// table returns a row for each record, with ordinals after the one given, and
// the names of their columns: without those in which no row has anything, for
// each value handed to the engine costs time. It is valid until the next call.
func (w *writer) table(records []search.Record, ordinal int64) (columns []string, rows [][]driver.Value) {
	width := len(w.names)
	w.memory = append(w.memory[:0], make([]driver.Value, len(records)*width)...)
	used := make([]bool, width)
	for i := range records {
		w.row = w.memory[i*width : (i+1)*width]
		w.setRow(&records[i], ordinal+int64(i)+1)
		for c, v := range w.row {
			used[c] = used[c] || v != nil
		}
	}
	var kept []int
	for c, u := range used {
		if u {
			kept = append(kept, c)
			columns = append(columns, w.names[c])
		}
	}
	rows = make([][]driver.Value, len(records))
	for i := range rows {
		row := w.memory[i*width : (i+1)*width]
		for to, from := range kept {
			row[to] = row[from]
		}
		rows[i] = row[:len(kept)]
	}
	return columns, rows
}

func (w *writer) setRow(r *search.Record, ordinal int64) {
	at := r.Time.UnixMilli()
	copy(w.row, []driver.Value{ordinal, at, r.Receipt.UnixMilli(), r.Timed, search.Text(r.SourceID), engine.UUID(r.Identity)})
	w.setFields(r.Fields, at)
	for i := range valueColumns {
		if c := &valueColumns[i]; c.of != nil {
			if s := *c.of(r); s != "" {
				w.row[firstOfValue+i] = search.Text(s)
				w.content.note(i, s)
			}
		}
	}
	w.setRaw(r)
}

// setFields puts each field into its column, or, with those that have none, into
// the lists. Of a name that comes twice, the first counts.
func (w *writer) setFields(fields []search.Field, at int64) {
	w.fields = w.fields[:0]
	var names, contents []string
	var listed map[string]bool
	for _, f := range fields {
		f.Name, f.Value = search.Text(f.Name), search.Text(f.Value)
		i, hasColumn := w.columns[f.Name]
		if hasColumn && w.row[firstOfValue+i] != nil || listed[f.Name] {
			continue
		}
		w.fields = append(w.fields, f)
		if hasColumn {
			if v, ok := valueColumns[i].kind.value(f.Value, at); ok {
				w.row[firstOfValue+i] = v
				if valueColumns[i].kind == text {
					w.content.note(i, f.Value)
				}
				continue
			}
			w.content.odd.add(i)
		}
		if listed == nil {
			listed = map[string]bool{}
		}
		listed[f.Name] = true
		names, contents = append(names, f.Name), append(contents, f.Value)
	}
	if names != nil {
		w.row[atNames], w.row[atContents] = names, contents
	}
}

// setRaw keeps the raw line, or what it can be written from, and in any case its
// signature.
func (w *writer) setRaw(r *search.Record) {
	normal := search.Record{Fields: w.fields, Raw: r.Raw}
	// An event's fields fit their columns, but for a time that is too far away.
	hasTime := w.row[firstOfValue+w.columns["rt"]] != nil
	if form, ok := search.FormOf(&normal); ok && hasTime {
		number := formNumber(form.Format) + escapes(w.fields)
		w.row[atForm] = number
		w.content.forms.add(int(number))
		if !form.Stamp.IsZero() {
			w.row[atStamp] = form.Stamp.Unix()
		}
		if form.Signature != nil {
			w.row[atSignature] = form.Signature
		}
		w.row[firstOfValue+rawColumn()] = nil
		return
	}
	w.content.forms.add(keptForm)
	if !utf8.ValidString(r.Raw) {
		w.row[atRawBytes] = []byte(r.Raw)
	}
	if _, signature, signed := audit.SignedPart([]byte(r.Raw)); signed {
		w.row[atSignature] = signature
	}
}

func rawColumn() int {
	return slices.IndexFunc(valueColumns[:], func(c valueColumn) bool { return c.name == "raw" })
}

func formNumber(f audit.Format) uint8 {
	switch f {
	case audit.JSON:
		return formJSON
	case audit.CPS:
		return formCPS
	default:
		return formCEF
	}
}

func formatOf(form uint8) audit.Format {
	switch form % formLevels {
	case formJSON:
		return audit.JSON
	case formCPS:
		return audit.CPS
	default:
		return audit.CEF
	}
}

func escapes(fields []search.Field) (level uint8) {
	for _, f := range fields {
		switch {
		case strings.ContainsAny(f.Value, "\n\r\t"):
			return formControlled
		case strings.ContainsAny(f.Value, `\=|"`):
			level = formEscaped
		}
	}
	return level
}

// readList is the columns that a reader wants, in the order of its targets.
func readList() string {
	names := make([]string, len(valueColumns))
	for i, c := range valueColumns {
		names[i] = `"` + c.name + `"`
	}
	return `"ordinal", "time", "receipt", "timed", "source_id", "identity", "form", "stamp", "signature_bytes", "raw_bytes", "names", "contents", ` +
		strings.Join(names, ", ")
}

// reader reads rows of a selection into records.
type reader struct {
	ordinal, time, receipt        int64
	timed                         bool
	sourceID                      string
	identity, signature, rawBytes []byte
	form                          sql.Null[uint8]
	stamp                         sql.NullInt64
	names, contents               any // lists of text, or nil
	values                        []any
	targets                       []any
}

func newReader() *reader {
	s := &reader{values: make([]any, len(valueColumns))}
	s.targets = []any{
		&s.ordinal, &s.time, &s.receipt, &s.timed, &s.sourceID, &s.identity, &s.form, &s.stamp, &s.signature,
		&s.rawBytes, &s.names, &s.contents,
	}
	for i := range s.values {
		s.targets = append(s.targets, &s.values[i])
	}
	return s
}

func (s *reader) record(rows *sql.Rows) (search.Record, error) {
	if err := rows.Scan(s.targets...); err != nil {
		return search.Record{}, fmt.Errorf("read a record: %w", err)
	}
	r := search.Record{
		Time:     time.UnixMilli(s.time).UTC(),
		Receipt:  time.UnixMilli(s.receipt).UTC(),
		Timed:    s.timed,
		SourceID: s.sourceID,
		Identity: [16]byte(s.identity),
		Fields:   make([]search.Field, 0, 20),
	}
	for i, c := range valueColumns {
		value, ok := c.kind.text(s.values[i], s.time)
		switch {
		case c.of != nil:
			*c.of(&r) = value
		case ok:
			r.Fields = append(r.Fields, search.Field{Name: c.name, Value: value})
		}
	}
	if err := s.appendLists(&r); err != nil {
		return search.Record{}, err
	}
	if len(r.Fields) == 0 {
		r.Fields = nil
	}
	slices.SortFunc(r.Fields, func(a, b search.Field) int { return cmp.Compare(a.Name, b.Name) })
	return r, s.setRaw(&r)
}

// setRaw writes the raw line where the table does not have it.
func (s *reader) setRaw(r *search.Record) (err error) {
	switch {
	case s.rawBytes != nil:
		r.Raw = string(s.rawBytes)
	case s.form.Valid:
		form := search.Form{Format: formatOf(s.form.V), Signature: s.signature}
		if s.stamp.Valid {
			form.Stamp = time.Unix(s.stamp.Int64, 0).UTC()
		}
		var ok bool
		if r.Raw, ok = form.Line(r.Fields); !ok {
			return fmt.Errorf("write the line of record %d from its fields: they are not those of an audit event", s.ordinal)
		}
	}
	return nil
}

func (s *reader) appendLists(r *search.Record) error {
	if s.names == nil {
		return nil
	}
	names, ok := s.names.([]any)
	contents, ok2 := s.contents.([]any)
	if !ok || !ok2 || len(names) != len(contents) {
		return fmt.Errorf("read a record's fields: got %T and %T", s.names, s.contents)
	}
	for i := range names {
		name, ok := names[i].(string)
		value, ok2 := contents[i].(string)
		if !ok || !ok2 {
			return fmt.Errorf("read a record's fields: got %T and %T", names[i], contents[i])
		}
		r.Fields = append(r.Fields, search.Field{Name: name, Value: value})
	}
	return nil
}
