package audit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// ParseJWKS reads the keys of a JSON Web Key Set (RFC 7517): those with kty OKP, crv Ed25519 and, where it is given, alg
// EdDSA (RFC 8037) or Ed25519 (RFC 9864). A key keeps its kid, one without is named by its thumbprint. Keys of
// other sorts are skipped; a malformed key of ours, or a document that is no key set, is an error.
func ParseJWKS(data []byte) (*KeySet, error) {
	var document struct {
		Keys *[]map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("parsing a JWKS: %w", err)
	}
	if document.Keys == nil {
		return nil, fmt.Errorf(`parsing a JWKS: the document has no "keys"`)
	}
	set := &KeySet{}
	for i, jwk := range *document.Keys {
		if !isEd25519(jwk) {
			continue
		}
		if err := set.addJWK(jwk); err != nil {
			return nil, fmt.Errorf("parsing a JWKS: key %d of %d: %w", i+1, len(*document.Keys), err)
		}
	}
	return set, nil
}

func isEd25519(jwk map[string]any) bool {
	if jwk["kty"] != "OKP" || jwk["crv"] != "Ed25519" {
		return false
	}
	if use, given := jwk["use"]; given && use != "sig" {
		return false
	}
	alg, given := jwk["alg"]
	return !given || alg == "EdDSA" || alg == "Ed25519"
}

func (k *KeySet) addJWK(jwk map[string]any) error {
	kid, isText := jwk["kid"].(string)
	if _, given := jwk["kid"]; given && !isText {
		return fmt.Errorf("kid is not a string")
	}
	x, _ := jwk["x"].(string)
	public, err := base64.RawURLEncoding.Strict().DecodeString(x)
	if err != nil {
		return fmt.Errorf("x is not base64url without padding: %w", err)
	}
	return k.add(kid, public)
}

// JWKS is the set as a JSON Web Key Set, as ParseJWKS reads it.
func (k *KeySet) JWKS() []byte {
	type jwk struct {
		KeyType   string `json:"kty"`
		Curve     string `json:"crv"`
		Algorithm string `json:"alg"`
		ID        string `json:"kid"`
		X         string `json:"x"`
	}
	document := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for i := range k.Len() {
		document.Keys = append(document.Keys, jwk{
			KeyType:   "OKP",
			Curve:     "Ed25519",
			Algorithm: "EdDSA",
			ID:        k.keys[i].id,
			X:         base64.RawURLEncoding.EncodeToString(k.keys[i].public),
		})
	}
	data, err := json.Marshal(document)
	if err != nil {
		panic(err) // strings always marshal
	}
	return data
}
