package search

import (
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// Form is what the line of an audit event has beside its fields: with both, the
// line is written again byte for byte, so that a Store need not keep it.
type Form struct {
	Format    audit.Format
	Stamp     time.Time // the second at the head of the line; zero if it is that of rt
	Signature []byte    // 64 bytes, or nil if the line has none
}

// FormOf says how the record's raw line follows from its fields. It is not ok
// where it does not, or not to the last byte: such a line has to be kept. The
// fields must be as [Record.Normal] leaves them, in any order.
func FormOf(r *Record) (form Form, ok bool) {
	e, ok := eventOf(r.Fields)
	if !ok {
		return Form{}, false
	}
	form.Format = formatOf(r.Raw)
	if form.Stamp, ok = stampOf(r.Raw, form.Format); !ok {
		return Form{}, false
	}
	if form.Stamp.Equal(e.Time.Truncate(time.Second)) {
		form.Stamp = time.Time{}
	}
	raw := []byte(r.Raw)
	if _, signature, signed := audit.SignedPart(raw); signed {
		form.Signature = signature
	}
	return form, string(form.appendLine(make([]byte, 0, len(raw)), &e)) == r.Raw
}

// Line writes the line of a record that has the fields, which must be those
// that [FormOf] was ok with.
func (f Form) Line(fields []Field) (line string, ok bool) {
	e, ok := eventOf(fields)
	if !ok {
		return "", false
	}
	return string(f.appendLine(nil, &e)), true
}

func (f Form) appendLine(dst []byte, e *audit.Event) []byte {
	e.Stamp = f.Stamp
	if f.Signature == nil {
		return audit.AppendUnsigned(dst, f.Format, e)
	}
	return audit.AppendSigned(dst, f.Format, e, f.Signature)
}

// formatOf goes by how our lines begin; for others it does not matter.
func formatOf(raw string) audit.Format {
	switch {
	case strings.HasPrefix(raw, `{"event":`):
		return audit.CPS
	case strings.HasPrefix(raw, "{"):
		return audit.JSON
	default:
		return audit.CEF
	}
}

// stampOf reads the second at the head of a line of ours. It is not ok where
// there is none, or one before 1970 or after 9999.
func stampOf(raw string, f audit.Format) (time.Time, bool) {
	if f != audit.CEF {
		const member = `,"event_ts":"`
		i := strings.Index(raw, member)
		if i < 0 {
			return time.Time{}, false
		}
		raw = raw[i+len(member):]
	}
	const layout = "2006-01-02T15:04:05Z"
	if len(raw) < len(layout) {
		return time.Time{}, false
	}
	stamp, err := time.Parse(layout, raw[:len(layout)])
	return stamp, err == nil && stamp.Unix() >= 0
}
