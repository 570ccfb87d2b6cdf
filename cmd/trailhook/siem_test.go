package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// A server that is killed leaves the beginning of a line, which is none: a tail would
// end over it instead of going on when the server is back.
func TestTheBeginningOfALineIsNoLine(t *testing.T) {
	broken := errors.New("connection reset")
	for _, test := range []struct {
		answer io.Reader
		want   []string
		err    error
	}{
		{strings.NewReader("a\r\n\nb\n"), []string{"a", "", "b"}, nil},
		{strings.NewReader(""), nil, nil},
		{strings.NewReader("a\ndata: {\"_ra"), []string{"a"}, io.ErrUnexpectedEOF},
		{io.MultiReader(strings.NewReader("a\ndata: {"), iotest.ErrReader(broken)), []string{"a"}, broken},
	} {
		var got []string
		err := eachLine(test.answer, func(line []byte) error {
			got = append(got, string(line))
			return nil
		})
		if !slices.Equal(got, test.want) || !errors.Is(err, test.err) {
			t.Errorf("%q, %v, want %q, %v", got, err, test.want, test.err)
		}
	}
}
