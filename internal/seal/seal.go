// Package seal keeps secrets at rest unreadable: a destination's authorization and the signing keys are
// stored only as values sealed under one master key.
//
// A sealed value is bound to the place it was made for. Seal takes a context, such as
// "destination/3f0c…/authorization", which is authenticated but not stored; Open must be given the same. So
// somebody who can write to the store, but has no key, can neither read a secret nor move one to an object
// whose answers he can see.
//
// The master key is a Tink keyset (https://developers.google.com/tink) of AES256-GCM keys, as JSON, in a
// file of mode 0600 or in an environment variable. Being a keyset it can hold retired keys beside the
// primary one: what a retired key sealed still opens, new values are sealed under the primary. Each value
// gets a random 96-bit nonce, which is safe for some four thousand million values a key.
//
// No error of this package carries a part of a key or of a plaintext.
package seal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer seals and opens secrets under one master key. It is safe for concurrent use.
type Sealer struct {
	aead tink.AEAD
}

// Parse makes a Sealer from the text of a keyset: what the key file holds, or the environment variable
// TRAILHOOK_MASTER_KEY. A text that is not a keyset of AES256-GCM keys is an error, which does not quote it.
func Parse(keysetJSON string) (*Sealer, error) {
	handle, err := parseHandle(keysetJSON)
	if err != nil {
		return nil, err
	}
	return newSealer(handle)
}

func parseHandle(keysetJSON string) (*keyset.Handle, error) {
	if strings.TrimSpace(keysetJSON) == "" {
		return nil, errors.New("master key is empty: give a Tink keyset as JSON")
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(keysetJSON)))
	if err != nil {
		// The cause may quote what it could not read, and that may be the key: it is not passed on.
		return nil, errors.New("master key is not a Tink keyset as JSON")
	}
	return handle, nil
}

// Seal encrypts the plaintext for one context, which names the object and the field that it belongs to and
// must not be empty. Sealing the same plaintext twice gives different bytes.
func (s *Sealer) Seal(plaintext []byte, context string) ([]byte, error) {
	if context == "" {
		return nil, errors.New("seal: the context is empty: name the object and the field")
	}
	sealed, err := s.aead.Encrypt(plaintext, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", context, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same context. Another context, another master key and changed bytes
// all give the same error: the encryption cannot tell them apart.
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	plaintext, err := s.aead.Decrypt(sealed, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("open the sealed value of %q: sealed under another master key, for another object, or damaged", context)
	}
	return plaintext, nil
}

func newSealer(handle *keyset.Handle) (*Sealer, error) {
	if err := requireAES256GCM(handle); err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("master key cannot be used: its keyset has no usable key")
	}
	return &Sealer{aead: primitive}, nil
}

// requireAES256GCM keeps a weaker or remote kind of key from coming in by way of the environment.
func requireAES256GCM(handle *keyset.Handle) error {
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return fmt.Errorf("master key: key %d of its keyset cannot be read", i+1)
		}
		parameters, ok := entry.Key().Parameters().(*aesgcm.Parameters)
		if !ok || parameters.KeySizeInBytes() != 32 {
			return fmt.Errorf("master key: key %d of its keyset is not AES256-GCM", i+1)
		}
	}
	return nil
}
