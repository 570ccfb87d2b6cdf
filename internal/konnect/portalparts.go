package konnect

import (
	"context"
	"net/http"
	"strings"

	"github.com/trailhook/trailhook/internal/registry"
)

// nothing is an item of a list that has none.
type nothing struct{}

type noNumbered struct {
	Body struct {
		Data []nothing    `json:"data" nullable:"false"`
		Meta numberedMeta `json:"meta"`
	}
}

type noCursored struct {
	Body struct {
		Data []nothing  `json:"data" nullable:"false"`
		Meta cursorMeta `json:"meta"`
	}
}

type noArray struct {
	Body []nothing `nullable:"false"`
}

type portalPartPage struct {
	PortalID
	NumberedPage
}

type portalPartCursorPage struct {
	PortalID
	CursorPage
}

// portalPartRoutes are lists of what Konnect's portals have and ours do not:
// empty, for clients that look before they compare a portal with what they want.
func (a *API) portalPartRoutes() {
	part := func(name string) route {
		return route{"list-portal-" + name, http.MethodGet, portalPath + "/" + name, "List the portal's " + strings.ReplaceAll(name, "-", " ") + ": there are none",
			registry.List, "portals/{portalId}/" + name, http.StatusOK, "Portals"}
	}
	for _, name := range []string{"pages", "snippets", "teams"} {
		register(a, part(name), a.listNoNumbered)
	}
	register(a, part("ip-allow-list"), a.listNoCursored)
	register(a, part("identity-providers"), a.listNoArray)
}

func (a *API) listNoNumbered(ctx context.Context, in *portalPartPage) (*noNumbered, error) {
	out := &noNumbered{}
	out.Body.Data, out.Body.Meta = cutNumbered([]nothing{}, in.NumberedPage)
	_, err := a.portalOf(ctx, in.Portal)
	return out, err
}

func (a *API) listNoCursored(ctx context.Context, in *portalPartCursorPage) (*noCursored, error) {
	if _, err := a.portalOf(ctx, in.Portal); err != nil {
		return nil, err
	}
	out := &noCursored{}
	var err error
	out.Body.Data, out.Body.Meta, err = cut(callOf(ctx), []nothing{}, func(nothing) string { return "" }, in.CursorPage,
		strings.Replace(portalPath, "{portalId}", in.Portal, 1)+"/ip-allow-list")
	return out, err
}

func (a *API) listNoArray(ctx context.Context, in *PortalID) (*noArray, error) {
	_, err := a.portalOf(ctx, in.Portal)
	return &noArray{Body: []nothing{}}, err
}
