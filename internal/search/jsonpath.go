package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxJSONSteps = 32 // of a path: each reads the text again
	maxJSONPaths = 32 // of a stage
)

// JSONPath leads from a JSON value to one within it, a step at a time.
type JSONPath []JSONStep

// JSONStep goes to the value of a key of an object, or to an element of an array.
type JSONStep struct {
	Key   string
	Index int // from 0; -1 for a key
}

// String returns the path as it stands in a query: user.roles[0]['odd key'].
func (p JSONPath) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.Index >= 0:
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		case !plainKey(s.Key):
			b.WriteString("['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s.Key) + "']")
		case i > 0:
			b.WriteString("." + s.Key)
		default:
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

func plainKey(key string) bool {
	for _, r := range key {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' {
			return false
		}
	}
	return key != ""
}

// parseJSONPath reads a path: keys after dots, the first without one; [n] and
// ['key']; and perhaps a $ before it all.
func parseJSONPath(text string) (JSONPath, error) {
	var path JSONPath
	rest, rooted := strings.CutPrefix(text, "$")
	for first := true; rest != ""; first = false {
		var step JSONStep
		var err error
		if strings.HasPrefix(rest, "[") {
			step, rest, err = bracketed(rest[1:])
		} else {
			step, rest, err = dotted(rest, first && !rooted)
		}
		if err != nil {
			return nil, err
		}
		if path = append(path, step); len(path) > maxJSONSteps {
			return nil, fmt.Errorf("a path of more than %d steps", maxJSONSteps)
		}
	}
	if len(path) == 0 {
		return nil, errors.New("an empty path")
	}
	return path, nil
}

func dotted(s string, first bool) (JSONStep, string, error) {
	s, dot := strings.CutPrefix(s, ".")
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	if dot == first || !plainKey(s[:end]) {
		return JSONStep{}, "", fmt.Errorf("no path to a JSON value at %q: write a.b[0], and ['…'] around a key that has special characters", s)
	}
	return JSONStep{Key: s[:end], Index: -1}, s[end:], nil
}

// bracketed reads what follows an opening bracket, the closing one included.
func bracketed(s string) (JSONStep, string, error) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		digits, rest, closed := strings.Cut(s, "]")
		if !closed || len(digits) > 9 || !allDigits(digits) {
			return JSONStep{}, "", errors.New("no index in a path: write [0], or ['key']")
		}
		index, err := strconv.Atoi(digits)
		return JSONStep{Index: index}, rest, err
	}
	var key strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			key.WriteByte(s[i])
		case s[i] == s[0]:
			if !strings.HasPrefix(s[i+1:], "]") || !utf8.ValidString(key.String()) {
				return JSONStep{}, "", errors.New("no key in a path: write ['key']")
			}
			return JSONStep{Key: key.String(), Index: -1}, s[i+2:], nil
		default:
			key.WriteByte(s[i])
		}
	}
	return JSONStep{}, "", errors.New("a key in a path that is not closed by a quote")
}

// find returns what the path leads to in the document, which must be valid JSON.
func (p JSONPath) find(document []byte) (Value, bool) {
	for _, step := range p {
		var ok bool
		if document, ok = step.take(document); !ok {
			return Value{}, false
		}
	}
	switch document[0] {
	case 'n':
		return Value{}, false
	case '"':
		var text string
		err := json.Unmarshal(document, &text)
		return TextValue(text), err == nil
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, document)
	return TextValue(compact.String()), err == nil
}

// take returns the value that the step leads to.
func (s JSONStep) take(document []byte) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	opening, err := decoder.Token()
	if want := json.Delim('{'); err != nil || s.Index < 0 && opening != want || s.Index >= 0 && opening != json.Delim('[') {
		return nil, false
	}
	for i := 0; decoder.More(); i++ {
		found := i == s.Index
		if s.Index < 0 {
			key, err := decoder.Token()
			if err != nil {
				return nil, false
			}
			found = key == s.Key
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, false
		}
		if found {
			return value, true
		}
	}
	return nil, false
}
