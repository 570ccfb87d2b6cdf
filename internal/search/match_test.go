package search_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/storetest"
)

func TestMatchFollowsTheLanguage(t *testing.T) {
	record := search.Record{
		Source: "Konnect", Category: "Prod/Audit", Signature: "valid", Raw: `GET /v2/Control-Planes "ok" 100% ÄRGER \d *`,
		Fields: []search.Field{
			{Name: "action", Value: "List"}, {Name: "user_agent", Value: ""}, {Name: "src", Value: "10.0.0.1"},
			{Name: "twice", Value: "first"}, {Name: "twice", Value: "second"}, {Name: "_odd", Value: "x"},
		},
	}
	for _, test := range []struct {
		query string
		want  bool
	}{
		{"", true},
		{"*", true},
		{"get", true},
		{"control-PLANES", true},
		{"trol", true},
		{"missing", false},
		{"ärger", true},
		{`"get /v2"`, true},
		{`"/v2 get"`, false},
		{"get*ärger", true},
		{"ärger*get", false},
		{"g*t*ok", true},
		{"ok*ok", false},
		{`"\"ok\""`, true},
		{`\d`, true},
		{`"*"`, true},
		{`"g*t"`, false},
		{"get missing", false},
		{"get OR missing", true},
		{"NOT missing", true},
		{"NOT get", false},
		{"missing get OR ok", true},
		{"missing (get OR ok)", false},
		{"action=list", true},
		{"action=lis", false},
		{"action=l*", true},
		{"action=*t", true},
		{"action=li*ist", false},
		{"action=*", true},
		{"Action=list", false},
		{"nothing=*", false},
		{`nothing=""`, false},
		{"nothing!=x", true},
		{"action!=list", false},
		{"action!=edit", true},
		{"user_agent=*", true},
		{`user_agent=""`, true},
		{"user_agent=x", false},
		{"src=10.0.*", true},
		{"src=10?0*", false},
		{"twice=first", true},
		{"twice=second", false},
		{"_source=konnect", true},
		{"_SOURCECATEGORY=prod*", true},
		{"_sourceHost=*", false},
		{"_sourceHost!=*", true},
		{"_keyid=*", false},
		{"_signature=valid", true},
		{"_raw=get*", true},
		{"_raw=control-planes", false},
		{"_odd=x", true},
		{"source=Konnect", false},
	} {
		e, err := search.Parse(test.query)
		if err != nil {
			t.Errorf("%s: %v", test.query, err)
			continue
		}
		if got := search.Match(e, &record); got != test.want {
			t.Errorf("%s: got %t", test.query, got)
		}
	}
}

func TestMatchTakesNoQueryForAll(t *testing.T) {
	if !search.Match(nil, &search.Record{}) || !search.Match(search.And{}, &search.Record{}) || search.Match(search.Or{}, &search.Record{}) {
		t.Error("nil and an empty And match everything, an empty Or nothing")
	}
}

// A pattern says the same as trying every way to place its wildcards does.
func TestPatternsMatchAsTryingEverythingDoes(t *testing.T) {
	small := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		text := small.Draw(t, "text")
		pattern := search.Pattern(rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("aB")), 0, 3, -1), 1, 4).Draw(t, "pattern"))
		r := search.Record{Fields: []search.Field{{Name: "f", Value: text}}, Raw: text}
		if got, want := search.Match(search.Compare{Field: "f", Value: pattern}, &r), fits(pattern, text); got != want {
			t.Errorf("f=%v against %q: got %t, want %t", pattern, text, got, want)
		}
		within := append(append(search.Pattern{""}, pattern...), "")
		if got, want := search.Match(search.Keyword{Pattern: pattern}, &r), fits(within, text); got != want {
			t.Errorf("%v within %q: got %t, want %t", pattern, text, got, want)
		}
	})
}

func fits(p search.Pattern, text string) bool {
	rest, ok := strings.CutPrefix(text, strings.ToLower(p[0]))
	if !ok || len(p) == 1 {
		return ok && rest == ""
	}
	for i := range len(rest) + 1 {
		if fits(p[1:], rest[i:]) {
			return true
		}
	}
	return false
}

func TestAQueryMatchesARecordAndItsNormalFormAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := storetest.Texts()
		r := search.Record{
			Source: text.Draw(t, "source"), Raw: text.Draw(t, "raw"),
			Fields: []search.Field{{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")}, {Name: "action", Value: text.Draw(t, "action")}},
		}
		normal := r.Normal()
		if e := storetest.Queries().Draw(t, "query"); search.Match(e, &r) != search.Match(e, &normal) {
			t.Errorf("%v: a difference between %+v and its normal form", e, r)
		}
	})
}

func TestNormalLeavesTheRecordItIsGiven(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
	r := search.Record{Time: at, Raw: "\xff", Fields: []search.Field{{Name: "b"}, {Name: "a", Value: "\xff\xfe"}, {Name: "b", Value: "2"}}}
	normal := r.Normal()
	if r.Fields[0].Name != "b" || r.Fields[1].Value != "\xff\xfe" || r.Time != at {
		t.Errorf("changed: %+v", r)
	}
	if len(normal.Fields) != 2 || normal.Fields[0] != (search.Field{Name: "a", Value: "\ufffd\ufffd"}) || normal.Raw != "\xff" {
		t.Errorf("normal form is %+v", normal)
	}
	if normal.Time.Location() != time.UTC || normal.Time.Nanosecond() != 0 {
		t.Errorf("normal time is %v", normal.Time)
	}
}

func TestFoldIgnoresCaseAndNothingElse(t *testing.T) {
	for a, b := range map[string]string{"ABC": "abc", "ÄÖÜ": "äöü", "ẞ": "ß", "K": "k", "a\xff": "A\ufffd"} {
		if search.Fold(a) != search.Fold(b) {
			t.Errorf("%q and %q differ", a, b)
		}
	}
	for a, b := range map[string]string{"ß": "ss", "é": "e", "ς": "σ", "ſ": "s", "\xff\xff": "\ufffd"} {
		if search.Fold(a) == search.Fold(b) {
			t.Errorf("%q and %q are the same", a, b)
		}
	}
}
