package search

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Record is one line that a collector took, with what is known of it.
//
// Raw is bytes and comes back from a Store byte for byte, whatever they are.
// Every other string is text, and a Store replaces what is not UTF-8 in it: see
// [Record.Normal], which says all that a Store may change.
type Record struct {
	Time    time.Time // when it happened: from the line where it says, else Receipt. UTC, millisecond
	Receipt time.Time // when the collector took it. UTC, millisecond

	// Timed says that the line itself says Time, so that it has the same one
	// however often it is received. A Store looks for an earlier copy of such a
	// line at that time only, and among the lines that are not Timed.
	Timed bool

	SourceID   string // the collector's id of the source
	Collector  string // _collector: the collector's name
	Source     string // _source: the source's name
	Category   string // _sourceCategory
	Host       string // _sourceHost
	Name       string // _sourceName
	Raw        string // _raw: the line as received, without its newline
	Identity   [16]byte
	Signature  string // _signature: the verdict, "valid", "invalid", "unsigned" or "unknown key"
	KeyID      string // _keyid: the key that fit, or empty
	ParseError string // _parse_error: why the line could not be parsed, or empty
	TimeNote   string // _time_note: what is odd about the line's times, or empty

	// Fields are what was parsed from the line, by the names of the CEF
	// extensions, plus kind, vendor, product, class, name and severity.
	// Of a name that comes twice, the first counts.
	Fields []Field
}

// Field is one name and value parsed from a line.
type Field struct{ Name, Value string }

// Key says which line of which source a record is. Two records with one key
// are the same line received twice, and a Store keeps one of them.
type Key struct {
	SourceID string
	Identity [16]byte
}

// Key returns the record's key.
func (r *Record) Key() Key { return Key{SourceID: Text(r.SourceID), Identity: r.Identity} }

// Normal returns the record as a Store gives it back: times in UTC, cut to the
// millisecond; strings other than Raw made valid by [Text]; fields sorted by
// name, and of each name only the first.
func (r Record) Normal() Record {
	r.Time = cutToMillisecond(r.Time)
	r.Receipt = cutToMillisecond(r.Receipt)
	for _, s := range []*string{
		&r.SourceID, &r.Collector, &r.Source, &r.Category, &r.Host, &r.Name, &r.Signature, &r.KeyID, &r.ParseError,
		&r.TimeNote,
	} {
		*s = Text(*s)
	}
	r.Fields = normalFields(r.Fields)
	return r
}

func cutToMillisecond(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// normalFields never touches the slice it is given. It returns nil for no fields.
func normalFields(fields []Field) []Field {
	var normal []Field
	for _, f := range fields {
		normal = append(normal, Field{Name: Text(f.Name), Value: Text(f.Value)})
	}
	slices.SortStableFunc(normal, func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(normal, func(a, b Field) bool { return a.Name == b.Name })
}

// value returns what a name of the language stands for in the record, and
// whether the record has it.
func (r *Record) value(name string) (string, bool) {
	if v := r.metadata(name); v != nil {
		return *v, *v != ""
	}
	name = Text(name)
	for _, f := range r.Fields {
		if Text(f.Name) == name {
			return f.Value, true
		}
	}
	return "", false
}

// setValue makes a name of the language stand for a value, which it did not
// stand for anything before.
func (r *Record) setValue(name, value string) {
	if v := r.metadata(name); v != nil {
		*v = value
		return
	}
	r.Fields = append(r.Fields, Field{Name: name, Value: value})
}

// metadata returns what a name of metadata stands for, and nil for other names.
func (r *Record) metadata(name string) *string {
	canonical, _ := Metadata(name)
	switch canonical {
	case "_collector":
		return &r.Collector
	case "_source":
		return &r.Source
	case "_sourceCategory":
		return &r.Category
	case "_sourceHost":
		return &r.Host
	case "_sourceName":
		return &r.Name
	case "_signature":
		return &r.Signature
	case "_keyid":
		return &r.KeyID
	case "_raw":
		return &r.Raw
	case "_parse_error":
		return &r.ParseError
	case "_time_note":
		return &r.TimeNote
	}
	return nil
}

// Metadata returns how the language spells the metadata field that name names
// in any case of letters, and whether it names one.
func Metadata(name string) (canonical string, ok bool) {
	for _, m := range [...]string{
		"_collector", "_source", "_sourceCategory", "_sourceHost", "_sourceName", "_signature", "_keyid", "_raw", "_parse_error",
		"_time_note",
	} {
		if strings.EqualFold(name, m) {
			return m, true
		}
	}
	return "", false
}
