package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// Signer writes signed lines. It is immutable and safe for concurrent use.
type Signer struct {
	key   voi.PrivateKey
	keyID string
}

// NewSigner gives the Signer of a private key. Like [ed25519.Sign] it panics where the key is not
// [ed25519.PrivateKeySize] bytes long. The public half is derived anew from the seed: to sign with one that does not
// belong to it would give the private key away.
func NewSigner(key ed25519.PrivateKey) *Signer {
	if len(key) != ed25519.PrivateKeySize {
		panic("audit: an Ed25519 private key must be 64 bytes long")
	}
	s := &Signer{key: voi.NewKeyFromSeed(key.Seed())}
	s.keyID = thumbprint(s.Public())
	return s
}

// KeyID is the thumbprint of the public key by RFC 7638, the kid that it has in a JWKS.
func (s *Signer) KeyID() string { return s.keyID }

// Public is the key that the lines can be verified with.
func (s *Signer) Public() ed25519.PublicKey {
	return ed25519.PublicKey(append([]byte(nil), s.key[ed25519.SeedSize:]...))
}

// AppendLine appends the line of e in format f with its signature, without a newline. The same event and key give the
// same bytes, always and everywhere.
func (s *Signer) AppendLine(dst []byte, f Format, e *Event) []byte {
	start := len(dst)
	if f == CPS {
		start += len(envelopeStart)
		dst = append(dst, envelopeStart...)
	}
	dst = appendUnenveloped(dst, f, e)
	return closeSigned(dst, f, voi.Sign(s.key, dst[start:]))
}

// AppendSigned appends the line of e in format f with a signature that was made before, which is not looked at: with the
// one that [Decode] found in a line of ours, it gives that line again.
func AppendSigned(dst []byte, f Format, e *Event, signature []byte) []byte {
	if f == CPS {
		dst = append(dst, envelopeStart...)
	}
	return closeSigned(appendUnenveloped(dst, f, e), f, signature)
}

// appendUnenveloped appends what a signature covers.
func appendUnenveloped(dst []byte, f Format, e *Event) []byte {
	if f == JSON || f == CPS {
		return appendJSON(dst, e)
	}
	return appendCEF(dst, e)
}

// What stands around the 86 characters of a signature.
const (
	signatureExtension = ` sig=`
	signatureMember    = `,"sig":"`
	signatureMemberEnd = `"}`
	objectEnd          = `}`
	signatureLength    = 86 // of 64 bytes in base64url without padding
)

// closeSigned puts the signature where it belongs in the line that dst ends with, and closes its envelope.
func closeSigned(dst []byte, f Format, signature []byte) []byte {
	if f != JSON && f != CPS {
		return appendSignature(append(dst, signatureExtension...), signature)
	}
	dst = dst[:len(dst)-len(objectEnd)]
	dst = appendSignature(append(dst, signatureMember...), signature)
	dst = append(dst, signatureMemberEnd...)
	if f == CPS {
		dst = append(dst, envelopeEnd...)
	}
	return dst
}

func appendSignature(dst, signature []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, signature)
}

// thumbprint is RFC 7638's for a key of RFC 8037: the hash of the required members, sorted.
func thumbprint(key ed25519.PublicKey) string {
	x := base64.RawURLEncoding.EncodeToString(key)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
