package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/audit"
)

// pulled is what must come back of a valid event from its entry in the pull API.
func pulled(e audit.Event) audit.Event {
	e = written(e, audit.JSON)
	e.Stamp = time.Time{}
	return e
}

// validEvent is one with anything in its texts, and in its optional fields of the pull API.
func validEvent() *rapid.Generator[audit.Event] {
	return rapid.Custom(func(t *rapid.T) audit.Event {
		e := anyEvent().Draw(t, "event")
		switch e.Kind {
		case audit.Authentication:
			e.AuthType = rapid.SampledFrom(authTypes).Draw(t, "known type")
			e.Outcome = rapid.SampledFrom(outcomes).Draw(t, "known outcome")
		case audit.Authorization:
			e.Service, e.Resource = "s"+e.Service, "r"+e.Resource
			e.Request, e.PortalID = anyText().Draw(t, "uri"), anyText().Draw(t, "portal")
		case audit.Access:
			e.Status = rapid.IntRange(100, 999).Draw(t, "valid status")
			e.ActorID, e.PortalID = anyText().Draw(t, "actor"), anyText().Draw(t, "portal")
		}
		return e
	})
}

var (
	authTypes = []audit.AuthType{audit.AuthInvalid, audit.AuthBasic, audit.AuthSSO, audit.AuthPAT, audit.AuthSPAT,
		audit.AuthGoogle, audit.AuthGitHub, audit.AuthWindowsLive, audit.AuthFederated}
	outcomes = []audit.Outcome{audit.OutcomeSuccess, audit.OutcomeNotFound, audit.OutcomeInvalidPassword,
		audit.OutcomeTokenExpired, audit.OutcomeLocked, audit.OutcomeDisabled, audit.OutcomeInvalid}
)

func TestEntriesOfThePullAPIAreWrittenAsTheGoldenFilesHaveThem(t *testing.T) {
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			entry := signer.AppendPull(nil, &s.event)
			checkGolden(t, filepath.Join("testdata", "golden", s.name+".pull"), append(bytes.Clone(entry), '\n'))
			decoded, err := audit.DecodePull(entry)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(pulled(s.event), decoded); diff != "" {
				t.Errorf("the entry decodes to another event (-want +got):\n%s", diff)
			}
		})
	}
}

// The names and types of Konnect's description of its API, the required ones of each type first.
func TestEntriesHaveTheFieldsThatKonnectDocuments(t *testing.T) {
	documented := map[audit.Kind][2]string{
		audit.Authentication: {"type successful signature outcome authentication_type ts client_ip uri user_agent trace_id",
			"principal_id org_id portal_id"},
		audit.Authorization: {"type signature service resource action granted org_id ts principal_id",
			"actor_id client_ip uri user_agent trace_id portal_id"},
		audit.Access: {"type ts org_id principal_id actor_id client_ip trace_id user_agent method uri query status_code signature",
			"portal_id"},
	}
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		var entry map[string]any
		if err := json.Unmarshal(signer.AppendPull(nil, &s.event), &entry); err != nil {
			t.Fatal(err)
		}
		names := documented[s.event.Kind]
		for _, name := range strings.Fields(names[0]) {
			value, ok := entry[name]
			if !ok {
				t.Errorf("%s: %s is missing", s.name, name)
			}
			if got, want := sortOf(value), pulledSort(name); got != want {
				t.Errorf("%s: %s is a %s, want a %s", s.name, name, got, want)
			}
			delete(entry, name)
		}
		for _, name := range strings.Fields(names[1] + " principal_name kong_initiated product") {
			if value, ok := entry[name]; ok && value == "" {
				t.Errorf("%s: %s is there and empty", s.name, name)
			}
			delete(entry, name)
		}
		if len(entry) != 0 {
			t.Errorf("%s: undocumented: %v", s.name, entry)
		}
	}
}

func pulledSort(name string) string {
	switch name {
	case "status_code":
		return "number"
	case "granted", "successful":
		return "boolean"
	default:
		return "string"
	}
}

func TestTheSignatureOfAnEntryCoversAllThatStandsBeforeIt(t *testing.T) {
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		unsigned, signed := audit.AppendPull(nil, &s.event), signer.AppendPull([]byte("before\n"), &s.event)
		signed, _ = bytes.CutPrefix(signed, []byte("before\n"))
		head, rest, ok := bytes.Cut(signed, []byte(`,"signature":"`))
		encoded, end := bytes.CutSuffix(rest, []byte(`"}`))
		if !ok || !end || string(head)+"}" != string(unsigned) {
			t.Fatalf("%s: signed\n%s\nunsigned\n%s", s.name, signed, unsigned)
		}
		signature, err := base64.RawURLEncoding.DecodeString(string(encoded))
		if err != nil || !ed25519.Verify(signer.Public(), unsigned, signature) {
			t.Errorf("%s: the signature does not fit (%v)", s.name, err)
		}
	}
}

func TestAnyValidEventComesBackFromItsEntry(t *testing.T) {
	signer := audit.NewSigner(testKey())
	rapid.Check(t, func(t *rapid.T) {
		e := validEvent().Draw(t, "event")
		for _, entry := range [][]byte{audit.AppendPull(nil, &e), signer.AppendPull(nil, &e)} {
			decoded, err := audit.DecodePull(entry)
			if err != nil {
				t.Fatalf("%v\n%s", err, entry)
			}
			if diff := cmp.Diff(pulled(e), decoded); diff != "" {
				t.Fatalf("(-want +got):\n%s\n%s", diff, entry)
			}
		}
	})
}

func TestAnEntryIsReadHoweverItsJSONIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := validEvent().Draw(t, "event")
		var object map[string]any
		if err := json.Unmarshal(audit.AppendPull(nil, &e), &object); err != nil {
			t.Fatal(err)
		}
		entry, err := json.MarshalIndent(object, "\r\n", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := audit.DecodePull(entry)
		if err != nil {
			t.Fatalf("%v\n%s", err, entry)
		}
		if diff := cmp.Diff(pulled(e), decoded); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, entry)
		}
	})
}

func TestAnEntryNeedsOnlyWhatSaysSomething(t *testing.T) {
	at := time.Date(2025, 6, 18, 21, 1, 6, 889_000_000, time.UTC)
	for entry, want := range map[string]audit.Event{
		`{"type":"authentication","ts":"2025-06-18T21:01:06.889Z","authentication_type":"pat","outcome":"not_found"}`: {
			Kind: audit.Authentication, Time: at, Product: audit.ProductKonnect, AuthType: audit.AuthPAT, Outcome: audit.OutcomeNotFound},
		` {"granted":true,"type":"authorization","ts":"2025-06-18T23:01:06.8899+02:00","service":"billing","resource":"invoices","action":"list","portal_id":"p"} `: {
			Kind: audit.Authorization, Time: at, Product: audit.ProductDevPortal, PortalID: "p", Service: "billing", Resource: "invoices", Action: "list", Granted: true},
		`{"status_code":204,"type":"gateway_access","ts":"2025-06-18T21:01:06.889Z","method":"DELETE","uri":"\u002fx","trace_id":"","signature":"any"}`: {
			Kind: audit.Access, Time: at, Product: audit.ProductKonnect, Method: "DELETE", Request: "/x", Status: 204},
	} {
		got, err := audit.DecodePull([]byte(entry))
		if err != nil {
			t.Errorf("%s: %v", entry, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", entry, diff)
		}
	}
}

func TestAResourceIsTheLinesNameWithoutAuthz(t *testing.T) {
	e := fullSamples()[2].event
	var entry struct{ Resource string }
	if err := json.Unmarshal(audit.AppendPull(nil, &e), &entry); err != nil || "Authz."+entry.Resource != e.Name() {
		t.Errorf("resource %q of the line named %q (%v)", entry.Resource, e.Name(), err)
	}
}

// The changes are made to an entry of each type; "-name" removes, "name=JSON" sets.
func TestWhatIsWrongWithAnEntryIsNamed(t *testing.T) {
	const authentication, authorization, access = 1, 2, 3 // of fullSamples
	for _, c := range []struct {
		from                int
		change, field, rule string
	}{
		{access, `-type`, "type", "required"},
		{access, `type="access"`, "type", "enum"},
		{access, `type=3`, "type", "is_string"},
		{access, `-ts`, "ts", "required"},
		{access, `ts="2025-06-18 21:01:06Z"`, "ts", "is_date_time"},
		{access, `ts="2025-06-18T21:01:06"`, "ts", "is_date_time"},
		{access, `ts="2025-06-18T1:01:06Z"`, "ts", "is_date_time"},
		{access, `ts="2025-06-18T21:01:06,5Z"`, "ts", "is_date_time"},
		{access, `ts="2025-06-18T21:01:06+25:00"`, "ts", "is_date_time"},
		{access, `ts=1750280466889`, "ts", "is_string"},
		{access, `ts="1969-12-31T23:59:59Z"`, "ts", "invalid"},
		{access, `org_id=null`, "org_id", "is_string"},
		{access, `client_ip={}`, "client_ip", "is_string"},
		{access, `user_agent=[]`, "user_agent", "is_string"},
		{access, `trace_id=7`, "trace_id", "is_string"},
		{access, `trace_id="7x"`, "trace_id", "invalid"},
		{access, `trace_id="9223372036854775808"`, "trace_id", "invalid"},
		{access, `trace_id="-1"`, "trace_id", "invalid"},
		{access, `kong_initiated="true"`, "kong_initiated", "is_boolean"},
		{access, `product="Insomnia"`, "product", "enum"},
		{access, `-method`, "method", "required"},
		{access, `-uri`, "uri", "required"},
		{access, `-status_code`, "status_code", "required"},
		{access, `status_code="200"`, "status_code", "is_integer"},
		{access, `status_code=200.5`, "status_code", "is_integer"},
		{access, `status_code=99`, "status_code", "min"},
		{access, `status_code=-200`, "status_code", "min"},
		{access, `status_code=1000`, "status_code", "max"},
		{access, `signature=1`, "signature", "is_string"},
		{access, `granted=true`, "granted", "unknown_property"},
		{access, `Uri="/"`, "Uri", "unknown_property"},
		{access, `status=200`, "status", "unknown_property"},
		{authorization, `-service`, "service", "required"},
		{authorization, `service=""`, "service", "required"},
		{authorization, `resource=""`, "resource", "required"},
		{authorization, `-action`, "action", "required"},
		{authorization, `-granted`, "granted", "required"},
		{authorization, `granted="true"`, "granted", "is_boolean"},
		{authorization, `granted=null`, "granted", "is_boolean"},
		{authorization, `status_code=200`, "status_code", "unknown_property"},
		{authentication, `-outcome`, "outcome", "required"},
		{authentication, `outcome="SUCCESS"`, "outcome", "enum"},
		{authentication, `outcome="lost"`, "outcome", "enum"},
		{authentication, `-authentication_type`, "authentication_type", "required"},
		{authentication, `authentication_type="PAT"`, "authentication_type", "enum"},
		{authentication, `authentication_type=true`, "authentication_type", "is_string"},
		{authentication, `successful=true`, "successful", "invalid"},
		{authentication, `successful="no"`, "successful", "is_boolean"},
		{authentication, `actor_id="x"`, "actor_id", "unknown_property"},
	} {
		_, err := audit.DecodePull(changed(t, fullSamples()[c.from].event, c.change))
		var field *audit.FieldError
		if !errors.As(err, &field) || field.Field != c.field || field.Rule != c.rule || field.Reason == "" {
			t.Errorf("%s: %v, want %s by rule %s", c.change, err, c.field, c.rule)
			continue
		}
		if (len(field.Choices) > 0) != (c.rule == "enum") {
			t.Errorf("%s: choices %v", c.change, field.Choices)
		}
	}
}

func changed(t *testing.T, e audit.Event, change string) []byte {
	t.Helper()
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(audit.AppendPull(nil, &e), &object); err != nil {
		t.Fatal(err)
	}
	if name, remove := strings.CutPrefix(change, "-"); remove {
		delete(object, name)
	} else {
		name, value, _ := strings.Cut(change, "=")
		object[name] = json.RawMessage(value)
	}
	entry, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func TestAnEntryIsExactlyOneObject(t *testing.T) {
	good := string(audit.AppendPull(nil, &fullSamples()[3].event))
	for _, entry := range []string{
		``, ` `, `null`, `1`, `"x"`, `[]`, `[` + good + `]`, good + good, good + `,`, good + ` x`, good[:len(good)-1], `{"type"}`, "\uFEFF" + good,
		strings.Repeat(`{"a":`, 20_000),
	} {
		var field *audit.FieldError
		if _, err := audit.DecodePull([]byte(entry)); !errors.As(err, &field) || field.Field != "" || field.Rule != "is_object" {
			t.Errorf("%.40q: %v", entry, err)
		}
	}
	for _, name := range []string{"method", "nonsense"} {
		entry := good[:len(good)-1] + `,"` + name + `":"a","` + name + `":"b"}`
		var field *audit.FieldError
		if _, err := audit.DecodePull([]byte(entry)); !errors.As(err, &field) || field.Field != name || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALongNameIsCutInTheError(t *testing.T) {
	entry := `{"type":"gateway_access","` + strings.Repeat("é", 100_000) + `":1}`
	var field *audit.FieldError
	if _, err := audit.DecodePull([]byte(entry)); !errors.As(err, &field) || len(field.Field) > 80 || !strings.HasPrefix(field.Field, "éé") {
		t.Errorf("%v", err)
	}
}

func TestWritingAnEntryAllocatesNothing(t *testing.T) {
	room := make([]byte, 0, 16<<10)
	for _, s := range samples() {
		if n := testing.AllocsPerRun(20, func() { audit.AppendPull(room, &s.event) }); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}

// What is taken is valid, and comes back from how it is written.
func FuzzDecodePull(f *testing.F) {
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		f.Add(signer.AppendPull(nil, &s.event))
	}
	f.Add([]byte(`{"type":"authentication","ts":"2025-06-18T21:01:06+01:00","authentication_type":"pat","outcome":"locked","successful":false}`))
	f.Add([]byte(`{"type":"gateway_access","type":"authorization","a":[1,{"b":"\ud800"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		e, err := audit.DecodePull(data)
		if !bytes.Equal(data, before) {
			t.Fatal("DecodePull changed the entry")
		}
		var field *audit.FieldError
		if err != nil {
			if !errors.As(err, &field) || field.Rule == "" || field.Reason == "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatal("taken, though it is not JSON")
		}
		if err := e.Validate(); err != nil {
			t.Fatalf("taken, though it is not valid: %v", err)
		}
		again, err := audit.DecodePull(audit.AppendPull(nil, &e))
		if err != nil {
			t.Fatalf("%v\n%s", err, audit.AppendPull(nil, &e))
		}
		if diff := cmp.Diff(pulled(e), again); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func BenchmarkDecodePull(b *testing.B) {
	entry := audit.NewSigner(testKey()).AppendPull(nil, &fullSamples()[2].event)
	b.SetBytes(int64(len(entry)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := audit.DecodePull(entry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPull(b *testing.B) {
	e := fullSamples()[2].event
	entry := audit.AppendPull(nil, &e)
	b.SetBytes(int64(len(entry)))
	b.ReportAllocs()
	for b.Loop() {
		entry = audit.AppendPull(entry[:0], &e)
	}
}
