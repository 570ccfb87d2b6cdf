package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// envelope is what Splunk's HTTP event collector wraps an event in.
type envelope struct {
	event, time, host, source, sourcetype, index, fields json.RawMessage // nil where not given
}

// openEnvelope reads a JSON object as an envelope.
func openEnvelope(line []byte) (envelope, error) {
	var e envelope
	members, err := membersOf(line)
	for _, m := range members {
		switch m.name {
		case "event":
			e.event = m.value
		case "time":
			e.time = m.value
		case "host":
			e.host = m.value
		case "source":
			e.source = m.value
		case "sourcetype":
			e.sourcetype = m.value
		case "index":
			e.index = m.value
		case "fields":
			e.fields = m.value
		}
	}
	return e, err
}

type member struct {
	name  string
	value json.RawMessage
}

// membersOf gives the members of a JSON object. It is an error where one is
// given twice: readers differ in which they believe, and the one whose
// signature is checked must be the one that is shown.
func membersOf(object []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	var members []member
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not JSON: %w", err)
		}
		m := member{name: token.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("it is not JSON: %w", err)
		}
		if seen[m.name] {
			return nil, fmt.Errorf("member %q is given twice", m.name)
		}
		seen[m.name] = true
		members = append(members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// checkEnvelope tells whether a line is an envelope that Splunk would take.
func checkEnvelope(line []byte) (hecCode, string) {
	e, err := openEnvelope(line)
	switch {
	case err != nil:
		return hecInvalidFormat, err.Error()
	case e.event == nil:
		return hecEventRequired, `it has no member "event"`
	case string(e.event) == "null", strings.TrimSpace(textOf(e.event)) == "":
		return hecEventBlank, `its "event" is blank`
	}
	if _, err := e.indexedFields(); err != nil {
		return hecIndexedFields, err.Error()
	}
	return hecSuccess, ""
}

// indexedFields are those that the sender gives beside the event: names with
// values or with lists of them, and no objects.
func (e *envelope) indexedFields() ([]search.Field, error) {
	if e.fields == nil || string(e.fields) == "null" {
		return nil, nil
	}
	members, err := membersOf(e.fields)
	if err != nil {
		return nil, fmt.Errorf(`"fields": %w`, err)
	}
	var fields []search.Field
	for _, m := range members {
		if m.value[0] == '{' {
			return nil, fmt.Errorf(`"fields": %q is an object, want a value or a list of values`, m.name)
		}
		fields = append(fields, search.Field{Name: m.name, Value: textOf(m.value)})
	}
	return fields, nil
}

// unwrapEvent gives the event in an envelope, and what the envelope says of it.
// What is no envelope, which the receiver does not let in, is its own payload.
func unwrapEvent(line []byte) ([]byte, wrapping) {
	e, err := openEnvelope(line)
	if err != nil || e.event == nil {
		return line, wrapping{}
	}
	w := wrapping{
		time: epochTime(textOf(e.time)), host: textOf(e.host), name: textOf(e.source), category: textOf(e.sourcetype), plain: true,
	}
	if index := textOf(e.index); index != "" {
		w.fields = append(w.fields, search.Field{Name: "index", Value: index})
	}
	given, _ := e.indexedFields()
	w.fields = append(w.fields, given...)
	if e.event[0] == '"' {
		return []byte(textOf(e.event)), w
	}
	return e.event, w
}

// textOf is the text of a string, and anything else as it is written.
func textOf(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}

// epochTime reads Splunk's time: seconds since the epoch, with a fraction or
// without. Some senders give milliseconds, which would be seconds of the year
// 30000 and later.
func epochTime(text string) time.Time {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds < 1e15) {
		return time.Time{}
	}
	if seconds > 1e12 {
		seconds /= 1000
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}
