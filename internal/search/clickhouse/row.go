package clickhouse

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// The values of "form": whether the line is kept, else its format.
const (
	keptForm = 0
	formCEF  = 1
	formJSON = 2
	formCPS  = 3
)

// lastStamp is the year 2100: the engine's type for times ends soon after.
const lastStamp = 4102444800

// row is a record as the table has it.
type row struct {
	values []any // of all columns, in the table's order
	fields []search.Field
	stored *content

	names, contents     []string
	foldedNames, folded []string
}

// rowOf makes a row, and adds what it has to what is stored. Of a field's name that
// comes twice, the first counts.
func rowOf(r *search.Record, ordinal int64, stored *content) []any {
	w := row{stored: stored, names: []string{}, contents: []string{}, foldedNames: []string{}, folded: []string{}}
	at := r.Time.UnixMilli()
	values := w.setFields(r.Fields, at)
	for i := range valueColumns {
		if c := &valueColumns[i]; c.of != nil && c.name != "raw" {
			s := search.Text(*c.of(r))
			values[i] = s
			stored.note(i, s)
			w.fold(i, c.term, s)
		}
	}
	kept, form, stamp, signature := w.lineOf(r)
	w.setRaw(r.Raw, kept, values)
	stored.forms.add(int(form))
	w.values = []any{
		ordinal, at, r.Receipt.UnixMilli(), bit(r.Timed), search.Text(r.SourceID), string(r.Identity[:]), w.size(r), form, stamp, signature,
		w.names, w.contents, w.foldedNames, w.folded,
	}
	return append(w.values, values...)
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// setFields returns the values of the columns with each field in its own, and puts
// those that have none into the lists.
func (w *row) setFields(fields []search.Field, at int64) []any {
	values := make([]any, len(valueColumns))
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		f.Name, f.Value = search.Text(f.Name), search.Text(f.Value)
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		w.fields = append(w.fields, f)
		i := fieldColumn(f.Name)
		if _, unreachable := search.Metadata(f.Name); !unreachable {
			w.fold(i, f.Name, f.Value)
		}
		if i >= 0 {
			if v, ok := valueColumns[i].kind.value(f.Value, at); ok {
				values[i] = v
				w.stored.note(i, f.Value)
				continue
			}
			w.stored.odd.add(i)
		}
		w.names, w.contents = append(w.names, f.Name), append(w.contents, f.Value)
	}
	return values
}

func fieldColumn(name string) int {
	return slices.IndexFunc(valueColumns[:], func(c valueColumn) bool { return c.of == nil && c.name == name })
}

func rawColumn() int {
	return slices.IndexFunc(valueColumns[:], func(c valueColumn) bool { return c.name == "raw" })
}

// setRaw sets what is kept of the line, and what a search sees of one that is no
// text.
func (w *row) setRaw(raw, kept string, values []any) {
	i := rawColumn()
	values[i] = kept
	w.fold(i, "_raw", raw)
	if !utf8.ValidString(raw) {
		w.stored.odd.add(i)
		w.foldedNames, w.folded = append(w.foldedNames, textName), append(w.folded, search.Text(raw))
	}
}

// textName is the name of a line among what is folded, of which there is what a
// search sees of it, its letters as they are. No field has it, as it is not UTF-8.
const textName = "\xff"

// fold keeps the folded form of a value that the engine cannot fold. Without a
// column, its place is -1.
func (w *row) fold(column int, name, value string) {
	if strings.IndexFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		if column >= 0 {
			w.stored.foreign.add(column)
		}
		w.foldedNames, w.folded = append(w.foldedNames, name), append(w.folded, search.Fold(value))
	}
}

// lineOf returns the raw line to keep, or what it can be written from, and in any
// case its signature.
func (w *row) lineOf(r *search.Record) (kept string, form uint8, stamp uint32, signature string) {
	normal := search.Record{Fields: w.fields, Raw: r.Raw}
	f, ok := search.FormOf(&normal)
	seconds := f.Stamp.Unix()
	if f.Stamp.IsZero() {
		seconds = 0
	} else if seconds == 0 {
		ok = false // a stamp of 0 is none
	}
	if _, bytes, signed := audit.SignedPart([]byte(r.Raw)); signed {
		signature = base64.RawURLEncoding.EncodeToString(bytes)
	}
	if !ok || seconds >= lastStamp || !w.writable(r.Time.UnixMilli()) {
		return r.Raw, 0, 0, signature
	}
	return "", formNumber(f.Format), uint32(seconds), signature
}

// writable says whether the engine can write a line of the fields: newlines and
// tabs become letters there, and a keyword looks for what is in a value.
func (w *row) writable(at int64) bool {
	for _, f := range w.fields {
		if strings.ContainsAny(f.Value, "\n\r\t") {
			return false
		}
		if f.Name == "rt" {
			ms, ok := number(f.Value, 63)
			_, fits := moment.value(f.Value, at)
			if !ok || !fits || ms/1000 >= lastStamp {
				return false
			}
		}
	}
	return true
}

// size is about what the record takes in memory.
func (w *row) size(r *search.Record) uint32 {
	n := 500 + len(r.Raw)
	for _, f := range w.fields {
		n += 32 + len(f.Name) + len(f.Value)
	}
	return uint32(min(n, 1<<32-1))
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
	switch form {
	case formJSON:
		return audit.JSON
	case formCPS:
		return audit.CPS
	default:
		return audit.CEF
	}
}

// readList is the columns that a reader wants, in the order of its targets.
func readList() string {
	list := `"ordinal", "time", "receipt", "timed", "source_id", "identity", "form", "stamp", "signature_text", "names", "contents"`
	for _, c := range valueColumns {
		list += `, "` + c.name + `"`
	}
	return list
}

// reader reads rows of a selection into records.
type reader struct {
	ordinal, time, receipt        int64
	timed, form                   uint8
	stamp                         uint32
	sourceID, identity, signature string
	names, contents               []string
	values, targets               []any
}

func newReader() *reader {
	s := &reader{}
	s.targets = []any{
		&s.ordinal, &s.time, &s.receipt, &s.timed, &s.sourceID, &s.identity, &s.form, &s.stamp, &s.signature, &s.names, &s.contents,
	}
	for i := range valueColumns {
		s.values = append(s.values, valueColumns[i].target())
	}
	s.targets = append(s.targets, s.values...)
	return s
}

func (s *reader) record(rows driver.Rows) (search.Record, error) {
	if err := rows.Scan(s.targets...); err != nil {
		return search.Record{}, fmt.Errorf("read a record: %w", err)
	}
	if len(s.identity) != 16 || len(s.names) != len(s.contents) {
		return search.Record{}, fmt.Errorf("read record %d: an identity of %d bytes, %d names and %d contents",
			s.ordinal, len(s.identity), len(s.names), len(s.contents))
	}
	r := search.Record{
		Time:     time.UnixMilli(s.time).UTC(),
		Receipt:  time.UnixMilli(s.receipt).UTC(),
		Timed:    s.timed == 1,
		SourceID: s.sourceID,
		Identity: [16]byte([]byte(s.identity)),
	}
	for i, c := range valueColumns {
		value, ok := textAt(s.values[i], s.time)
		switch {
		case c.of != nil:
			*c.of(&r) = value
		case ok:
			r.Fields = append(r.Fields, search.Field{Name: c.name, Value: value})
		}
	}
	for i := range s.names {
		r.Fields = append(r.Fields, search.Field{Name: s.names[i], Value: s.contents[i]})
	}
	slices.SortFunc(r.Fields, func(a, b search.Field) int { return cmp.Compare(a.Name, b.Name) })
	return r, s.setRaw(&r)
}

// setRaw writes the raw line where the table does not have it.
func (s *reader) setRaw(r *search.Record) (err error) {
	if s.form == 0 {
		return nil
	}
	form := search.Form{Format: formatOf(s.form)}
	if s.stamp > 0 {
		form.Stamp = time.Unix(int64(s.stamp), 0).UTC()
	}
	if s.signature != "" {
		if form.Signature, err = base64.RawURLEncoding.DecodeString(s.signature); err != nil {
			return fmt.Errorf("write the line of record %d: %w", s.ordinal, err)
		}
	}
	var ok bool
	if r.Raw, ok = form.Line(r.Fields); !ok {
		return fmt.Errorf("write the line of record %d from its fields: they are not those of an audit event", s.ordinal)
	}
	return nil
}
