package entity

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func complete(t *testing.T, kind Kind, d Document) Document {
	t.Helper()
	whole, err := kind.Complete(d, 1)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func TestWhatIsCompleteStaysAsItIs(t *testing.T) {
	for kind, given := range map[Kind]Document{
		Services:  {"host": "example.com", "tags": texts("a", "a")},
		Routes:    {"paths": texts("/a", "~/b/(?<c>\\d+)$"), "headers": map[string]any{"x-a": texts("b")}},
		Consumers: {"username": "ana"},
		Plugins:   {"name": HTTPLog, "config": map[string]any{"http_endpoint": "https://example.com/log"}},
		KeyAuths:  {"consumer": ReferenceTo("11111111-1111-4111-8111-111111111111")},
	} {
		once := complete(t, kind, given)
		twice := complete(t, kind, once)
		if len(once) != len(kind.Fields()) || once.ID() == "" {
			t.Errorf("%s: %v", kind, once)
		}
		for field := range once {
			if a, b := describe(once[field]), describe(twice[field]); a != b {
				t.Errorf("%s: %s was %s and became %s", kind, field, a, b)
			}
		}
	}
}

func TestAKeyEndsWhenItsTimeToLiveIsOver(t *testing.T) {
	of := Document{"consumer": ReferenceTo("11111111-1111-4111-8111-111111111111"), "key": "k"}
	made := func(d Document, err error) Document {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	key := made(KeyAuths.Complete(of.With("ttl", 100.0), 1000))
	renamed := made(KeyAuths.Merge(key, Document{"tags": texts("a")}, 1050))
	again := made(KeyAuths.Merge(key, Document{"ttl": 10.0}, 1050))
	for name, test := range map[string]struct {
		key  Document
		ends int64
		left any // of its time, at 1060
	}{
		"written once":                   {key, 1100, 40.0},
		"changed":                        {renamed, 1100, 40.0},
		"changed with a time of its own": {again, 1060, 0.0},
		"made everlasting":               {made(KeyAuths.Merge(key, Document{"ttl": nil}, 1050)), 0, nil},
		"replaced":                       {made(KeyAuths.Complete(of, 1050)), 0, nil},
		"with none":                      {made(KeyAuths.Complete(of.With("ttl", 0.0), 1000)), 0, nil},
	} {
		shown := test.key.Shown(1060)
		if test.key.Ends() != test.ends || shown["ttl"] != test.left || len(shown) != len(KeyAuths.Fields()) {
			t.Errorf("%s: ends at %d, shown as %v", name, test.key.Ends(), shown)
		}
		if test.ends != 0 && (test.key.Ended(test.ends-1) || !test.key.Ended(test.ends)) {
			t.Errorf("%s: it does not end at %d", name, test.ends)
		}
	}
	for _, wrong := range []Document{of.With("ttl", -1.0), of.With("ttl", 1e9), of.With("ends_at", 5.0)} {
		if _, err := KeyAuths.Complete(wrong, 1); err == nil {
			t.Errorf("taken: %v", wrong)
		}
	}
	if _, err := KeyAuths.Merge(key, Document{"ends_at": 1e9}, 1); err == nil {
		t.Error("a client can set when a key ends")
	}
}

func describe(value any) string { return strings.Join(flatten("", map[string]any{"": value}), ";") }

func TestEveryPluginIsCompleteWithItsDefaultsOrSaysWhatItNeeds(t *testing.T) {
	for _, name := range PluginNames() {
		_, err := Plugins.Complete(Document{"name": name}, 1)
		needs := map[string]string{RateLimiting: "at least one of", HTTPLog: "http_endpoint"}[name]
		if needs == "" && err != nil || needs != "" && (err == nil || !strings.Contains(err.Error(), needs)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADocumentIsCompleteOrAViolationWhateverItHolds(t *testing.T) {
	scalar := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), toAny[bool]), rapid.Map(rapid.Float64(), toAny[float64]),
		rapid.Map(rapid.String(), toAny[string]), rapid.Map(rapid.SampledFrom([]string{"/a", "~/(", "*.b", "http", "key-auth", "11111111-1111-4111-8111-111111111111"}), toAny[string]))
	value := rapid.OneOf(scalar, rapid.Map(rapid.SliceOfN(scalar, 0, 3), toAny[[]any]),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"id", "key_names", "minute", "x"}), scalar, 0, 3), toAny[map[string]any]))
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(Kinds()).Draw(t, "kind")
		names := []string{"unknown", "url"}
		for _, f := range kind.Fields() {
			names = append(names, f.Name)
		}
		given := Document(rapid.MapOfN(rapid.SampledFrom(names), value, 0, 8).Draw(t, "given"))
		before := maps.Clone(given)
		whole, err := kind.Complete(given, 1)
		var violation *Violation
		if err != nil && (!errors.As(err, &violation) || violation.Status != 400 || violation.Message == "") {
			t.Fatalf("error %v", err)
		}
		if err == nil && whole.ID() == "" {
			t.Fatal("no id")
		}
		if len(before) != len(given) {
			t.Fatal("what was given was changed")
		}
	})
}

func toAny[T any](value T) any { return value }
