package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// member is one member of a JSON object. Its value is the text of a string, or the JSON of anything else, which of them
// its first byte says.
type member struct {
	name, value string
	first       byte
}

// field is the member with its value as text.
func (m *member) field() Field {
	if m.first == '{' || m.first == '[' {
		return Field{m.name, compact(m.value)}
	}
	return Field{m.name, m.value}
}

var errNotOneObject = errors.New("the line is not exactly one JSON object")

// parseObject appends the members of the object that line is. Strict: nothing may follow the object, and no name may
// be given twice, for readers differ in which of the two they believe.
func parseObject(line []byte, members []member) ([]member, error) {
	if !json.Valid(line) {
		return members, errNotOneObject
	}
	return appendMembers(members, string(line))
}

// appendMembers reads an object from text that is known to be valid JSON, which spares it every check of syntax.
func appendMembers(members []member, object string) ([]member, error) {
	first := len(members)
	c := cursor{text: object}
	c.skipSpace()
	if c.text[c.at] != '{' {
		return members, errNotOneObject
	}
	c.at++
	for c.skipSpace(); c.text[c.at] != '}'; c.skipSpace() {
		if c.text[c.at] == ',' {
			c.at++
			c.skipSpace()
		}
		name := unquote(c.value())
		c.skipSpace()
		c.at++ // the colon
		c.skipSpace()
		raw := c.value()
		m := member{name: name, value: raw, first: raw[0]}
		if m.first == '"' {
			m.value = unquote(raw)
		}
		members = append(members, m)
	}
	if name, twice := givenTwice(members[first:], func(m *member) string { return m.name }); twice {
		return members, fmt.Errorf("member %q is given twice", name)
	}
	return members, nil
}

// cursor walks over text that is known to be valid JSON.
type cursor struct {
	text string
	at   int
}

func (c *cursor) skipSpace() {
	for c.at < len(c.text) && isJSONSpace(c.text[c.at]) {
		c.at++
	}
}

func isJSONSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func trimJSONSpace(line []byte) []byte { return bytes.Trim(line, " \t\r\n") }

// value passes over a value and gives its JSON.
func (c *cursor) value() string {
	start := c.at
	switch c.text[c.at] {
	case '"':
		c.passString()
	case '{', '[':
		c.passNested()
	default:
		end := strings.IndexAny(c.text[c.at:], ",}] \t\r\n")
		c.at += end
	}
	return c.text[start:c.at]
}

func (c *cursor) passString() {
	for c.at++; c.text[c.at] != '"'; c.at++ {
		if c.text[c.at] == '\\' {
			c.at++
		}
	}
	c.at++
}

func (c *cursor) passNested() {
	for depth := 0; ; {
		switch c.text[c.at] {
		case '"':
			c.passString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.at++
		if depth == 0 {
			return
		}
	}
}

// unquote gives the text of a JSON string, which is a piece of it wherever nothing was escaped.
func unquote(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 && utf8.ValidString(inner) {
		return inner
	}
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		return inner // cannot be: the line is valid JSON
	}
	return text
}

// compact takes the white space from JSON.
func compact(raw string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(raw)); err != nil {
		return raw // cannot be: the line is valid JSON
	}
	return b.String()
}

// givenTwice finds a name that occurs more than once.
func givenTwice[T any](all []T, name func(*T) string) (string, bool) {
	if len(all) > 40 { // more than any line of Konnect's has; a map keeps a hostile one from taking its time
		return givenTwiceOfMany(all, name)
	}
	for i := range all {
		for j := range i {
			if name(&all[i]) == name(&all[j]) {
				return name(&all[i]), true
			}
		}
	}
	return "", false
}

func givenTwiceOfMany[T any](all []T, name func(*T) string) (string, bool) {
	seen := make(map[string]struct{}, len(all))
	for i := range all {
		if _, twice := seen[name(&all[i])]; twice {
			return name(&all[i]), true
		}
		seen[name(&all[i])] = struct{}{}
	}
	return "", false
}

// hasSignatureMember says whether the object, or the event in its envelope, has a member sig. What cannot be read is
// judged by its looks.
func hasSignatureMember(line []byte) bool {
	members, err := parseObject(line, nil)
	for i := range members {
		if err == nil && members[i].name == "event" && members[i].first == '{' {
			members, err = appendMembers(members, members[i].value)
			break
		}
	}
	if err != nil {
		return bytes.Contains(line, []byte(`"sig"`))
	}
	return slices.ContainsFunc(members, func(m member) bool { return m.name == "sig" })
}
