package audit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotAudit is what [Decode] returns for a line that is well-formed, or of no form at all, but not an audit event of
// Konnect's. A line that set out to be one and is malformed gives other errors.
var ErrNotAudit = errors.New("not a Konnect audit event")

// Decoded is what a line says.
type Decoded struct {
	Format    Format
	Event     Event
	Signature []byte  // 64 bytes, not verified; nil where there is none, or none that is well-formed
	Extra     []Field // what is no part of Event, in the order met
}

// Decode reads a line in any of the formats, which it knows by the first byte.
//
// It is more lenient than the encoders are: fields may stand in any order, numbers and booleans may be strings and the
// other way round, and types, outcomes and fields that Konnect does not have today are taken. A name that is
// given twice is not, for readers differ in which of the two they believe. So a decoded Event need not be valid, and need
// not encode to the same bytes; a caller to whom that matters compares them. The line of a valid event of ours decodes to that
// event, with an empty Product filled in.
//
// Unknown fields go to Extra: those of JSON as they are if they are strings, as compact JSON if they are not. So do a sig
// that is no signature and a success that contradicts the outcome. The members that CPS has around the event come
// last. Values that follow from the event, such as the severity, are not compared with it.
func Decode(line []byte) (Decoded, error) {
	d, err := decode(line)
	if err != nil {
		return Decoded{}, fmt.Errorf("decoding an audit line: %w", err)
	}
	return d, nil
}

func decode(line []byte) (Decoded, error) {
	if text := trimJSONSpace(line); looksLikeJSON(text) {
		return decodeJSON(text)
	}
	return decodeCEF(line)
}

func decodeCEF(line []byte) (Decoded, error) {
	var room [24]Field
	c, err := parseCEF(string(line), room[:0])
	if errors.Is(err, errNoCEF) {
		return Decoded{}, fmt.Errorf("%w: %w", ErrNotAudit, err)
	}
	if err != nil {
		return Decoded{}, err
	}
	if name, twice := givenTwice(c.Extensions, func(f *Field) string { return f.Name }); twice {
		return Decoded{}, fmt.Errorf("extension %q is given twice", name)
	}
	h := header{vendor: c.Vendor, product: c.Product, class: c.Class, name: c.Name}
	if !c.Time.IsZero() && c.Time.Year() > 0 { // RFC 3164 has no year
		h.stamp = c.Time
	}
	b, err := newBuilder(CEF, h)
	if err != nil {
		return Decoded{}, err
	}
	for _, f := range c.Extensions {
		if err := b.take(f); err != nil {
			return Decoded{}, err
		}
	}
	return b.finish()
}

func decodeJSON(line []byte) (Decoded, error) {
	var room [32]member
	members, err := parseObject(line, room[:0])
	if err != nil {
		return Decoded{}, err
	}
	for i := range members {
		if members[i].name == "event" && members[i].first == '{' {
			return decodeCPS(members, i)
		}
	}
	b, err := buildFromMembers(JSON, members)
	if err != nil {
		return Decoded{}, err
	}
	return b.finish()
}

// decodeCPS reads the event that is a member of an envelope.
func decodeCPS(envelope []member, event int) (Decoded, error) {
	var room [32]member
	members, err := appendMembers(room[:0], envelope[event].value)
	if err != nil {
		return Decoded{}, err
	}
	b, err := buildFromMembers(CPS, members)
	if err != nil {
		return Decoded{}, err
	}
	for i := range envelope {
		if i != event {
			b.decoded.Extra = append(b.decoded.Extra, envelope[i].field())
		}
	}
	return b.finish()
}

func buildFromMembers(f Format, members []member) (*builder, error) {
	h, err := jsonHeader(members)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(f, h)
	if err != nil {
		return nil, err
	}
	for i := range members {
		if isHeaderMember(members[i].name) {
			continue
		}
		_, known := fieldNamed(members[i].name, b.decoded.Event.Kind)
		if known && members[i].first == 'n' {
			continue // null is as good as left out
		}
		if err := b.take(members[i].field()); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// header is what the CEF header says, in either form.
type header struct {
	vendor, product, class, name string
	stamp                        time.Time
}

func jsonHeader(members []member) (h header, err error) {
	for i := range members {
		value := members[i].value
		switch members[i].name {
		case "event_vendor":
			h.vendor = value
		case "event_product":
			h.product = value
		case "event_class_id":
			h.class = value
		case "name":
			h.name = value
		case "event_ts":
			stamp, ok := parseISOTime(value)
			if !ok {
				return h, fmt.Errorf("event_ts %q is not a time as in RFC 3339", value)
			}
			h.stamp = stamp
		}
	}
	return h, nil
}

func isHeaderMember(name string) bool {
	switch name {
	case "cef_version", "event_class_id", "event_product", "event_ts", "event_vendor", "event_version", "name", "severity":
		return true
	default:
		return false
	}
}

// event knows the kind by the form of the name. No name is of two forms, whatever was put into it.
func (h header) event() (Event, error) {
	if h.vendor != vendor {
		return Event{}, fmt.Errorf("%w: its vendor is %q, not %s", ErrNotAudit, h.vendor, vendor)
	}
	if resource, ok := strings.CutPrefix(h.name, resourcePrefix); ok {
		return Event{Kind: Authorization, Product: h.product, Service: h.class, Resource: resource}, nil
	}
	authType, ofType := strings.CutPrefix(h.class, authTypePrefix)
	if outcome, ok := strings.CutPrefix(h.name, outcomePrefix); ok && ofType {
		return Event{Kind: Authentication, Product: h.product, AuthType: AuthType(authType), Outcome: Outcome(outcome)}, nil
	}
	if h.name == accessName && h.class == accessClass {
		return Event{Kind: Access, Product: h.product}, nil
	}
	return Event{}, fmt.Errorf("%w: class %q with name %q is of no known kind", ErrNotAudit, h.class, h.name)
}
