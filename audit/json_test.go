package audit_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/audit"
)

func TestJSONIsCompactSortedAndTypedAsDocumented(t *testing.T) {
	for _, s := range samples() {
		line := encode(audit.JSON, s.event)
		var compacted bytes.Buffer
		if err := json.Compact(&compacted, line); err != nil || !bytes.Equal(compacted.Bytes(), line) {
			t.Errorf("%s is not compact JSON: %v", s.name, err)
		}
		names := memberNames(t, line)
		if !slices.IsSorted(names) {
			t.Errorf("%s: members are not sorted: %v", s.name, names)
		}
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatal(err)
		}
		for name, value := range object {
			if got, want := sortOf(value), documentedSort(name); got != want {
				t.Errorf("%s: %s is a %s, want a %s", s.name, name, got, want)
			}
		}
	}
}

func memberNames(t *testing.T, line []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func sortOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	default:
		return "nested value"
	}
}

func documentedSort(name string) string {
	switch name {
	case "rt", "status", "severity", "cef_version":
		return "number"
	case "granted", "success":
		return "boolean"
	default:
		return "string"
	}
}

// Our reader of JSON is our own; the standard library's is the judge of it.
func TestUnknownMembersAreReadAsTheStandardLibraryReadsThem(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(anyText(), func(s string) any { return s }),
		rapid.SampledFrom([]any{true, false, 0, -1.5, 1e30, []any{}, map[string]any{}}),
		rapid.Map(rapid.SliceOf(anyText()), func(s []string) any { return s }),
		rapid.Map(rapid.MapOf(anyText(), anyText()), func(m map[string]string) any { return m }),
	)
	names := rapid.Map(anyText(), func(s string) string { return "x" + cleaned(s) })
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(names, value).Draw(t, "object")
		want := map[string]string{}
		for name, v := range object {
			want[name] = compactText(t, v)
		}
		object["event_vendor"], object["event_class_id"], object["name"] = "KongInc", "KongGateway", "Ingress"
		object["rt"], object["status"] = 1, 200
		line, err := json.MarshalIndent(object, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := audit.Decode(line)
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		got := map[string]string{}
		for _, field := range decoded.Extra {
			got[field.Name] = field.Value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, line)
		}
	})
}

// compactText is v as it should stand in Extra.
func compactText(t *rapid.T, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, isText := v.(string); !isText {
		return string(data)
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		t.Fatal(err)
	}
	return text
}
