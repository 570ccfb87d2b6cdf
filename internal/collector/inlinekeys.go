package collector

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/trailhook/trailhook/audit"
)

// maxInlineKeys bounds a key set that a source holds itself: it travels with
// every message of the intake.
const maxInlineKeys = 32

// inlineScheme begins the URL (RFC 2397) by which a key set travels that has no
// address.
const inlineScheme = "data:application/jwk-set+json;base64,"

// ParseJWKS reads a key set that a source is to hold itself and returns the
// public Ed25519 keys of it, as a key set. A set without one, with more than 32,
// or with the private half of a key is refused ([ErrInvalid]).
func ParseJWKS(document []byte) (json.RawMessage, error) {
	set, err := audit.ParseJWKS(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var private struct {
		Keys []struct {
			D any `json:"d"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(document, &private); err != nil {
		return nil, fmt.Errorf("%w: parsing a JWKS: %w", ErrInvalid, err)
	}
	for i, key := range private.Keys {
		if key.D != nil {
			return nil, fmt.Errorf("%w: key %d of the JWKS has its private half in it (d): give the public one only, and do not use this key any more", ErrInvalid, i+1)
		}
	}
	switch n := set.Len(); {
	case n == 0:
		return nil, fmt.Errorf("%w: the JWKS holds no Ed25519 key", ErrInvalid)
	case n > maxInlineKeys:
		return nil, fmt.Errorf("%w: the JWKS holds %d keys, at most %d may be given like this: give its URL", ErrInvalid, n, maxInlineKeys)
	}
	return set.JWKS(), nil
}

// keysURL is where the keys of the source's lines are: a URL of the scheme data
// where the source holds them itself, so that lines are verified with the keys
// that counted when they were received.
func (s *Source) keysURL() string {
	if len(s.JWKS) > 0 {
		return inlineScheme + base64.StdEncoding.EncodeToString(s.JWKS)
	}
	return s.JWKSURL
}

// inlineKeys returns the key set that a URL of keysURL holds.
func inlineKeys(url string) ([]byte, bool) {
	encoded, ok := strings.CutPrefix(url, inlineScheme)
	if !ok {
		return nil, false
	}
	document, err := base64.StdEncoding.DecodeString(encoded)
	return document, err == nil
}
