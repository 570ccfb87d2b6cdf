package search

import (
	"encoding/binary"
	"math"
)

// row is a message or a row of a table on its way through the stages.
type row struct {
	record *Record          // of a message
	weight int              // how many messages or rows it stands for: those that stages cannot tell apart
	fields map[string]Value // nil for a message that has the fields of its record

	fitted bool // one of the parse stages with NoDrop before this one
	held   bool // counted as held
}

func (r *row) value(name string) Value {
	if r.record == nil {
		return r.fields[name]
	}
	switch {
	case name == messageTime:
		return NumberValue(float64(r.record.Time.UnixMilli()))
	case name == receiptTime:
		return NumberValue(float64(r.record.Receipt.UnixMilli()))
	case r.fields != nil && !ofEveryMessage(name):
		return r.fields[name]
	}
	text, ok := r.record.value(name)
	if !ok {
		return Value{}
	}
	return TextValue(Text(text))
}

func (r *row) set(name string, v Value) {
	r.own()
	r.fields[name] = v
}

// own takes the record's fields into the row, where stages can change them.
func (r *row) own() {
	if r.fields != nil {
		return
	}
	r.fields = map[string]Value{}
	for _, f := range normalFields(r.record.Fields) {
		r.fields[f.Name] = TextValue(f.Value)
	}
}

// keep keeps the fields of these names, or with except all others.
func (r *row) keep(names map[string]bool, except bool) {
	r.own()
	for name := range r.fields {
		if names[name] == except {
			delete(r.fields, name)
		}
	}
}

func (r *row) values(columns []Column) []Value {
	values := make([]Value, len(columns))
	for i, c := range columns {
		values[i] = r.value(c.Name)
	}
	return values
}

// message returns the record with the fields that the stages left.
func (r *row) message() Record {
	record := *r.record
	if r.fields != nil {
		record.Fields = nil
		for name, v := range r.fields {
			if !v.null() {
				record.Fields = append(record.Fields, Field{Name: name, Value: v.String()})
			}
		}
	}
	return record.Normal()
}

func (r *row) size() int {
	size := rowOverhead
	for name, v := range r.fields {
		size += len(name) + len(v.text) + rowOverhead
	}
	if r.record == nil {
		return size
	}
	size += 512 + len(r.record.Raw)
	for _, f := range r.record.Fields {
		size += len(f.Name) + len(f.Value) + rowOverhead
	}
	return size
}

// key returns a text that is the same for the same values and no others.
func key(values []Value) string {
	var b []byte
	for _, v := range values {
		b = append(b, byte(v.kind))
		switch v.kind {
		case KindText:
			b = binary.AppendUvarint(b, uint64(len(v.text)))
			b = append(b, v.text...)
		case KindNumber:
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v.number))
		}
	}
	return string(b)
}
