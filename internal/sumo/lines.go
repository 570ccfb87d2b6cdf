package sumo

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/trailhook/trailhook/internal/search"
)

// lineWriter writes JSON objects, one a line.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
	line  bytes.Buffer
}

// begin sends the headers; from then on the status is 200.
func (o *lineWriter) begin() {
	if !o.begun {
		o.w.Header().Set("Content-Type", "application/x-ndjson")
		o.begun = true
		o.w.WriteHeader(http.StatusOK)
	}
}

// write sends one object. Bytes of a raw line that are not UTF-8 become U+FFFD:
// JSON has no other way.
func (o *lineWriter) write(fields []field) error {
	o.begin()
	o.line.Reset()
	for i, f := range fields {
		o.name(i, f.name)
		o.text(f.value)
	}
	return o.send()
}

// name begins a member of the object.
func (o *lineWriter) name(i int, name string) {
	separator := byte(',')
	if i == 0 {
		separator = '{'
	}
	o.line.WriteByte(separator)
	o.text(name)
	o.line.WriteByte(':')
}

// send ends the object and sends it.
func (o *lineWriter) send() error {
	o.line.WriteString("}\n")
	if _, err := o.w.Write(o.line.Bytes()); err != nil {
		return errGone
	}
	return nil
}

// table sends the rows of a table.
func (o *lineWriter) table(t *search.Table) error {
	for _, row := range t.Rows {
		o.begin()
		o.line.Reset()
		for i, v := range row {
			o.name(i, t.Columns[i].Name)
			if v.Kind() == search.KindNull {
				o.line.WriteString("null")
			} else {
				o.text(v.String())
			}
		}
		if err := o.send(); err != nil {
			return err
		}
	}
	return nil
}

func (o *lineWriter) text(s string) {
	encoder := json.NewEncoder(&o.line)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)                 // a string always encodes
	o.line.Truncate(o.line.Len() - 1) // the newline that Encode adds
}
