package konnect

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

type keySet struct {
	CacheControl string `header:"Cache-Control"`
	Body         keys
}

// keys is a key set, as it is.
type keys struct{ json.RawMessage }

// Schema implements [huma.SchemaProvider].
func (keys) Schema(schemas huma.Registry) *huma.Schema {
	type key struct {
		KeyType   string `json:"kty" enum:"OKP"`
		Algorithm string `json:"alg" enum:"EdDSA"`
		ID        string `json:"kid"`
		Curve     string `json:"crv" enum:"Ed25519"`
		X         string `json:"x" doc:"The public key, base64url without padding."`
	}
	type set struct {
		Keys []key `json:"keys" nullable:"false"`
	}
	return huma.SchemaFromType(schemas, reflect.TypeFor[set]())
}

// keyRoutes serves the keys that signatures are verified with (RFC 7517, 8037).
// They are public, so nobody is asked who he is, and a look leaves no events.
func (a *API) keyRoutes() {
	for _, version := range []string{"v2", "v3"} {
		register(a, route{
			id: "get-audit-log-jwks-" + version, method: http.MethodGet, path: "/" + version + "/audit-log-webhook/jwks.json",
			summary: "Retrieve the keys that events are signed with", status: http.StatusOK, tag: "Audit-log webhook",
		}, a.getKeys)
	}
}

func (a *API) getKeys(context.Context, *struct{}) (*keySet, error) {
	set, err := a.Registry.KeySet()
	if err != nil {
		return nil, err
	}
	return &keySet{
		CacheControl: "public, max-age=300",
		Body:         keys{set.JWKS()},
	}, nil
}
