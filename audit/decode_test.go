package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

const (
	cefStart  = `2025-06-18T21:01:06Z konghq.com CEF:0|KongInc|Konnect|1.0|`
	jsonStart = `"event_vendor":"KongInc","event_product":"Konnect","event_ts":"2025-06-18T21:01:06Z",`
	jsonAuthn = `"event_class_id":"AUTHENTICATION_TYPE_PAT","name":"AUTHENTICATION_OUTCOME_SUCCESS",`
	jsonAuthz = `"event_class_id":"konnect","name":"Authz.organization",`
)

func TestDecodeIsLenient(t *testing.T) {
	authn := audit.Event{
		Kind: audit.Authentication, Time: sampleTime, Product: "Konnect", AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess,
	}
	authz := audit.Event{Kind: audit.Authorization, Time: sampleTime, Product: "Konnect", Service: "konnect", Resource: "organization", Granted: true}
	access := audit.Event{Kind: audit.Access, Time: sampleTime, Product: "Konnect", Status: 201}
	with := func(e audit.Event, change func(*audit.Event)) audit.Event { change(&e); return e }
	traced := func(e *audit.Event) { e.TraceID = 3959872677347089807 }
	for _, c := range []struct {
		name, line string
		want       audit.Event
		extra      []audit.Field
	}{
		{"numbers and booleans that are strings", `{` + jsonStart + jsonAuthn + `"rt":"1750280466889","severity":"0","success":"true","cef_version":"0"}`, authn, nil},
		{"a trace id that is a number above 2^53", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"trace_id":3959872677347089807}`, with(authn, traced), nil},
		{"a trace id that is a string", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"trace_id":"3959872677347089807"}`, with(authn, traced), nil},
		{"granted as a string", `{` + jsonStart + jsonAuthz + `"rt":1750280466889,"granted":"true"}`, authz, nil},
		{"status as a string", `{` + jsonStart + `"event_class_id":"KongGateway","name":"Ingress","rt":1750280466889,"status":"201"}`, access, nil},
		{"kong_initiated as a boolean", `{` + jsonStart + jsonAuthz + `"rt":1750280466889,"granted":true,"kong_initiated":true}`,
			with(authz, func(e *audit.Event) { e.KongInitiated = true }), nil},
		{"null for what is missing", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"portal_id":null,"trace_id":null}`, authn, nil},
		{"white space between the tokens", " {\n" + jsonStart + jsonAuthn + "\t\"rt\" :\r 1750280466889 }\n", authn, nil},
		{"escapes", `{` + jsonStart + jsonAuthn + `"\u0072t":1750280466889,"user_agent":"\u00e9\/\ud83d\ude00\b\ud800"}`,
			with(authn, func(e *audit.Event) { e.UserAgent = "é/😀\b\uFFFD" }), nil},
		{"unknown members", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"a":"x","b":[1, {"c" : "}"}],"d":1e3,"e":null,"f":true,"granted":false}`, authn,
			[]audit.Field{{Name: "a", Value: "x"}, {Name: "b", Value: `[1,{"c":"}"}]`}, {Name: "d", Value: "1e3"}, {Name: "e", Value: "null"}, {Name: "f", Value: "true"}, {Name: "granted", Value: "false"}}},
		{"an envelope with more in it", `{"host":"gw","event": {` + jsonStart + jsonAuthn + `"rt":1750280466889,"x":1},"time":1.5}`, authn,
			[]audit.Field{{Name: "x", Value: "1"}, {Name: "host", Value: "gw"}, {Name: "time", Value: "1.5"}}},
		{"a signature that is none", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"sig":"abc"}`, authn, []audit.Field{{Name: "sig", Value: "abc"}}},
		{"a success that contradicts the outcome", `{` + jsonStart + jsonAuthn + `"rt":1750280466889,"success":false}`, authn, []audit.Field{{Name: "success", Value: "false"}}},
		{"no rt", `{` + jsonStart + jsonAuthn + `"user_agent":""}`, with(authn, func(e *audit.Event) { e.Time = sampleTime.Truncate(time.Second) }), nil},
		{"a later stamp", `{"event_ts":"2025-06-18T21:02:36Z","event_vendor":"KongInc",` + jsonAuthn + `"rt":1750280466889}`,
			with(authn, func(e *audit.Event) { e.Product, e.Stamp = "", time.Date(2025, 6, 18, 21, 2, 36, 0, time.UTC) }), nil},
		{"types and outcomes that are new", cefStart + `AUTHENTICATION_TYPE_PASSKEY|AUTHENTICATION_OUTCOME_ODD|3|rt=1750280466889`,
			with(authn, func(e *audit.Event) { e.AuthType, e.Outcome = "PASSKEY", "ODD" }), nil},
		{"another order, more fields", cefStart + `konnect|Authz.organization|1|granted=true new=x rt=1750280466889 status=7`, authz,
			[]audit.Field{{Name: "new", Value: "x"}, {Name: "status", Value: "7"}}},
		{"a relay's header without a year", `<134>Jun 18 21:09:09 relay CEF:0|KongInc|Konnect|1.0|konnect|Authz.organization|1|rt=1750280466889 granted=true`, authz, nil},
		{"no syslog header", `CEF:0|KongInc|Konnect|1.0|konnect|Authz.organization|1|rt=1750280466889 granted=true`, authz, nil},
		{"quotes around the line", `"` + cefStart + `konnect|Authz.organization|1|rt=1750280466889 granted=true"` + "\r\n", authz, nil},
		{"an unescaped equals sign", cefStart + `KongGateway|Ingress|1|rt=1750280466889 status=201 query=a=b&c=d`,
			with(access, func(e *audit.Event) { e.Query = "a=b&c=d" }), nil},
		{"an empty trace id", cefStart + `KongGateway|Ingress|1|rt=1750280466889 status=201 trace_id=`, access, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := audit.Decode([]byte(c.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Event); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.extra, got.Extra); diff != "" {
				t.Errorf("extra (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeTellsWhatIsNoAuditEventFromWhatIsMalformed(t *testing.T) {
	cef := func(rest string) string { return cefStart + rest }
	obj := func(rest string) string { return `{` + jsonStart + rest + `}` }
	for _, c := range []struct {
		line     string
		notAudit bool
	}{
		{"", true},
		{"hello", true},
		{"[]", true},
		{"null", true},
		{"{}", true},
		{`{"event":{}}`, true},
		{`{"event":{"event":{}}}`, true},
		{`{"event":"x"}`, true},
		{`CEF:0|Cisco|ASA|1|C|N|5|a=b`, true},
		{cef(`KongGateway|Egress|1|rt=1 status=200`), true},
		{cef(`AUTHENTICATION_TYPE_PAT|Ingress|1|rt=1`), true},
		{`{"event_vendor":"Cisco"}`, true},
		{obj(`"name":"Ingress"`), true},

		{`{`, false},
		{`{} {}`, false},
		{`{}]`, false},
		{`{"event":{},"event":{}}`, false},
		{`{"event":{"a":1,"a":2}}`, false},
		{obj(jsonAuthn + `"rt":1,"rt":1`), false},
		{obj(jsonAuthn + `"rt":1,"\u0072t":2`), false},
		{obj(jsonAuthn + `"rt":1,"x":1,"x":1`), false},
		{obj(jsonAuthn + `"rt":1,` + manyMembers(200) + `"m7":1`), false},
		{obj(jsonAuthn + `"rt":1.5`), false},
		{obj(jsonAuthn + `"rt":-1`), false},
		{obj(jsonAuthn + `"rt":{}`), false},
		{obj(jsonAuthn + `"rt":253402300800000`), false},
		{obj(jsonAuthn + `"rt":1,"success":"yes"`), false},
		{obj(jsonAuthn + `"rt":1,"trace_id":9223372036854775808`), false},
		{obj(jsonAuthn + `"rt":1,"trace_id":1e3`), false},
		{obj(jsonAuthn + `"rt":1,"trace_id":-1`), false},
		{obj(jsonAuthz + `"rt":1`), false},
		{`{"event_vendor":"KongInc",` + jsonAuthz + `"granted":true}`, false},
		{`{"event_vendor":"KongInc","event_ts":"today",` + jsonAuthz + `"rt":1,"granted":true}`, false},
		{cef(`KongGateway|Ingress|1|rt=1`), false},
		{cef(`KongGateway|Ingress|1|rt=1 status=OK`), false},
		{cef(`KongGateway|Ingress|1|rt=1 status=-200`), false},
		{cef(`KongGateway|Ingress|1|rt=1 status=200 status=200`), false},
		{cef(`KongGateway|Ingress|1|rt=1 status=200 x=1 x=1`), false},
		{cef(`konnect|Authz.organization|1|rt=1 granted=maybe`), false},
		{cef(`konnect|Authz.organization|1|words`), false},
		{cef(`konnect|Authz.organization`), false},
		{`CEF:0|KongInc|Konnect|1.0|KongGateway|Ingress|1|status=200`, false},
	} {
		got, err := audit.Decode([]byte(c.line))
		if err == nil {
			t.Errorf("%s was read as %+v", c.line, got)
			continue
		}
		if errors.Is(err, audit.ErrNotAudit) != c.notAudit {
			t.Errorf("%s: not an audit event %v, want %v: %v", c.line, !c.notAudit, c.notAudit, err)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	return b.String()
}

func TestDecodeReadsLinesWithManyFields(t *testing.T) {
	line := `{` + manyMembers(500) + jsonStart + jsonAuthn + `"rt":1750280466889}`
	got, err := audit.Decode([]byte(line))
	if err != nil || len(got.Extra) != 500 {
		t.Errorf("%d extra fields, %v", len(got.Extra), err)
	}
}
