package konnect

import (
	"context"
	"net/http"
)

type keySet struct {
	CacheControl string `header:"Cache-Control"`
	ContentType  string `header:"Content-Type"`
	Body         []byte
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
	keys, err := a.Registry.KeySet()
	if err != nil {
		return nil, err
	}
	return &keySet{
		CacheControl: "public, max-age=300",
		ContentType:  "application/json",
		Body:         keys.JWKS(),
	}, nil
}
