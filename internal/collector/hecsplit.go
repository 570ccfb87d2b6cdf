package collector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// eventError says which event of a body is not to be taken, and why, with the
// code of Splunk's for it. The events before it are taken, as Splunk takes them.
type eventError struct {
	number int // from 0
	code   hecCode
	reason string
}

func (e *eventError) Error() string { return fmt.Sprintf("event %d: %s", e.number, e.reason) }

// splitEvents reads the events of a body for /services/collector/event: JSON
// objects one after the other, with white space between them or none, or in an
// array. Each becomes a line byte for byte as it was, for a signature in it
// covers these bytes; only one that has newlines in it is made compact.
//
// With an [eventError] it returns the events that come before the bad one.
func splitEvents(body io.Reader) (*grouper, error) {
	lines := &grouper{}
	s := eventSplitter{in: bufio.NewReaderSize(body, 64<<10)}
	for {
		event, err := s.next()
		if err == io.EOF {
			return lines, nil
		}
		if err == errNotEvents {
			return lines, &eventError{lines.lines, hecInvalidFormat, err.Error()}
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", lines.lines, err)
		}
		if code, reason := checkEnvelope(event); code != hecSuccess {
			return lines, &eventError{lines.lines, code, reason}
		}
		lines.add(oneLine(event))
	}
}

// oneLine makes valid JSON that has newlines, which can only be between its
// tokens, one line.
func oneLine(event []byte) []byte {
	if bytes.IndexByte(event, '\n') < 0 {
		return event
	}
	var compact bytes.Buffer
	if json.Compact(&compact, event) != nil {
		return bytes.ReplaceAll(event, newline, []byte{' '})
	}
	return compact.Bytes()
}

var errNotEvents = fmt.Errorf("events are JSON objects, one after the other or in one array")

// eventSplitter finds where objects begin and end. Whether what is between is
// JSON is for others to say.
type eventSplitter struct {
	in      *bufio.Reader
	inArray bool
	event   []byte
}

// next returns the next object, valid until the next call, or io.EOF.
func (s *eventSplitter) next() ([]byte, error) {
	for {
		c, err := s.in.ReadByte()
		switch {
		case err == io.EOF && s.inArray:
			return nil, errNotEvents
		case err != nil:
			return nil, err
		case c == '{':
			return s.object()
		case c == '[' && !s.inArray:
			s.inArray = true
		case c == ']' && s.inArray:
			s.inArray = false
		case c == ' ', c == '\t', c == '\r', c == '\n', c == ',' && s.inArray:
		default:
			return nil, errNotEvents
		}
	}
}

// object reads on to the brace that closes the object.
func (s *eventSplitter) object() ([]byte, error) {
	s.event = append(s.event[:0], '{')
	inString, escaped := false, false
	for depth := 1; depth > 0; {
		c, err := s.in.ReadByte()
		switch {
		case err == io.EOF:
			return nil, errNotEvents
		case err != nil:
			return nil, err
		case len(s.event) == maxLine:
			return nil, errLineTooLong()
		}
		s.event = append(s.event, c)
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
	}
	return s.event, nil
}
