package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// Verdict is what a [KeySet] says about the signature of a line.
type Verdict uint8

// The verdicts. Only Valid says anything about who wrote the line.
const (
	Unsigned   Verdict = iota // there is no signature
	Valid                     // a key of the set signed exactly these bytes
	Invalid                   // the signature is malformed or not at the end, or no key of the set fits
	UnknownKey                // the signature is well-formed, but the set has no keys to try
)

// String gives "unsigned", "valid", "invalid" or "unknown key".
func (v Verdict) String() string {
	switch v {
	case Unsigned:
		return "unsigned"
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	case UnknownKey:
		return "unknown key"
	default:
		return fmt.Sprintf("verdict %d", uint8(v))
	}
}

// KeySet holds the public keys of those whose lines are believed. It is immutable and safe for concurrent use; a nil
// KeySet is an empty one.
type KeySet struct {
	keys []verifyingKey
}

type verifyingKey struct {
	id       string
	public   ed25519.PublicKey
	expanded *voi.ExpandedPublicKey
}

// NewKeySet makes a set of keys, each named by its thumbprint. A key that is malformed, or of small order (with which
// a signature can fit any line), is an error.
func NewKeySet(keys ...ed25519.PublicKey) (*KeySet, error) {
	set := &KeySet{}
	for i, key := range keys {
		if err := set.add("", key); err != nil {
			return nil, fmt.Errorf("key %d of %d: %w", i+1, len(keys), err)
		}
	}
	return set, nil
}

// add names the key by its thumbprint where it has no id. A key that is in the set already stays as it is.
func (k *KeySet) add(id string, public ed25519.PublicKey) error {
	expanded, err := expand(public)
	if err != nil {
		return err
	}
	for _, known := range k.keys {
		if known.public.Equal(public) {
			return nil
		}
	}
	if id == "" {
		id = thumbprint(public)
	}
	k.keys = append(k.keys, verifyingKey{id: id, public: bytes.Clone(public), expanded: expanded})
	return nil
}

// expand refuses what verification would refuse silently, line by line.
func expand(public ed25519.PublicKey) (*voi.ExpandedPublicKey, error) {
	var compressed curve.CompressedEdwardsY
	if _, err := compressed.SetBytes(public); err != nil {
		return nil, fmt.Errorf("an Ed25519 public key must be 32 bytes long, this is %d", len(public))
	}
	var point curve.EdwardsPoint
	if _, err := point.SetCompressedY(&compressed); err != nil || !compressed.IsCanonicalVartime() {
		return nil, fmt.Errorf("%x is not an Ed25519 public key", []byte(public))
	}
	if point.IsSmallOrder() {
		return nil, fmt.Errorf("%x is a key of small order, with which signatures prove nothing", []byte(public))
	}
	return voi.NewExpandedPublicKey(voi.PublicKey(public))
}

// Len is the number of keys.
func (k *KeySet) Len() int {
	if k == nil {
		return 0
	}
	return len(k.keys)
}

// Verify says whether a key of the set signed the line, and the id of the one that did. It works on the bytes as they
// came, which must be those of one line without its newline.
func (k *KeySet) Verify(line []byte) (Verdict, string) {
	signed, signature, ok := signedPart(line)
	if !ok {
		if hasSignature(line) {
			return Invalid, ""
		}
		return Unsigned, ""
	}
	if k.Len() == 0 {
		return UnknownKey, ""
	}
	for i := range k.keys {
		if voi.VerifyExpanded(k.keys[i].expanded, signed, signature[:]) {
			return Valid, k.keys[i].id
		}
	}
	return Invalid, ""
}

// SignedPart gives the bytes that the signature of a line covers, and the 64 bytes of the signature. It is ok only where
// the signature is the last thing of the line, written as [Signer.AppendLine] would: 86 characters of canonical
// base64url after exactly one space, or as the last member of the object. Neither result shares memory with line.
func SignedPart(line []byte) (signed, sig []byte, ok bool) {
	signed, signature, ok := signedPart(line)
	if !ok {
		return nil, nil, false
	}
	return bytes.Clone(signed), signature[:], true
}

// signedPart is SignedPart whose first result may be a piece of line.
func signedPart(line []byte) (signed []byte, signature [ed25519.SignatureSize]byte, ok bool) {
	line, before, after := signaturePlace(line)
	rest, ended := bytes.CutSuffix(line, []byte(after))
	cut := len(rest) - signatureLength
	if !ended || cut < 0 {
		return nil, signature, false
	}
	signed, ended = bytes.CutSuffix(rest[:cut], []byte(before))
	if !ended || !decodeSignature(&signature, rest[cut:]) {
		return nil, signature, false
	}
	if before == signatureMember {
		// Clipped, so that the brace is put into a copy and not into the line.
		signed = append(signed[:len(signed):len(signed)], objectEnd...)
	}
	return signed, signature, true
}

// signaturePlace takes the envelope from a CPS line and says what must stand around its signature.
func signaturePlace(line []byte) (inner []byte, before, after string) {
	if !looksLikeJSON(line) {
		return line, signatureExtension, ""
	}
	if inner, ok := bytes.CutPrefix(line, []byte(envelopeStart)); ok && bytes.HasSuffix(inner, []byte(signatureMemberEnd+envelopeEnd)) {
		return inner[:len(inner)-len(envelopeEnd)], signatureMember, signatureMemberEnd
	}
	return line, signatureMember, signatureMemberEnd
}

// decodeSignature takes canonical base64url only: what can be written in two ways can be changed without notice.
func decodeSignature(dst *[ed25519.SignatureSize]byte, text []byte) bool {
	if len(text) != signatureLength {
		return false
	}
	// The decoder skips newlines, hence the look at how much came out.
	n, err := base64.RawURLEncoding.Strict().Decode(dst[:], text)
	return err == nil && n == len(dst)
}

// hasSignature says whether a line whose signature is not in its place has one elsewhere.
func hasSignature(line []byte) bool {
	if looksLikeJSON(line) {
		return hasSignatureMember(line)
	}
	return hasSignatureExtension(string(line))
}

func looksLikeJSON(line []byte) bool {
	return len(line) > 0 && line[0] == '{'
}
