package ingest

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/trailhook/trailhook/internal/journal"
)

// MaxEvents is how many events a body may have.
const MaxEvents = journal.MaxAppend

const space = " \t\r\n"

// split cuts a body into its events: a JSON array at its commas, anything else
// at its newlines, leaving empty lines out. It looks no further than it must:
// a piece need not be JSON. But a body whose pieces all are is an array, or lines,
// of exactly these.
func split(body []byte) ([][]byte, error) {
	rest := bytes.TrimLeft(body, space)
	var (
		pieces [][]byte
		err    error
	)
	if len(rest) > 0 && rest[0] == '[' {
		pieces, err = splitArray(rest)
	} else {
		pieces, err = splitLines(rest)
	}
	if err == nil && len(pieces) == 0 {
		err = invalid("body", "body", "has no events")
	}
	return pieces, err
}

func splitLines(body []byte) (pieces [][]byte, err error) {
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		if line = bytes.Trim(line, space); len(line) == 0 {
			continue
		}
		if len(pieces) == MaxEvents {
			return nil, errTooManyEvents()
		}
		pieces = append(pieces, line)
	}
	return pieces, nil
}

// splitArray reads an array that begins the body. It keeps count of brackets and
// braces, whichever they are, and takes strings for what they are.
func splitArray(body []byte) (pieces [][]byte, err error) {
	depth, start := 0, 1
	for at := 0; at < len(body); at++ {
		switch body[at] {
		case '"':
			at = endOfString(body, at)
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth != 1 {
				continue
			}
			if len(pieces) == MaxEvents-1 {
				return nil, errTooManyEvents()
			}
			pieces = append(pieces, bytes.Trim(body[start:at], space))
			start = at + 1
		}
		if depth == 0 {
			return endArray(body, pieces, start, at)
		}
	}
	return nil, invalid("body", "body", "is cut off: its array does not end")
}

// endArray adds the last piece, where the bracket at end closes the array.
func endArray(body []byte, pieces [][]byte, start, end int) ([][]byte, error) {
	if body[end] != ']' || len(bytes.Trim(body[end+1:], space)) > 0 {
		return nil, invalid("body", "body", "must be exactly one JSON array, or JSON objects on a line each")
	}
	last := bytes.Trim(body[start:end], space)
	if len(last) == 0 && len(pieces) == 0 {
		return nil, nil
	}
	return append(pieces, last), nil
}

// endOfString finds the quote that ends the string, or else the body's end.
func endOfString(body []byte, at int) int {
	for at++; at < len(body); at++ {
		switch body[at] {
		case '"':
			return at
		case '\\':
			at++
		}
	}
	return len(body)
}

func errTooManyEvents() error {
	return &refusal{status: http.StatusRequestEntityTooLarge,
		detail: fmt.Sprintf("A request must not have more than %d events: send them in several requests", MaxEvents)}
}
