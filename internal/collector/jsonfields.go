package collector

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
)

// parseJSON reads a line that is one JSON object. Members of objects within it
// are named "outer.inner"; what lies deeper, and arrays, are kept as compact
// JSON. Numbers are kept as they are written.
func parseJSON(line []byte) (parsed, bool) {
	var p parsed
	if !p.addObject(line, "") {
		return parsed{}, false
	}
	p.time = jsonTime(p)
	return p, true
}

// addObject adds the members of an object in their order.
func (p *parsed) addObject(text []byte, prefix string) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return false
		}
		p.addMember(prefix, token.(string), value)
	}
	if _, err := decoder.Token(); err != nil {
		return false
	}
	_, err := decoder.Token()
	return err == io.EOF // nothing after the object
}

func (p *parsed) addMember(prefix, name string, value json.RawMessage) {
	switch {
	case value[0] == '"':
		var text string
		if json.Unmarshal(value, &text) == nil {
			p.add(prefix+name, text)
		}
	case value[0] == '{' && prefix == "":
		p.addObject(value, name+".")
	case value[0] == '{' || value[0] == '[':
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			p.add(prefix+name, compact.String())
		}
	default: // a number, true, false, null
		p.add(prefix+name, string(value))
	}
}

// jsonTime takes the first of the usual members that holds a time.
func jsonTime(p parsed) time.Time {
	for _, name := range [...]string{"rt", "event_ts", "timestamp", "@timestamp", "time"} {
		for _, field := range p.fields {
			if field.Name != name {
				continue
			}
			if at, ok := parseTime(field.Value); ok {
				return at
			}
		}
	}
	return time.Time{}
}
