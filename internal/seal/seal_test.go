package seal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/seal"
)

const field = "destination/6f2c/authorization"

func TestWhatWasSealedOpensForTheSameContextOnly(t *testing.T) {
	sealer := newSealer(t)
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		context := rapid.StringN(1, -1, -1).Draw(t, "context")
		sealed, err := sealer.Seal(plaintext, context)
		if err != nil {
			t.Fatalf("seal: %v", err)
		}
		opened, err := sealer.Open(sealed, context)
		if err != nil || !bytes.Equal(opened, plaintext) {
			t.Fatalf("opened %q, %v; want %q", opened, err, plaintext)
		}
		if opened, err := sealer.Open(sealed, context+"x"); err == nil {
			t.Fatalf("opened %q for another context", opened)
		}
	})
}

func TestASealedValueOpensNeitherElsewhereNorChanged(t *testing.T) {
	sealer := newSealer(t)
	sealed := mustSeal(t, sealer, "the secret")
	changed := func(at int) []byte {
		other := bytes.Clone(sealed)
		other[at] ^= 1
		return other
	}
	cases := []struct {
		name    string
		sealer  *seal.Sealer
		sealed  []byte
		context string
	}{
		{"for another object", sealer, sealed, "destination/0000/authorization"},
		{"for another field", sealer, sealed, "destination/6f2c/name"},
		{"for no context", sealer, sealed, ""},
		{"under another key", newSealer(t), sealed, field},
		{"first byte changed", sealer, changed(0), field},
		{"nonce changed", sealer, changed(6), field},
		{"ciphertext changed", sealer, changed(20), field},
		{"last byte changed", sealer, changed(len(sealed) - 1), field},
		{"cut", sealer, sealed[:len(sealed)-1], field},
		{"lengthened", sealer, append(bytes.Clone(sealed), 0), field},
		{"empty", sealer, nil, field},
		{"the plaintext itself", sealer, []byte("the secret"), field},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			opened, err := c.sealer.Open(c.sealed, c.context)
			if err == nil {
				t.Fatalf("opened as %q", opened)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error carries the secret: %v", err)
			}
		})
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	sealer := newSealer(t)
	if bytes.Equal(mustSeal(t, sealer, "same"), mustSeal(t, sealer, "same")) {
		t.Error("the same bytes twice: a reader of the store sees which secrets are equal")
	}
}

func TestSealingWithoutAContextIsAnError(t *testing.T) {
	if _, err := newSealer(t).Seal([]byte("x"), ""); err == nil {
		t.Error("sealed without a context")
	}
}

func TestARetiredKeyStillOpensWhatItSealed(t *testing.T) {
	manager := keyset.NewManager()
	old := addPrimary(t, manager)
	before := mustParse(t, keysetText(t, manager))
	sealed := mustSeal(t, before, "old")
	addPrimary(t, manager)
	after := mustParse(t, keysetText(t, manager))

	if opened, err := after.Open(sealed, field); err != nil || string(opened) != "old" {
		t.Errorf("after the rotation the old value opens as %q, %v", opened, err)
	}
	if _, err := before.Open(mustSeal(t, after, "new"), field); err == nil {
		t.Error("after the rotation values are still sealed under the old key")
	}
	if err := manager.Disable(old); err != nil {
		t.Fatal(err)
	}
	if _, err := mustParse(t, keysetText(t, manager)).Open(sealed, field); err == nil {
		t.Error("a disabled key still opens")
	}
}

func TestParseRefusesWhatIsNoKeysetOfAES256GCMWithoutQuotingIt(t *testing.T) {
	good := newKeysetText(t, aead.AES256GCMKeyTemplate())
	cases := []struct{ name, text, want string }{
		{"empty", "", "empty"},
		{"white space", " \n", "empty"},
		{"a password", "correct-horse-secret", "not a Tink keyset"},
		{"no keys", `{"primaryKeyId":1,"key":[]}`, "not a Tink keyset"},
		{"cut in half", good[:len(good)/2], "not a Tink keyset"},
		{"unknown member", `{"secret":1}`, "not a Tink keyset"},
		{"an encrypted keyset", `{"encryptedKeyset":"c2VjcmV0"}`, "not a Tink keyset"},
		{"another cipher", newKeysetText(t, aead.XChaCha20Poly1305KeyTemplate()), "not AES256-GCM"},
		{"a shorter key", newKeysetText(t, aead.AES128GCMKeyTemplate()), "not AES256-GCM"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := seal.Parse(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one that says %q", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error quotes the text: %v", err)
			}
		})
	}
}

func TestPrintingASealerShowsNoKey(t *testing.T) {
	text := newKeysetText(t, aead.AES256GCMKeyTemplate())
	printed := fmt.Sprintf("%+v", mustParse(t, text))
	if len(printed) > 40 {
		t.Errorf("printed as %s", printed)
	}
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	return mustParse(t, newKeysetText(t, aead.AES256GCMKeyTemplate()))
}

func mustParse(t *testing.T, text string) *seal.Sealer {
	t.Helper()
	sealer, err := seal.Parse(text)
	if err != nil {
		t.Fatalf("parse keyset: %v", err)
	}
	return sealer
}

func mustSeal(t *testing.T, sealer *seal.Sealer, plaintext string) []byte {
	t.Helper()
	sealed, err := sealer.Seal([]byte(plaintext), field)
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return sealed
}

func newKeysetText(t *testing.T, template *tinkpb.KeyTemplate) string {
	t.Helper()
	manager := keyset.NewManager()
	id, err := manager.Add(template)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	return keysetText(t, manager)
}

func addPrimary(t *testing.T, manager *keyset.Manager) uint32 {
	t.Helper()
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	return id
}

func keysetText(t *testing.T, manager *keyset.Manager) string {
	t.Helper()
	handle, err := manager.Handle()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
