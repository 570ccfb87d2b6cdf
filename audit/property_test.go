package audit_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/audit"
)

// anyText is full of what the formats give a meaning to.
func anyText() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"", " ", "  ", "=", `\`, `\\`, `\=`, `\n`, "|", `"`, "'", ",", ":", "{", "}", "[", "]", "<", "&",
		"a", "b=c", " a=b", " sig=", `","sig":"`, "CEF:0|", "rt=1", "\t", "\r", "\n", "\r\n", "\x00", "\x1b", "\x7f",
		"\u0085", "\u2028", "\u2029", "\uFEFF", "\uFFFD", "\xff", "\xed\xa0\x80", "é", "日本", "😀",
	})
	return rapid.OneOf(
		rapid.Just(""), rapid.String(),
		rapid.Custom(func(t *rapid.T) string {
			var b []byte
			for _, p := range rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces") {
				b = append(b, p...)
			}
			return string(b)
		}),
	)
}

// anyEvent is any that an encoder takes, with text that no caller should give it. Fields that its kind lacks are empty.
func anyEvent() *rapid.Generator[audit.Event] {
	return rapid.Custom(func(t *rapid.T) audit.Event {
		text := func(name string) string { return anyText().Draw(t, name) }
		moment := func(name string) time.Time {
			return time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, name)).UTC()
		}
		e := audit.Event{
			Kind:    audit.Kind(rapid.IntRange(1, 3).Draw(t, "kind")),
			Time:    moment("time"),
			Product: rapid.SampledFrom([]string{audit.ProductKonnect, audit.ProductDevPortal}).Draw(t, "product"),
			Source:  text("source"), OrgID: text("org"), PrincipalID: text("principal"), PrincipalName: text("name"),
			TraceID: rapid.Uint64Range(0, 1<<63-1).Draw(t, "trace"), UserAgent: text("agent"),
		}
		if rapid.Bool().Draw(t, "stamped") {
			e.Stamp = moment("stamp").Truncate(time.Second)
		}
		switch e.Kind {
		case audit.Authentication:
			e.AuthType, e.Outcome = audit.AuthType(text("type")), audit.Outcome(text("outcome"))
			e.Request, e.PortalID = text("request"), text("portal")
		case audit.Authorization:
			e.Service, e.Resource, e.Action, e.ActorID = text("service"), text("resource"), text("action"), text("actor")
			e.Granted, e.KongInitiated = rapid.Bool().Draw(t, "granted"), rapid.Bool().Draw(t, "kong")
		case audit.Access:
			e.Request, e.Method, e.Query = text("request"), text("method"), text("query")
			e.Status, e.KongInitiated = rapid.IntRange(0, 999).Draw(t, "status"), rapid.Bool().Draw(t, "kong")
		}
		return e
	})
}

func TestAnyEventComesBackFromItsLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, f := anyEvent().Draw(t, "event"), rapid.SampledFrom(formats).Draw(t, "format")
		line := encode(f, e)
		decoded, err := audit.Decode(line)
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if diff := cmp.Diff(written(e, f), decoded.Event); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, line)
		}
		if decoded.Extra != nil || decoded.Signature != nil || decoded.Format != f {
			t.Fatalf("decoded %+v from\n%s", decoded, line)
		}
		if again := encode(f, decoded.Event); !bytes.Equal(again, line) {
			t.Fatalf("what came back is written as\n%s\nnot as\n%s", again, line)
		}
	})
}

func TestAnySignedLineIsValidAndNoOtherKeysIs(t *testing.T) {
	ours, theirs := audit.NewSigner(testKey()), audit.NewSigner(otherKey(1))
	keys := testKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		e, f := anyEvent().Draw(t, "event"), rapid.SampledFrom(formats).Draw(t, "format")
		if verdict, _ := keys.Verify(ours.AppendLine(nil, f, &e)); verdict != audit.Valid {
			t.Fatalf("our line is %v", verdict)
		}
		if verdict, _ := keys.Verify(theirs.AppendLine(nil, f, &e)); verdict != audit.Invalid {
			t.Fatalf("their line is %v", verdict)
		}
		if verdict, _ := keys.Verify(encode(f, e)); verdict != audit.Unsigned {
			t.Fatalf("the unsigned line is %v", verdict)
		}
	})
}

func TestASignatureDoesNotFitAnotherEvent(t *testing.T) {
	signer, keys := audit.NewSigner(testKey()), testKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		line := signer.AppendLine(nil, audit.CEF, ptr(anyEvent().Draw(t, "event")))
		other := encode(audit.CEF, anyEvent().Draw(t, "other"))
		const tail = len(" sig=") + 86
		forged := append(other, line[len(line)-tail:]...)
		if verdict, _ := keys.Verify(forged); verdict == audit.Valid && !bytes.Equal(forged, line) {
			t.Fatalf("valid:\n%s", forged)
		}
	})
}

func ptr[T any](v T) *T { return &v }

func TestALineOfOursIsMadeAgainFromItsEventAndSignature(t *testing.T) {
	signer := audit.NewSigner(testKey())
	rapid.Check(t, func(t *rapid.T) {
		e, f := anyEvent().Draw(t, "event"), rapid.SampledFrom(formats).Draw(t, "format")
		line := signer.AppendLine([]byte("before"), f, &e)[len("before"):]
		decoded, err := audit.Decode(line)
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if again := audit.AppendSigned(nil, decoded.Format, &decoded.Event, decoded.Signature); !bytes.Equal(again, line) {
			t.Fatalf("got\n%s\nwant\n%s", again, line)
		}
	})
}
