package collector

import (
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// wrapping is what stands around a line's payload and says something of it: the
// envelope of an event collector, the header of a syslog message.
type wrapping struct {
	time                 time.Time // zero if it says none
	host, name, category string    // metadata; empty if it says none
	fields               []search.Field
	plain                bool // a payload of no known form is no mistake
}

// unwrap finds the payload of a line: what its signature covers and what its
// fields are read from. The two must be the same bytes, or a sender could put
// forged fields beside a genuine signature. The wrapping itself is signed by
// nobody, even where the verdict on the payload is valid.
func (o *Origin) unwrap(line []byte) ([]byte, wrapping) {
	switch {
	case o.HEC:
		return unwrapEvent(line)
	case len(line) > 0 && line[0] == '<': // a relay may send syslog over HTTP as well
		return unwrapSyslog(line, o.ReceivedAt)
	}
	return line, wrapping{}
}

// payload is the part of a line that its signature covers, if it has one.
func (o *Origin) payload(line []byte) []byte {
	payload, _ := o.unwrap(line)
	return payload
}

// wrap adds what the wrapping says; what the payload says of itself comes first.
func (p *parsed) wrap(w wrapping) {
	if p.time.IsZero() {
		p.time = w.time
	}
	if w.plain && p.problem == noForm {
		p.problem = ""
	}
	for _, field := range w.fields {
		p.add(field.Name, field.Value)
	}
}
