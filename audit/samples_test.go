package audit_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trailhook/trailhook/audit"
)

var formats = []audit.Format{audit.CEF, audit.JSON, audit.CPS}

// testKey is the key of the golden files.
func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte("trailhook golden files, test key"))
}

func testKeys(tb testing.TB) *audit.KeySet {
	tb.Helper()
	keys, err := audit.NewKeySet(testKey().Public().(ed25519.PublicKey))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// sample is an event of the golden files.
type sample struct {
	name  string
	event audit.Event
}

var sampleTime = time.UnixMilli(1750280466889).UTC()

// hostileText tries to end a value, a field, a header, an object and a line, in the manner of each format.
const hostileText = " a|b\\|c\\=d\\\\ e=f granted=true sig=AAAA\",\"sig\":\"AAAA\"}\\\"\r\n" +
	"2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|x|Authz.y|1|rt=1\x00\x07\x1b[31m\x7f\t\u0085\u2028\u2029" +
	"\xff\xc0\xaf <&> é 日本 😀\\ "

func samples() []sample {
	return append(fullSamples(), append(minimalSamples(), hostileSamples()...)...)
}

func fullSamples() []sample {
	authentication := audit.Event{
		Kind: audit.Authentication, Time: sampleTime, Product: audit.ProductKonnect, Source: "127.0.0.6",
		OrgID: "777db3e4-5cb7-4dd5-b51c-9878096a6999", PrincipalID: "eb999f01-5976-4f4b-9fbc-dd5d514bd675",
		PrincipalName: "Ada Lovelace", TraceID: 3959872677347089807, UserAgent: "grpc-node-js/1.12.4",
		AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess, Request: "/v2/control-planes",
	}
	portal := authentication
	portal.Product, portal.PortalID = audit.ProductDevPortal, "0b3c1d7e-2f60-4a53-8f5e-3c1b6c0c7a11"
	portal.AuthType, portal.Outcome = audit.AuthBasic, audit.OutcomeLocked
	authorization := audit.Event{
		Kind: audit.Authorization, Time: sampleTime, Product: audit.ProductKonnect, Source: "127.0.0.6",
		OrgID: authentication.OrgID, PrincipalID: authentication.PrincipalID, PrincipalName: "Ada Lovelace",
		ActorID: "c1b6c0c7-2f60-4a53-8f5e-0b3c1d7e7a11", KongInitiated: true, TraceID: 1<<63 - 1, UserAgent: "curl/8.14.1",
		Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
	access := audit.Event{
		Kind: audit.Access, Time: sampleTime, Stamp: time.Date(2025, 6, 18, 21, 2, 36, 0, time.UTC),
		Product: audit.ProductKonnect, Source: "2001:db8::6", OrgID: authentication.OrgID, PrincipalID: authentication.PrincipalID,
		PrincipalName: "Ada Lovelace", KongInitiated: true, TraceID: 1, UserAgent: "Mozilla/5.0 (X11; Linux x86_64)",
		Request: "/v2/control-planes", Method: "POST", Status: 201, Query: "page[size]=10&filter[name][eq]=a|b",
	}
	return []sample{{"authentication", authentication}, {"authentication-portal", portal}, {"authorization", authorization}, {"access", access}}
}

func minimalSamples() []sample {
	return []sample{
		{"authentication-minimal", audit.Event{
			Kind: audit.Authentication, Time: time.UnixMilli(0).UTC(), Product: audit.ProductKonnect,
			AuthType: audit.AuthInvalid, Outcome: audit.OutcomeInvalid,
		}},
		{"authorization-minimal", audit.Event{
			Kind: audit.Authorization, Time: sampleTime, Product: audit.ProductKonnect, Service: "konnect", Resource: "organization",
		}},
		{"access-minimal", audit.Event{Kind: audit.Access, Time: sampleTime, Product: audit.ProductKonnect, Status: 500}},
	}
}

func hostileSamples() []sample {
	base := audit.Event{
		Time: sampleTime, Product: audit.ProductKonnect, Source: hostileText, OrgID: hostileText, PrincipalID: hostileText,
		PrincipalName: hostileText, TraceID: 7, UserAgent: hostileText,
	}
	authentication, authorization, access := base, base, base
	authentication.Kind, authentication.AuthType, authentication.Outcome = audit.Authentication, audit.AuthSPAT, audit.OutcomeNotFound
	authentication.PortalID, authentication.Request = hostileText, hostileText
	authorization.Kind, authorization.Service, authorization.Resource = audit.Authorization, hostileText, hostileText
	authorization.Action, authorization.ActorID = hostileText, hostileText
	access.Kind, access.Status, access.Request, access.Method, access.Query = audit.Access, 403, hostileText, hostileText, hostileText
	return []sample{{"authentication-hostile", authentication}, {"authorization-hostile", authorization}, {"access-hostile", access}}
}

// written is what must come back of e after it was written in format f: the model of the text rule that the
// encoders are held against.
func written(e audit.Event, f audit.Format) audit.Event {
	for _, text := range []*string{
		&e.Source, &e.OrgID, &e.PortalID, &e.PrincipalID, &e.PrincipalName, &e.ActorID, &e.UserAgent,
		&e.Action, &e.Request, &e.Method, &e.Query,
	} {
		*text = cleaned(*text)
	}
	for _, text := range []*string{&e.Product, &e.Service, &e.Resource, (*string)(&e.AuthType), (*string)(&e.Outcome)} {
		*text = cleaned(*text)
		if f == audit.CEF {
			*text = strings.NewReplacer("\r", " ", "\n", " ", "\t", " ").Replace(*text)
		}
	}
	if e.Product == "" {
		e.Product = audit.ProductKonnect
	}
	e.Time = time.UnixMilli(e.Time.UnixMilli()).UTC()
	if stamp := e.Stamp.Truncate(time.Second).UTC(); e.Stamp.IsZero() || stamp.Equal(e.Time.Truncate(time.Second)) {
		e.Stamp = time.Time{}
	} else {
		e.Stamp = stamp
	}
	return e
}

func cleaned(s string) string {
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			r < 0x20 && r != '\t' && r != '\r' && r != '\n',
			r >= 0x7F && r <= 0x9F, r == 0x2028, r == 0x2029:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// extensionNames are the names that the line of e must have, in the order of the reference, without sig.
func extensionNames(e audit.Event) []string {
	order := map[audit.Kind]string{
		audit.Authentication: "rt src request success org_id portal_id principal_id principal_name trace_id user_agent",
		audit.Authorization:  "rt src action granted org_id principal_id principal_name actor_id kong_initiated trace_id user_agent",
		audit.Access:         "rt src request act status org_id principal_id principal_name kong_initiated user_agent trace_id query",
	}
	missing := map[string]bool{
		"src": e.Source == "", "request": e.Request == "", "action": e.Action == "", "act": e.Method == "",
		"org_id": e.OrgID == "", "portal_id": e.PortalID == "", "principal_id": e.PrincipalID == "",
		"principal_name": e.PrincipalName == "", "actor_id": e.ActorID == "", "query": e.Query == "",
		"kong_initiated": !e.KongInitiated, "trace_id": e.TraceID == 0,
	}
	var names []string
	for _, name := range strings.Fields(order[e.Kind]) {
		if !missing[name] {
			names = append(names, name)
		}
	}
	return names
}

func encode(f audit.Format, e audit.Event) []byte {
	return audit.AppendUnsigned(nil, f, &e)
}
