package audit_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func addLines(f *testing.F) {
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		for _, format := range formats {
			f.Add(signer.AppendLine(nil, format, &s.event))
		}
	}
	f.Add([]byte(tutorialLine + " sig=" + tutorialSignature))
	f.Add([]byte(`"<134>Jun  8 21:02:36 gw CEF:1|KongInc|Konnect|1.0|konnect|Authz.x|1|rt=1 granted=true q=a=b"` + "\r\n"))
	f.Add([]byte(`{"event":{"event_vendor":"KongInc","a":[1,{"b":"\ud800"}]},"x":null}`))
}

// What decodes is written in a way that decodes to the same again, whatever the line was.
func FuzzDecode(f *testing.F) {
	addLines(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		decoded, err := audit.Decode(line)
		if !bytes.Equal(line, before) {
			t.Fatal("Decode changed the line")
		}
		if err != nil {
			return
		}
		if n := len(decoded.Signature); n != 0 && n != 64 {
			t.Fatalf("a signature of %d bytes", n)
		}
		if decoded.Format != audit.CEF && !json.Valid(line) {
			t.Fatal("read as JSON, which it is not")
		}
		for _, format := range formats {
			again, err := audit.Decode(encode(format, decoded.Event))
			if err != nil {
				t.Fatalf("%v\n%s", err, encode(format, decoded.Event))
			}
			if diff := cmp.Diff(written(decoded.Event, format), again.Event); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", format, diff)
			}
		}
	})
}

func FuzzParseCEF(f *testing.F) {
	addLines(f)
	f.Add([]byte(`CEF:0|a\|b|c\\|d\e|f|g|h|k=\\\=\n\x v.w=x y z-_=1==2 \=3`))
	f.Fuzz(func(t *testing.T, line []byte) {
		parsed, err := audit.ParseCEF(line)
		if err != nil {
			return
		}
		length := len(parsed.Host) + len(parsed.Vendor) + len(parsed.Product) + len(parsed.DeviceVersion) + len(parsed.Class) + len(parsed.Name) + len(parsed.Severity)
		for _, field := range parsed.Extensions {
			length += len(field.Name) + len("=") + len(field.Value)
			if field.Name == "" || strings.ContainsAny(field.Name, " =\\|\n") {
				t.Fatalf("a key %q", field.Name)
			}
		}
		if length > len(line) {
			t.Fatalf("%d bytes were read from a line of %d", length, len(line))
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"a","x":"` + rfcPublic + `"},{"kty":"RSA","n":1}]}`))
	f.Add([]byte(`{"keys":[]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := audit.ParseJWKS(document)
		if err != nil {
			return
		}
		back, err := audit.ParseJWKS(keys.JWKS())
		if err != nil || back.Len() != keys.Len() || !bytes.Equal(back.JWKS(), keys.JWKS()) {
			t.Fatalf("%s came back as %s, %v", keys.JWKS(), back.JWKS(), err)
		}
	})
}

// Only lines of the signer are valid, and Verify and SignedPart stand whatever comes.
func FuzzVerify(f *testing.F) {
	addLines(f)
	keys := testKeys(f)
	signer := audit.NewSigner(testKey())
	signedHere := map[string]bool{}
	for _, s := range samples() {
		for _, format := range formats {
			signedHere[string(signer.AppendLine(nil, format, &s.event))] = true
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		verdict, kid := keys.Verify(line)
		signed, signature, ok := audit.SignedPart(line)
		if (verdict == audit.Valid) != (kid != "") || verdict == audit.Valid && (!ok || !signedHere[string(line)]) {
			t.Fatalf("%v by %q, ok %v", verdict, kid, ok)
		}
		if verdict == audit.UnknownKey || verdict == audit.Unsigned && ok {
			t.Fatalf("%v, ok %v", verdict, ok)
		}
		if ok && (len(signature) != 64 || len(signed) > len(line)) {
			t.Fatalf("%d bytes of signature over %d of %d bytes", len(signature), len(signed), len(line))
		}
	})
}

// The promise that matters most: whatever stands in the fields that strangers fill, the line is one line, has the fields
// of the event and no others, and each has the value that was put in.
func FuzzNoValueForgesAFieldOrALine(f *testing.F) {
	f.Add(uint8(0), "src", "org", "portal", "id", "name", "actor", "agent", "konnect", "control-planes", "list", "/path", "GET", "a=b")
	for kind := range uint8(3) {
		h := hostileText
		f.Add(kind, h, h, h, h, h, h, h, h, h, h, h, h, h)
		f.Add(kind, "", "", "", "", "", "", "", "", "", "", "", "", "")
		f.Add(kind, " ", "\\", "\\\\", "=", " =", "a=", " a=", "|", "\\|", "\"", "\n", "\r", "\\n")
		f.Add(kind, " sig=", `","sig":"`, `"}`, " rt=1", "\u2028", "\u0085", "\x00", "AUTHENTICATION_TYPE_PAT", "Authz.", "\xff", "\\\xff", "\xff\\", "x ")
	}
	signer := audit.NewSigner(testKey())
	f.Fuzz(func(t *testing.T, kind uint8, src, org, portal, id, name, actor, agent, service, resource, action, request, method, query string) {
		e := audit.Event{
			Kind: audit.Kind(kind%3 + 1), Time: sampleTime, Source: src, OrgID: org, PrincipalID: id, PrincipalName: name,
			TraceID: 7, UserAgent: agent,
		}
		switch e.Kind {
		case audit.Authentication:
			e.AuthType, e.Outcome, e.Product = audit.AuthType(service), audit.Outcome(resource), action
			e.Request, e.PortalID = request, portal
		case audit.Authorization:
			e.Service, e.Resource, e.Action, e.ActorID = service, resource, action, actor
		case audit.Access:
			e.Request, e.Method, e.Query, e.Status = request, method, query, 200
		}
		for _, format := range formats {
			checkNothingIsForged(t, signer, format, e)
		}
	})
}

func checkNothingIsForged(t *testing.T, signer *audit.Signer, format audit.Format, e audit.Event) {
	line := signer.AppendLine(nil, format, &e)
	for _, r := range string(line) {
		if r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("%s: %q in the line\n%q", format, r, line)
		}
	}
	decoded, err := audit.Decode(line)
	if err != nil {
		t.Fatalf("%v\n%q", err, line)
	}
	if diff := cmp.Diff(written(e, format), decoded.Event); diff != "" {
		t.Fatalf("%s (-want +got):\n%s\n%q", format, diff, line)
	}
	if decoded.Extra != nil || len(decoded.Signature) != 64 {
		t.Fatalf("%s: extra %v, %d bytes of signature\n%q", format, decoded.Extra, len(decoded.Signature), line)
	}
	want := append(extensionNames(e), "sig")
	got := cefNames(t, line)
	if format != audit.CEF {
		want = append(want, "cef_version", "event_class_id", "event_product", "event_ts", "event_vendor", "event_version", "name", "severity")
		slices.Sort(want)
		got = jsonNames(t, format, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: names (-want +got):\n%s\n%q", format, diff, line)
	}
}

func cefNames(t *testing.T, line []byte) (names []string) {
	if line[0] == '{' {
		return nil
	}
	parsed, err := audit.ParseCEF(line)
	if err != nil {
		t.Fatalf("%v\n%q", err, line)
	}
	for _, field := range parsed.Extensions {
		names = append(names, field.Name)
	}
	return names
}

// jsonNames goes by the standard library's reading, not by ours.
func jsonNames(t *testing.T, format audit.Format, line []byte) (names []string) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatalf("%v\n%q", err, line)
	}
	if format == audit.CPS {
		if len(object) != 1 {
			t.Fatalf("%d members in the envelope\n%q", len(object), line)
		}
		event := object["event"]
		clear(object)
		if err := json.Unmarshal(event, &object); err != nil {
			t.Fatalf("%v\n%q", err, line)
		}
	}
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
