package audit_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

// The key of RFC 8037, appendix A, and its thumbprint there.
const (
	rfcSeed       = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
	rfcPublic     = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	rfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func TestAKeyIsNamedByItsThumbprint(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString(rfcSeed)
	if err != nil {
		t.Fatal(err)
	}
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(seed))
	if signer.KeyID() != rfcThumbprint {
		t.Errorf("the key's id is %s, want %s", signer.KeyID(), rfcThumbprint)
	}
	keys, err := audit.NewKeySet(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"` + rfcThumbprint + `","x":"` + rfcPublic + `"}]}`
	if got := string(keys.JWKS()); got != want {
		t.Errorf("the set is\n%s\nwant\n%s", got, want)
	}
}

func TestAKeySetComesBackFromItsJWKS(t *testing.T) {
	document := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"<a>","x":"` + rfcPublic + `"},` +
		`{"kty":"OKP","crv":"Ed25519","kid":"b","x":"` + base64.RawURLEncoding.EncodeToString(publicOf(testKey())) + `"}]}`
	keys, err := audit.ParseJWKS([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	back, err := audit.ParseJWKS(keys.JWKS())
	if err != nil || string(back.JWKS()) != string(keys.JWKS()) {
		t.Errorf("%s came back as %s, %v", keys.JWKS(), back.JWKS(), err)
	}
	e := fullSamples()[0].event
	line := audit.NewSigner(testKey()).AppendLine(nil, audit.JSON, &e)
	if verdict, kid := back.Verify(line); verdict != audit.Valid || kid != "b" {
		t.Errorf("%v by %q, want valid by b", verdict, kid)
	}
}

func TestAnEmptyKeySetIsAJWKSToo(t *testing.T) {
	var none *audit.KeySet
	if got := string(none.JWKS()); got != `{"keys":[]}` || none.Len() != 0 {
		t.Errorf("got %s", got)
	}
}

func TestParseJWKSSkipsKeysOfOtherSorts(t *testing.T) {
	ours := `{"kty":"OKP","crv":"Ed25519","x":"` + rfcPublic + `"`
	for _, c := range []struct {
		keys string
		want int
	}{
		{``, 0},
		{ours + `}`, 1},
		{ours + `,"alg":"EdDSA","use":"sig","kid":"k","unknown":[1]}`, 1},
		{ours + `,"alg":"Ed25519"}`, 1},
		{ours + `},` + ours + `,"kid":"again"}`, 1},
		{ours + `,"alg":"ES256"}`, 0},
		{ours + `,"use":"enc"}`, 0},
		{`{"kty":"RSA","n":"AQAB","e":"AQAB"},` + ours + `}`, 1},
		{`{"kty":"OKP","crv":"X25519","x":"!"}`, 0},
		{`{"kty":"EC","crv":"Ed25519","x":1}`, 0},
		{`{}`, 0},
	} {
		keys, err := audit.ParseJWKS([]byte(`{"keys":[` + c.keys + `]}`))
		if err != nil || keys.Len() != c.want {
			t.Errorf("%s: %d keys, %v, want %d", c.keys, keys.Len(), err, c.want)
		}
	}
}

func TestParseJWKSRefusesWhatIsMalformed(t *testing.T) {
	for _, document := range []string{
		``, `null`, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[1]}`, `{"keys":[]} {}`, `<html>`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":1}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + rfcPublic + `="}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + rfcPublic[:42] + `"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + rfcPublic[:42] + `p"}]}`, // the last bits are not zero
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + strings.ReplaceAll(rfcPublic, "_", "/") + `"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":1,"x":"` + rfcPublic + `"}]}`,
	} {
		if keys, err := audit.ParseJWKS([]byte(document)); err == nil {
			t.Errorf("%s was read as %s", document, keys.JWKS())
		}
	}
}
