package collector

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestABodyIsSplitIntoItsLines(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"nothing", "", nil},
		{"one line without an end", "a", []string{"a"}},
		{"LF", "a\nb\n", []string{"a", "b"}},
		{"CR LF", "a\r\nb\r\n", []string{"a", "b"}},
		{"both", "a\r\nb\nc", []string{"a", "b", "c"}},
		{"empty lines", "\n\r\n\na\n\n\r\nb\n\n", []string{"a", "b"}},
		{"a CR within a line", "a\rb\n", []string{"a\rb"}},
		{"only one CR goes with the LF", "a\r\r\n", []string{"a\r"}},
		{"white space is no empty line", " \n\t\n", []string{" ", "\t"}},
		{"bytes that are not UTF-8", "\xff\xfe\n\x00\n", []string{"\xff\xfe", "\x00"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, err := splitLines(strings.NewReader(test.body))
			if err != nil || lines.lines != len(test.want) {
				t.Fatalf("%d lines, %v", lines.lines, err)
			}
			if diff := cmp.Diff(test.want, ungroup(lines.groups())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesAreGroupedWithinTheLimits(t *testing.T) {
	long := strings.Repeat("x", groupBytes+1)
	half := strings.Repeat("y", groupBytes/2)
	for _, test := range []struct {
		name   string
		body   string
		groups int
	}{
		{"few short lines", "a\nb\nc\n", 1},
		{"a line longer than a group is alone", "a\n" + long + "\nb\n", 3},
		{"two halves and the newline between are too much", half + "\n" + half + "\n", 2},
		{"many short lines", strings.Repeat("a\n", 2*groupLines+1), 3},
		{"the longest line", strings.Repeat("z", maxLine) + "\r\n", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, err := splitLines(strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if groups := lines.groups(); len(groups) != test.groups || lines.lines != len(ungroup(groups)) {
				t.Errorf("%d groups, %d lines", len(groups), lines.lines)
			}
		})
	}
}

func TestABodyBeyondALimitIsRefusedWhole(t *testing.T) {
	for name, body := range map[string]string{
		"a line too long":              "a\n" + strings.Repeat("z", maxLine+1) + "\nb\n",
		"a last line too long":         strings.Repeat("z", maxLine+1),
		"a line too long before CR LF": strings.Repeat("z", maxLine+1) + "\r\n",
		"a body too long":              strings.Repeat(strings.Repeat("z", 512<<10-1)+"\n", maxDecompressed>>19+1),
	} {
		t.Run(name, func(t *testing.T) {
			lines, _, err := newAdmission().lines("", []byte(body), splitLines)
			if !errors.Is(err, errTooLarge) || lines != nil {
				t.Errorf("%v, %v", lines, err)
			}
		})
	}
}

func TestNoLineIsLostOrChangedByGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[a-z \r]{0,5}[a-z]`)).Draw(t, "lines")
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(t, "end")
		split, err := splitLines(strings.NewReader(strings.Join(lines, end)))
		if err != nil || split.lines != len(lines) || !slices.Equal(ungroup(split.groups()), lines) {
			t.Fatalf("%q became %q, %v", lines, ungroup(split.groups()), err)
		}
	})
}

func ungroup(groups [][]byte) []string {
	var lines []string
	for _, group := range groups {
		lines = append(lines, strings.Split(string(group), "\n")...)
	}
	return lines
}

func FuzzDecodeLines(f *testing.F) {
	plain := []byte("a\nb\r\n\nc")
	for _, encoding := range []string{"", "gzip", "deflate", "zstd", "identity", "br"} {
		f.Add(encoding, plain)
		f.Add(encoding, encode(f, "gzip", plain))
	}
	f.Add("deflate", encode(f, "zlib", plain))
	f.Add("deflate", encode(f, "deflate", plain))
	f.Add("zstd", encode(f, "zstd", plain))
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		lines, free, err := newAdmission().lines(encoding, body, splitLines)
		defer free()
		if err != nil {
			if lines != nil {
				t.Fatalf("an error and %d lines", lines.lines)
			}
			return
		}
		n := 0
		for _, group := range lines.groups() {
			for line := range bytes.SplitSeq(group, newline) {
				if len(line) == 0 || len(line) > maxLine {
					t.Fatalf("a line of %d bytes", len(line))
				}
				n++
			}
		}
		if n != lines.lines {
			t.Fatalf("%d lines, said to be %d", n, lines.lines)
		}
	})
}
