package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func otherKey(i byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{i}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func TestASignedLineIsTheUnsignedLineWithASignatureByTheStandardLibrarysReckoning(t *testing.T) {
	signer := audit.NewSigner(testKey())
	for _, s := range samples() {
		for _, f := range formats {
			line := signer.AppendLine(nil, f, &s.event)
			inner := f
			if f == audit.CPS {
				inner = audit.JSON
			}
			unsigned := encode(inner, s.event)
			signed, signature, ok := audit.SignedPart(line)
			if !ok || !bytes.Equal(signed, unsigned) {
				t.Errorf("%s.%s: the signed part is\n%s\nwant\n%s", s.name, f, signed, unsigned)
			}
			if !ed25519.Verify(signer.Public(), signed, signature) || !bytes.Equal(signature, ed25519.Sign(testKey(), unsigned)) {
				t.Errorf("%s.%s: crypto/ed25519 disagrees with the signature", s.name, f)
			}
		}
	}
}

func TestVerifyNamesTheKeyThatFits(t *testing.T) {
	keys, err := audit.NewKeySet(publicOf(otherKey(1)), publicOf(testKey()), publicOf(otherKey(2)), publicOf(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	if keys.Len() != 3 {
		t.Errorf("the set has %d keys, want 3: the same key twice is one", keys.Len())
	}
	e := fullSamples()[0].event
	for _, key := range []ed25519.PrivateKey{otherKey(1), testKey(), otherKey(2)} {
		signer := audit.NewSigner(key)
		for _, f := range formats {
			if verdict, kid := keys.Verify(signer.AppendLine(nil, f, &e)); verdict != audit.Valid || kid != signer.KeyID() {
				t.Errorf("%s: %v by %q, want valid by %q", f, verdict, kid, signer.KeyID())
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	e := fullSamples()[2].event
	signer := audit.NewSigner(testKey())
	cef, json, cps := string(signer.AppendLine(nil, audit.CEF, &e)), string(signer.AppendLine(nil, audit.JSON, &e)), string(signer.AppendLine(nil, audit.CPS, &e))
	unsigned := string(encode(audit.JSON, e))
	ours := testKeys(t)
	strangers, err := audit.NewKeySet(publicOf(otherKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := audit.NewKeySet()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		keys *audit.KeySet
		line string
		want audit.Verdict
	}{
		{"unsigned CEF", ours, string(encode(audit.CEF, e)), audit.Unsigned},
		{"unsigned JSON", ours, unsigned, audit.Unsigned},
		{"unsigned CPS", ours, string(encode(audit.CPS, e)), audit.Unsigned},
		{"unsigned, no keys", nil, unsigned, audit.Unsigned},
		{"nothing", ours, "", audit.Unsigned},
		{"other text", ours, "design=round", audit.Unsigned},
		{"JSON with sig as a value", ours, `{"a":"sig","b":{"sig":1}}`, audit.Unsigned},
		{"CEF with sig in a header value", ours, `CEF:0|V|P|1| sig=|sig=|5|a=b`, audit.Unsigned},
		{"CEF with sig in a value", ours, `CEF:0|V|P|1|C|N|5|a=b sig\=c`, audit.Unsigned},
		{"CEF with nothing but a sig", ours, `CEF:0|V|P|1|C|N|5|sig=abc`, audit.Invalid},
		{"no such key", strangers, cef, audit.Invalid},
		{"no keys", empty, cef, audit.UnknownKey},
		{"a nil set", nil, cps, audit.UnknownKey},
		{"Kong's line", ours, tutorialLine + " sig=" + tutorialSignature, audit.Invalid},
		{"Kong's line, no keys", nil, tutorialLine + " sig=" + tutorialSignature, audit.UnknownKey},
		{"a newline after it", ours, cef + "\n", audit.Invalid},
		{"quotes around it", ours, `"` + cef + `"`, audit.Invalid},
		{"a field after it", ours, cef + " a=b", audit.Invalid},
		{"two spaces before it", ours, strings.Replace(cef, " sig=", "  sig=", 1), audit.Invalid},
		{"a tab before it", ours, strings.Replace(cef, " sig=", "\tsig=", 1), audit.Invalid},
		{"a malformed one", ours, string(encode(audit.CEF, e)) + " sig=abc", audit.Invalid},
		{"an empty one", ours, string(encode(audit.CEF, e)) + " sig=", audit.Invalid},
		{"an empty one, no keys", nil, string(encode(audit.CEF, e)) + " sig=", audit.Invalid},
		{"padding", ours, cef + "==", audit.Invalid},
		{"two signatures", ours, cef + cef[len(cef)-91:], audit.Invalid},
		{"a space in the object", ours, strings.Replace(json, `,"sig"`, `, "sig"`, 1), audit.Invalid},
		{"a member after it", ours, strings.TrimSuffix(json, "}") + `,"z":1}`, audit.Invalid},
		{"a number for a signature", ours, `{"sig":1}`, audit.Invalid},
		{"the name escaped", ours, strings.Replace(json, `"sig"`, `"\u0073ig"`, 1), audit.Invalid},
		{"broken JSON", ours, json[:len(json)-1], audit.Invalid},
		{"another envelope", ours, strings.Replace(cps, `{"event":`, `{"Event":`, 1), audit.Unsigned},
		{"a member in the envelope", ours, strings.TrimSuffix(cps, "}") + `,"host":"x"}`, audit.Invalid},
		{"the event out of its envelope", ours, json, audit.Valid},
	} {
		if got, _ := c.keys.Verify([]byte(c.line)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNoByteOfASignedLineCanBeChanged(t *testing.T) {
	keys, signer := testKeys(t), audit.NewSigner(testKey())
	e := fullSamples()[2].event
	for _, f := range formats {
		line := signer.AppendLine(nil, f, &e)
		changed := make([]byte, len(line))
		for i := range line {
			for _, flip := range []byte{0x01, 0x20, 1 << (i % 8)} {
				copy(changed, line)
				changed[i] ^= flip
				if verdict, _ := keys.Verify(changed); verdict == audit.Valid {
					t.Errorf("%s: with byte %d turned from %q to %q the line is still valid", f, i, line[i], changed[i])
				}
			}
		}
	}
}

func TestNoByteOfASignedLineCanBeAddedOrTakenAway(t *testing.T) {
	keys, signer := testKeys(t), audit.NewSigner(testKey())
	e := fullSamples()[0].event
	for _, f := range formats {
		line := signer.AppendLine(nil, f, &e)
		for i := range len(line) + 1 {
			variants := [][]byte{splice(line, i, i, " "), splice(line, i, i, "\n"), line[:i:i]}
			if i < len(line) {
				variants = append(variants, splice(line, i, i+1, ""), line[i+1:])
			}
			for _, variant := range variants {
				if bytes.Equal(variant, line) {
					continue
				}
				if verdict, _ := keys.Verify(variant); verdict == audit.Valid && !isInnerEvent(f, variant, line) {
					t.Errorf("%s: changed at byte %d the line is still valid:\n%s", f, i, variant)
				}
			}
		}
	}
}

// isInnerEvent: the event of a CPS line is a line of JSON, signed as such.
func isInnerEvent(f audit.Format, variant, line []byte) bool {
	return f == audit.CPS && bytes.Equal(variant, line[len(`{"event":`):len(line)-1])
}

func splice(line []byte, from, to int, instead string) []byte {
	return bytes.Join([][]byte{line[:from], []byte(instead), line[to:]}, nil)
}

func TestTheLastBitsOfASignatureCannotBeChanged(t *testing.T) {
	keys, signer := testKeys(t), audit.NewSigner(testKey())
	e := fullSamples()[0].event
	line := signer.AppendLine(nil, audit.CEF, &e)
	last := len(line) - 1
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=") {
		changed := append(bytes.Clone(line[:last]), c)
		verdict, _ := keys.Verify(changed)
		if same := c == line[last]; same != (verdict == audit.Valid) {
			t.Errorf("with %q instead of %q at the end the line is %v", c, line[last], verdict)
		}
	}
}

func TestSignedPartNeitherKeepsNorChangesTheLine(t *testing.T) {
	signer := audit.NewSigner(testKey())
	e := fullSamples()[0].event
	for _, f := range formats {
		line := signer.AppendLine(nil, f, &e)
		before := bytes.Clone(line)
		signed, signature, ok := audit.SignedPart(line)
		if !ok || !bytes.Equal(line, before) {
			t.Fatalf("%s: ok %v, line %s", f, ok, line)
		}
		clear(signed[:cap(signed)])
		clear(signature[:cap(signature)])
		if !bytes.Equal(line, before) {
			t.Errorf("%s: the results share memory with the line", f)
		}
	}
}

func TestKeysThatProveNothingAreRefused(t *testing.T) {
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // the identity
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // the identity, not canonical
		"0200000000000000000000000000000000000000000000000000000000000000", // no point
		"", "00", strings.Repeat("00", 33),
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit.NewKeySet(publicOf(testKey()), key); err == nil || !strings.Contains(err.Error(), "key 2 of 2") {
			t.Errorf("key %q: %v", text, err)
		}
		document := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, base64.RawURLEncoding.EncodeToString(key))
		if _, err := audit.ParseJWKS([]byte(document)); err == nil {
			t.Errorf("key %q was taken from a JWKS", text)
		}
	}
}

func TestASignerTakesOnlyWholeKeysAndDerivesThePublicHalf(t *testing.T) {
	broken := bytes.Clone(testKey())
	broken[40] ^= 1
	if got := audit.NewSigner(broken).Public(); !got.Equal(publicOf(testKey())) {
		t.Errorf("the public half was taken as it came: %x", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a key of 32 bytes was taken")
		}
	}()
	audit.NewSigner(testKey()[:32])
}

func TestVerdictsHaveNames(t *testing.T) {
	for verdict, want := range map[audit.Verdict]string{
		audit.Unsigned: "unsigned", audit.Valid: "valid", audit.Invalid: "invalid", audit.UnknownKey: "unknown key", 9: "verdict 9",
	} {
		if verdict.String() != want {
			t.Errorf("got %q, want %q", verdict, want)
		}
	}
}
