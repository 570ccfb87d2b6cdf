package alert

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

func parsedQuery(t testing.TB, text string) search.Query {
	t.Helper()
	q, err := search.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestAConditionIsReadAndWrittenInOneForm(t *testing.T) {
	for _, test := range []struct{ query, text, written string }{
		{"*", "count > 10 in 5m by src", "count > 10 in 5m by src"},
		{"*", "count>10 in 300s by src,  principal_id", "count > 10 in 5m by src, principal_id"},
		{"*", "count = 0 in 60m", "count == 0 in 1h"},
		{"*", "count>=0.50 in 24h", "count >= 0.5 in 1d"},
		{"*", "count != -0 in 1w", "count != 0 in 7d"},
		{"*", `count > 1 in 90s by "a b", "say \"x\"", "by"`, `count > 1 in 90s by "a b", "say \"x\"", "by"`},
		{"* | count by src", "_count > 3 in 5m", "_count > 3 in 5m"},
		{"* | avg(status) as mean by src", "mean <= -1.25 in 5m", "mean <= -1.25 in 5m"},
		{`* | max(status) as %"in" by src`, `"in" > 3 in 5m`, `"in" > 3 in 5m`},
	} {
		c, err := ParseCondition(test.text, parsedQuery(t, test.query))
		if err != nil || c.String() != test.written {
			t.Errorf("%s: %q, %v, want %q", test.text, c, err, test.written)
			continue
		}
		again, err := ParseCondition(c.String(), parsedQuery(t, test.query))
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Errorf("%s: read again: %v %s", test.text, err, diff)
		}
	}
}

func TestAMistakeInAConditionIsToldWithItsPlace(t *testing.T) {
	for _, test := range []struct {
		query, text string
		column      int
		message     string
	}{
		{"*", "", 1, "expected the name of a column"},
		{"*", "  > 3", 3, "expected the name of a column"},
		{"*", "size > 3 in 5m", 1, "column count only"},
		{"*", "count", 6, "expected one of > >="},
		{"*", "count ~ 3", 7, "no place in a condition"},
		{"*", "count > many in 5m", 9, "a number"},
		{"*", "count > 1e9 in 5m", 9, "a number"},
		{"*", "count > 1234567890123456 in 5m", 9, "a number"},
		{"*", "count > 10", 11, "expected in and a time"},
		{"*", "count > 10 within 5m", 12, "expected in and a time"},
		{"*", "count > 10 in 5", 15, "expected a time"},
		{"*", "count > 10 in 5y", 15, "expected a time"},
		{"*", "count > 10 in 59s", 15, "1m to 7d"},
		{"*", "count > 10 in 8d", 15, "1m to 7d"},
		{"*", "count > 10 in 99999999999999999999d", 15, "expected a time"},
		{"*", "count > 10 in 5m of src", 18, "expected by"},
		{"*", "count > 10 in 5m by", 20, "name of a field"},
		{"*", "count > 10 in 5m by src,", 25, "name of a field"},
		{"*", "count > 10 in 5m by src src", 25, "expected a comma"},
		{"*", "count > 10 in 5m by src, src", 26, "twice"},
		{"*", "count > 10 in 5m by a, b, c, d, e, f", 36, "more than 5"},
		{"*", `count > 10 in 5m by "a`, 21, "not closed"},
		{"*", `count > 10 in 5m by ""`, 21, "empty name"},
		{"*", "cöunt > 10 in 5m", 1, "column count only"},
		{"*", "count > 10 in 5m by ä, ö;", 25, "no place"},
		{"*", "count == 0 in 5m by src", 18, "holds for 0"},
		{"*", "count < 5 in 5m by src", 17, "holds for 0"},
		{"* | count by src", "count > 3 in 5m", 1, "only src, _count"},
		{"* | count by src", "_count > 3 in 5m by src", 18, "leave by out"},
		{"*", strings.Repeat(" ", maxCondition+1), 1, "the limit is"},
	} {
		_, err := ParseCondition(test.text, parsedQuery(t, test.query))
		wrong, ok := errors.AsType[*ConditionError](err)
		if !ok || wrong.Column != test.column || !strings.Contains(wrong.Message, test.message) {
			t.Errorf("%.40q: %v, want %d: … %s", test.text, err, test.column, test.message)
		}
	}
}

func TestAnyConditionIsReadAsItIsWritten(t *testing.T) {
	query := parsedQuery(t, "*")
	rapid.Check(t, func(t *rapid.T) {
		c := Condition{
			Column: countColumn, Sign: ">", Threshold: float64(rapid.IntRange(0, 1<<34).Draw(t, "threshold")) / 8,
			Window: time.Duration(rapid.IntRange(60, 7*24*3600).Draw(t, "window")) * time.Second,
			By:     rapid.SliceOfNDistinct(rapid.StringN(1, 8, -1), 0, maxBy, rapid.ID).Draw(t, "by"),
		}
		if len(c.By) == 0 {
			c.By = nil
		}
		read, err := ParseCondition(c.String(), query)
		if diff := cmp.Diff(c, read); err != nil || diff != "" {
			t.Fatalf("%s: %v %s", c, err, diff)
		}
	})
}

func FuzzParseCondition(f *testing.F) {
	f.Add("count > 10 in 5m by src")
	f.Add(`count>=-0.5 in 1w by "a", b`)
	query := parsedQuery(f, "*")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text, query)
		if err != nil {
			return
		}
		again, err := ParseCondition(c.String(), query)
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Fatalf("%q: %v %s", c.String(), err, diff)
		}
	})
}

func TestSpansAndRangesAreReadWithinBounds(t *testing.T) {
	for text, want := range map[string]time.Duration{"-15m": 15 * time.Minute, "-7d": 7 * 24 * time.Hour, "-1w": 7 * 24 * time.Hour, "-90s": 90 * time.Second} {
		if d, err := ParseRange(text); err != nil || d != want {
			t.Errorf("%s: %s %v", text, d, err)
		}
	}
	for _, text := range []string{"", "-", "15m", "-0m", "-1", "-m", "-1y", "-99999d", "--5m", "-5m ", "-+5m", "now"} {
		if d, err := ParseRange(text); err == nil {
			t.Errorf("%q: %s", text, d)
		}
	}
}
