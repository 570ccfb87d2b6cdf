package konnect

import (
	"context"
	"net/http"

	"github.com/trailhook/trailhook/internal/registry"
)

// runtimeGroupList is how an older API of Konnect, which decK begins with, told
// of control planes.
type runtimeGroupList struct {
	Body struct {
		Data      []controlPlane `json:"data" nullable:"false"`
		Page      int            `json:"page"`
		PageCount int            `json:"pageCount"`
	}
}

type runtimeGroupQuery struct {
	Page int `query:"page" minimum:"1" maximum:"1000000" default:"1"`
	Size int `query:"size" minimum:"1" maximum:"1000" default:"100"`
}

func (a *API) runtimeGroupRoutes() {
	register(a, route{"list-runtime-groups", http.MethodGet, "/konnect-api/api/runtime_groups", "List the region's control planes, by their former name",
		registry.List, "control-planes", http.StatusOK, "Control planes"}, a.listRuntimeGroups)
}

func (a *API) listRuntimeGroups(ctx context.Context, in *runtimeGroupQuery) (*runtimeGroupList, error) {
	c := callOf(ctx)
	list := c.visible(a.Registry.ControlPlanes(c.user.OrgID, c.region))
	page, _ := cutNumbered(list, numberedPage{Size: in.Size, Number: in.Page})
	out := &runtimeGroupList{}
	out.Body.Page, out.Body.PageCount = in.Page, max(1, (len(list)+in.Size-1)/in.Size)
	out.Body.Data = make([]controlPlane, len(page))
	for i, cp := range page {
		out.Body.Data[i] = a.showControlPlane(cp)
	}
	return out, nil
}
