package audit

import (
	"fmt"
	"time"
)

// Format is how an event is written as a line.
type Format string

// The formats, by the names that a destination's log_format has.
const (
	CEF  Format = "cef"  // ArcSight's Common Event Format
	JSON Format = "json" // one object
	CPS  Format = "cps"  // the same object in the envelope of Splunk's HTTP event collector
)

// ParseFormat reads a Format by its name, in lower case as Konnect has it.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case CEF, JSON, CPS:
		return f, nil
	default:
		return "", fmt.Errorf("log format %q is unknown: want cef, json or cps", name)
	}
}

// AppendUnsigned appends the line of e in format f, without a signature and without a newline.
//
// It never fails: text is cleaned by the text rule of the package's comment, and an unknown format is written as CEF,
// Konnect's default. The same event gives the same bytes, always and everywhere. Whether the line is well-formed in
// all other respects is what [Event.Validate] says.
func AppendUnsigned(dst []byte, f Format, e *Event) []byte {
	switch f {
	case JSON:
		return appendJSON(dst, e)
	case CPS:
		return appendCPS(dst, e)
	default:
		return appendCEF(dst, e)
	}
}

// appendStamp appends the time at the head of a line.
func appendStamp(dst []byte, e *Event) []byte {
	return e.stampOrTime().AppendFormat(dst, time.RFC3339)
}
