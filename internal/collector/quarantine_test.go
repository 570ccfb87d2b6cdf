package collector

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

// signedLine returns a line and the key set that verifies it.
func signedLine(t *testing.T, resource string) (line string, keys []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := audit.NewKeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	event := audit.Event{Kind: audit.Authorization, Time: time.Now(), Service: "konnect", Resource: resource, Action: "list"}
	return string(audit.NewSigner(private).AppendLine(nil, audit.CEF, &event)), set.JWKS()
}

// set changes the system's source.
func (y *system) set(t *testing.T, change func(*Source)) {
	t.Helper()
	source, err := y.catalog.Source(y.source.ID)
	if err != nil {
		t.Fatal(err)
	}
	change(&source)
	if _, err := y.catalog.UpdateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
}

func TestThePolicySaysWhatIsSetApart(t *testing.T) {
	for _, test := range []struct {
		policy                               Quarantine
		valid, invalid, unknownKey, unsigned bool
	}{
		{policy: Quarantine{}},
		{policy: Quarantine{Unverified: true}, invalid: true, unknownKey: true},
		{policy: Quarantine{Unverified: true, Unsigned: true}, invalid: true, unknownKey: true, unsigned: true},
	} {
		for verdict, want := range map[audit.Verdict]bool{
			audit.Valid: test.valid, audit.Invalid: test.invalid, audit.UnknownKey: test.unknownKey, audit.Unsigned: test.unsigned,
		} {
			if got := test.policy.holds(verdict.String()); got != want {
				t.Errorf("%+v, %v: %v", test.policy, verdict, got)
			}
		}
	}
}

func TestALineInQuarantineIsKeptApartAndTakenWhenItsKeyIsKnown(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	line, keys := signedLine(t, "control-planes")
	_, others := signedLine(t, "x")
	y.set(t, func(s *Source) {
		s.JWKS, s.Quarantine = others, Quarantine{Unverified: true}
	})
	y.take(t, line+"\nunsigned")
	y.take(t, line)
	if diff := cmp.Diff(map[string]int{"unsigned": 1}, raws(y.find(t, "_source=Konnect"))); diff != "" {
		t.Error(diff)
	}
	apart := y.find(t, `_source="Konnect (quarantine)"`)
	if diff := cmp.Diff(map[string]int{line: 1}, raws(apart)); diff != "" || apart[0].Signature == audit.Valid.String() {
		t.Errorf("%s, %q", diff, apart[0].Signature)
	}
	if n := y.counter(t, "trailhook_collector_lines_quarantined_total", ""); n != 2 {
		t.Errorf("%v lines counted", n)
	}
	y.set(t, func(s *Source) { s.JWKS = keys })
	y.take(t, line)
	if found := y.find(t, "_source=Konnect _signature=valid"); len(found) != 1 || found[0].Raw != line {
		t.Errorf("sent again with its key known: %v", found)
	}
}

func TestAKeySetOfASourceHoldsPublicKeysOnly(t *testing.T) {
	_, keys := signedLine(t, "x")
	document, err := ParseJWKS(keys)
	if err != nil || string(document) != string(keys) {
		t.Errorf("%s, %v", document, err)
	}
	public := make([]ed25519.PublicKey, maxInlineKeys+1)
	for i := range public {
		if public[i], _, err = ed25519.GenerateKey(nil); err != nil {
			t.Fatal(err)
		}
	}
	many, err := audit.NewKeySet(public...)
	if err != nil {
		t.Fatal(err)
	}
	for document, wrong := range map[string]string{
		`{`: "JWKS", `[]`: "JWKS", `{}`: "no \"keys\"", `{"keys":[]}`: "no Ed25519 key", `{"keys":[{"kty":"RSA"}]}`: "no Ed25519 key",
		strings.Replace(string(keys), `"kty"`, `"d":"private","kty"`, 1): "private half", `{"keys":[{"kty":"EC","d":"x"}]}`: "private half",
		string(many.JWKS()): "at most 32",
	} {
		if _, err := ParseJWKS([]byte(document)); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%.60s: %v, want %q", document, err, wrong)
		}
	}
}
