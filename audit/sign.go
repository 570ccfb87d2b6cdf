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
	switch f {
	case JSON:
		return s.appendSignedJSON(dst, e)
	case CPS:
		dst = append(dst, envelopeStart...)
		dst = s.appendSignedJSON(dst, e)
		return append(dst, envelopeEnd...)
	default:
		dst = appendCEF(dst, e)
		signature := voi.Sign(s.key, dst[start:])
		return appendSignature(append(dst, signatureExtension...), signature)
	}
}

func (s *Signer) appendSignedJSON(dst []byte, e *Event) []byte {
	start := len(dst)
	dst = appendJSON(dst, e)
	signature := voi.Sign(s.key, dst[start:])
	dst = dst[:len(dst)-len(objectEnd)]
	dst = appendSignature(append(dst, signatureMember...), signature)
	return append(dst, signatureMemberEnd...)
}

// What stands around the 86 characters of a signature.
const (
	signatureExtension = ` sig=`
	signatureMember    = `,"sig":"`
	signatureMemberEnd = `"}`
	objectEnd          = `}`
	signatureLength    = 86 // of 64 bytes in base64url without padding
)

func appendSignature(dst, signature []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, signature)
}

// thumbprint is RFC 7638's for a key of RFC 8037: the hash of the required members, sorted.
func thumbprint(key ed25519.PublicKey) string {
	x := base64.RawURLEncoding.EncodeToString(key)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
