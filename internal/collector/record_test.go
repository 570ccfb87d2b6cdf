package collector

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

func receipt() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestALineBecomesARecordWithItsFields(t *testing.T) {
	rt := time.UnixMilli(1_750_280_466_889).UTC()
	konnect := map[string]string{
		"kind": "authorization", "vendor": "KongInc", "product": "Konnect", "class": "konnect", "name": "Authz.control-planes", "severity": "1",
		"rt": "1750280466889", "src": "127.0.0.6", "action": "list", "granted": "true", "org_id": "777db3e4-5cb7-4dd5-b51c-9878096a6999",
		"principal_id": "eb999f01-5976-4f4b-9fbc-dd5d514bd675", "trace_id": "3959872677347089807", "user_agent": "curl/8",
	}
	with := func(base map[string]string, name, value string) map[string]string {
		fields := map[string]string{name: value}
		for n, v := range base {
			fields[n] = v
		}
		return fields
	}
	signer := newSigner(1)
	for _, test := range []struct {
		name, line string
		time       time.Time
		problem    string // a part of the parse error
		fields     map[string]string
	}{
		{"an audit event in CEF", signed(signer, audit.CEF, nil), rt, "", konnect},
		{"an audit event in JSON", signed(signer, audit.JSON, nil), rt, "", konnect},
		{"an audit event in CPS", signed(signer, audit.CPS, nil), rt, "", konnect},
		{"an audit event with a field of tomorrow", string(audit.AppendUnsigned(nil, audit.CEF, event())) + " shape=round", rt, "", with(konnect, "shape", "round")},
		{"an audit event that is malformed", "2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|konnect|Authz.x|1|rt=1750280466889 granted=perhaps",
			rt, "granted", map[string]string{
				"vendor": "KongInc", "product": "Konnect", "class": "konnect", "name": "Authz.x", "severity": "1", "rt": "1750280466889", "granted": "perhaps",
			}},
		{"CEF of another vendor", `2026-02-03T04:05:06Z host CEF:0|Acme|Wall|2|100|blocked \| twice|7|src=10.0.0.1 msg=a\=b c`,
			time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), "", map[string]string{
				"vendor": "Acme", "product": "Wall", "class": "100", "name": "blocked | twice", "severity": "7", "src": "10.0.0.1", "msg": "a=b c",
			}},
		{"CEF with a time that has no year", "Feb 28 10:11:12 host CEF:0|v|p|1|c|n|1|", time.Date(2026, 2, 28, 10, 11, 12, 0, time.UTC), "", map[string]string{
			"vendor": "v", "product": "p", "class": "c", "name": "n", "severity": "1",
		}},
		{"CEF of last December", "Dec 31 10:11:12 host CEF:0|v|p|1|c|n|1|rt=x", time.Date(2025, 12, 31, 10, 11, 12, 0, time.UTC), "", map[string]string{
			"vendor": "v", "product": "p", "class": "c", "name": "n", "severity": "1", "rt": "x",
		}},
		{"a JSON object", `{"a":"b\n","n":12345678901234567890.10,"t":true,"z":null,"o":{"i":1,"d":{ "e":[1, 2]}},"l":[ 1 ],"timestamp":"2026-01-02T03:04:05.678Z","_raw":"x","":"y"}`,
			time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC), "", map[string]string{
				"a": "b\n", "n": "12345678901234567890.10", "t": "true", "z": "null", "o.i": "1", "o.d": `{"e":[1,2]}`, "l": "[1]",
				"timestamp": "2026-01-02T03:04:05.678Z", "line_raw": "x",
			}},
		{"two JSON objects", `{"a":1} {"b":2}`, receipt(), "neither", map[string]string{}},
		{"a JSON array", `[1]`, receipt(), "neither", map[string]string{}},
		{"a JSON object that is cut short", `{"a":1,"b":`, receipt(), "", map[string]string{}},
		{"text", "hello", receipt(), "neither", map[string]string{}},
		{"text with a time", "2026-02-03T04:05:06+01:00 hello", time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC), "neither", map[string]string{}},
		{"a time in the far future", `{"rt":"9999999999999"}`, receipt(), "", map[string]string{"rt": "9999999999999"}},
		{"a time before all", `{"rt":-5}`, receipt(), "", map[string]string{"rt": "-5"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRecord(Origin{ReceivedAt: receipt()}, []byte(test.line))
			if !r.Time.Equal(test.time) || r.Raw != test.line || !r.Receipt.Equal(receipt()) {
				t.Errorf("time %s, want %s; raw %q", r.Time, test.time, r.Raw)
			}
			if !strings.Contains(r.ParseError, test.problem) || test.problem == "" && len(test.fields) > 0 && r.ParseError != "" {
				t.Errorf("parse error %q, want %q", r.ParseError, test.problem)
			}
			if diff := cmp.Diff(test.fields, fieldMap(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachKindOfEventHasTheFieldsOfItsCEFLine(t *testing.T) {
	for kind, change := range map[audit.Kind]func(*audit.Event){
		audit.Authentication: func(e *audit.Event) {
			*e = audit.Event{Kind: audit.Authentication, Time: e.Time, AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess, Request: "/v2/x",
				Source: "1.2.3.4", OrgID: "o", PortalID: "po", PrincipalID: "p", PrincipalName: "n", TraceID: 7, UserAgent: ""}
		},
		audit.Authorization: func(e *audit.Event) { e.ActorID, e.KongInitiated, e.PrincipalName = "a", true, "n" },
		audit.Access: func(e *audit.Event) {
			*e = audit.Event{Kind: audit.Access, Time: e.Time, Request: "/v2/x", Method: "POST", Status: 201, Query: "a=b&c=d",
				Source: "1.2.3.4", OrgID: "o", PrincipalID: "p", KongInitiated: true, TraceID: 7, UserAgent: "u"}
		},
	} {
		e := event()
		change(e)
		line := audit.AppendUnsigned(nil, audit.CEF, e)
		cef, err := audit.ParseCEF(line)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"kind": kind.String(), "vendor": cef.Vendor, "product": cef.Product, "class": cef.Class, "name": cef.Name, "severity": cef.Severity,
		}
		for _, extension := range cef.Extensions {
			want[extension.Name] = extension.Value
		}
		for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
			r := newRecord(Origin{ReceivedAt: receipt()}, audit.AppendUnsigned(nil, format, e))
			if diff := cmp.Diff(want, fieldMap(r)); diff != "" {
				t.Errorf("%s in %s: %s", kind, format, diff)
			}
		}
	}
}

func TestTimesThatAreFarApartAreNoted(t *testing.T) {
	at := receipt()
	for _, test := range []struct {
		line  string
		note  string // the beginning
		timed bool
	}{
		{"text", "", false},
		{`{"rt":"` + fmt.Sprint(at.UnixMilli()) + `"}`, "", true},
		{`{"time":"` + at.Add(-23*time.Hour).Format(time.RFC3339) + `"}`, "", true},
		{`{"time":"` + at.Add(-25*time.Hour).Format(time.RFC3339) + `"}`, "received more than 24 h after", true},
		{`{"time":"` + at.Add(2*time.Hour).Format(time.RFC3339) + `"}`, "received more than 1 h before", true},
		{`{"time":"` + at.Add(49*time.Hour).Format(time.RFC3339) + `"}`, "the line says a time more than 48 h after its receipt", false},
		{`{"time":"1969-01-01T00:00:00Z"}`, "the line says a time before 1970", false},
		{signed(newSigner(1), audit.CEF, nil), "received more than 24 h after", true},
		{"Feb 28 10:11:12 host CEF:0|v|p|1|c|n|1|", "received more than 24 h after", false}, // with another year next year
		{"Mar  1 11:11:12 host CEF:0|v|p|1|c|n|1|rt=" + fmt.Sprint(at.UnixMilli()), "", true},
		{"Mar  1 11:11:12 host CEF:0|v|p|1|c|n|1|rt=soon", "", false},
		{at.Format(time.RFC3339) + " text", "", true},
	} {
		r := newRecord(Origin{ReceivedAt: at}, []byte(test.line))
		if r.Timed != test.timed || !strings.HasPrefix(r.TimeNote, test.note) || test.note == "" && r.TimeNote != "" {
			t.Errorf("%s: timed %t, note %q", test.line, r.Timed, r.TimeNote)
		}
	}
}

func TestALineOfAnyBytesIsStoredWhole(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	lines := []string{
		"\xff\xfe\x00 not UTF-8 \xc3\x28", "CEF:0|\xff|p|1|c|n|1|a=\xfe\x00b", "{\"a\xff\":\"\xfe\"}", "quote ' and \" and \\ and %", "\x00", "🦔",
		strings.Repeat("long ", maxLine/5),
	}
	y.take(t, strings.Join(lines, "\n"))
	got := raws(y.find(t, ""))
	for _, line := range lines {
		if got[line] != 1 {
			t.Errorf("%.60q is there %d times", line, got[line])
		}
	}
}

func TestALineOfManyFieldsKeepsTheFirstAndSaysSo(t *testing.T) {
	line := "CEF:0|v|p|1|c|n|1|" + strings.Repeat("k=v ", 2*maxFields)
	r := newRecord(Origin{ReceivedAt: receipt()}, []byte(line))
	if len(r.Fields) != maxFields || !strings.Contains(r.ParseError, "more than") {
		t.Errorf("%d fields, parse error %q", len(r.Fields), r.ParseError)
	}
}

func FuzzNewRecord(f *testing.F) {
	for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		f.Add([]byte(signed(newSigner(1), format, nil)), "team", "blue")
	}
	f.Add([]byte(`{"a":{"b":{"c":[1]}},"_raw":"x","rt":1e300}`), "_source", "Bank")
	f.Add([]byte("Feb 29 10:11:12 h CEF:0|v|p|1|c|n|1|rt=99999999999999999999 a=\xff"), "", "")
	f.Fuzz(func(t *testing.T, line []byte, name, value string) {
		origin := Origin{ReceivedAt: receipt(), Fields: map[string]string{name: value}}
		r := newRecord(origin, line)
		if r.Raw != string(line) {
			t.Fatalf("the line was changed to %q", r.Raw)
		}
		if r.Time.Before(time.UnixMilli(0)) || r.Time.After(receipt().Add(48*time.Hour)) {
			t.Fatalf("time %s", r.Time)
		}
		if again := newRecord(origin, line); again.Identity != r.Identity {
			t.Fatal("the identity changes")
		}
		for _, field := range r.Fields {
			if strings.HasPrefix(field.Name, "_") {
				t.Fatalf("a field passes for metadata: %q", field.Name)
			}
		}
		for _, field := range r.Normal().Fields {
			if !utf8.ValidString(field.Name) || !utf8.ValidString(field.Value) {
				t.Fatalf("a field that no store takes: %q", field)
			}
		}
		_ = search.Match(search.All{}, &r)
	})
}
