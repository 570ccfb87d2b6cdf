package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What a goroutine of ours panics with must reach the request's own goroutine,
// where it is an answer and not the end of the process.
func TestAPanicOfAGoroutineThatDecodesIsTold(t *testing.T) {
	var p part
	p.decode(rule{}, nil, nil, 0, 1)
	if text, ok := p.panicked.(string); !ok || !strings.Contains(text, "out of range") || !strings.Contains(text, "decode.go") {
		t.Errorf("%v", p.panicked)
	}
}

func TestABodyIsSplitIntoItsValues(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) string {
		v := rapid.SampledFrom([]any{1, "a,b", "]", `"[{\`, "\n", map[string]any{"a": []any{"}", 2}}, []any{}, []any{1, 2}, true, nil}).Draw(t, "value")
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(value, 1, 10).Draw(t, "values")
		gap := rapid.SampledFrom([]string{"", " ", "\n", "\r\n\t"})
		array := gap.Draw(t, "a") + "[" + gap.Draw(t, "b") + strings.Join(want, gap.Draw(t, "c")+","+gap.Draw(t, "d")) + gap.Draw(t, "e") + "]" + gap.Draw(t, "f")
		if diff := cmp.Diff(want, mustSplit(t, array)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", array, diff)
		}
		if want[0][0] == '[' {
			return // would be an array
		}
		text := gap.Draw(t, "g") + strings.Join(want, gap.Draw(t, "h")+"\n"+gap.Draw(t, "i")) + gap.Draw(t, "j")
		if diff := cmp.Diff(want, mustSplit(t, text)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	})
}

func mustSplit(t *rapid.T, body string) (pieces []string) {
	raw, err := split([]byte(body))
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	for _, piece := range raw {
		pieces = append(pieces, string(piece))
	}
	return pieces
}

// The standard library's reader of JSON is the judge.
func FuzzSplit(f *testing.F) {
	for _, body := range []string{
		``, `[]`, `[,]`, `[{}]`, `[{"a":"]"},{"b":[1,{}]}]`, "{}\n{}\n", "[\"\\\"]\"]", `[{]}`, `[}`, "\n\n[1 2]", "{\n}", `["`, `["\`, "[1]\n[2]", " [ 1 , \"\\u005d\" ] ",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		pieces, err := split(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		var refused *refusal
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil && (len(pieces) == 0 || len(pieces) > MaxEvents) {
			t.Fatalf("%d pieces", len(pieces))
		}
		if rest := bytes.TrimLeft(body, space); len(rest) > 0 && rest[0] == '[' {
			checkArray(t, body, pieces, err)
			return
		}
		if err == nil && slices.ContainsFunc(pieces, func(p []byte) bool { return len(p) == 0 || bytes.Contains(p, []byte("\n")) }) {
			t.Fatalf("%q", pieces)
		}
	})
}

func checkArray(t *testing.T, body []byte, pieces [][]byte, err error) {
	var want []json.RawMessage
	valid := json.Unmarshal(body, &want) == nil
	switch {
	case valid && len(want) > 0 && len(want) <= MaxEvents:
		if err != nil || !slices.EqualFunc(pieces, want, func(a []byte, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("%q became %q, %v", body, pieces, err)
		}
	case !valid && err == nil && !slices.ContainsFunc(pieces, func(p []byte) bool { return !json.Valid(p) }):
		t.Fatalf("%q is no JSON, but all its pieces %q are", body, pieces)
	}
}
