package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

const controlPlanesPath = "/v2/control-planes"

type controlPlane struct {
	ID          string             `json:"id" format:"uuid"`
	Name        string             `json:"name"`
	Description string             `json:"description"`
	Labels      map[string]string  `json:"labels" nullable:"false"`
	Config      controlPlaneConfig `json:"config"`
	CreatedAt   time.Time          `json:"created_at"`
	UpdatedAt   time.Time          `json:"updated_at"`
}

type controlPlaneConfig struct {
	Endpoint          string              `json:"control_plane_endpoint" format:"uri"`
	TelemetryEndpoint string              `json:"telemetry_endpoint" format:"uri"`
	ClusterType       string              `json:"cluster_type"`
	AuthType          string              `json:"auth_type"`
	CloudGateway      bool                `json:"cloud_gateway"`
	ProxyURLs         []registry.ProxyURL `json:"proxy_urls" nullable:"false"`
}

func (a *API) showControlPlane(cp registry.ControlPlane) controlPlane {
	shown := controlPlane{
		ID: cp.ID, Name: cp.Name, Description: cp.Description, Labels: cp.Labels,
		Config: controlPlaneConfig{
			Endpoint: a.BaseURL, TelemetryEndpoint: a.BaseURL,
			ClusterType: cp.ClusterType, AuthType: cp.AuthType,
			CloudGateway: cp.CloudGateway, ProxyURLs: cp.ProxyURLs,
		},
		CreatedAt: cp.CreatedAt, UpdatedAt: cp.UpdatedAt,
	}
	if shown.Labels == nil {
		shown.Labels = map[string]string{}
	}
	if shown.Config.ProxyURLs == nil {
		shown.Config.ProxyURLs = []registry.ProxyURL{}
	}
	return shown
}

type controlPlaneOutput struct{ Body controlPlane }

type newControlPlane struct {
	Body struct {
		Name         string              `json:"name" minLength:"1" maxLength:"256"`
		Description  string              `json:"description,omitempty" maxLength:"2048"`
		ClusterType  string              `json:"cluster_type,omitempty" enum:"CLUSTER_TYPE_CONTROL_PLANE,CLUSTER_TYPE_K8S_INGRESS_CONTROLLER,CLUSTER_TYPE_CONTROL_PLANE_GROUP,CLUSTER_TYPE_SERVERLESS,CLUSTER_TYPE_KAFKA_NATIVE_EVENT_PROXY,CLUSTER_TYPE_SERVERLESS_V1" default:"CLUSTER_TYPE_CONTROL_PLANE"`
		AuthType     string              `json:"auth_type,omitempty" enum:"pinned_client_certs,pki_client_certs" default:"pinned_client_certs"`
		CloudGateway bool                `json:"cloud_gateway,omitempty"`
		ProxyURLs    []registry.ProxyURL `json:"proxy_urls,omitempty" maxItems:"100"`
		Labels       map[string]string   `json:"labels,omitempty" maxProperties:"50"`
	}
}

// controlPlaneChange is what a PATCH may change. Labels and proxy_urls replace
// what was there, so that one that is not sent is gone. A label that is null is
// not there either.
type controlPlaneChange struct {
	ID   string `path:"controlPlaneId"`
	Body struct {
		Name        *string             `json:"name,omitempty" minLength:"1" maxLength:"256"`
		Description *string             `json:"description,omitempty" maxLength:"2048"`
		AuthType    *string             `json:"auth_type,omitempty" enum:"pinned_client_certs,pki_client_certs"`
		ProxyURLs   []registry.ProxyURL `json:"proxy_urls,omitempty" maxItems:"100"`
		Labels      map[string]*string  `json:"labels,omitempty" maxProperties:"50"`
	}
}

type controlPlaneList struct {
	Body struct {
		Data []controlPlane `json:"data" nullable:"false"`
		Meta numberedMeta   `json:"meta"`
	}
}

type controlPlaneID struct {
	ID string `path:"controlPlaneId"`
}

func (a *API) controlPlaneRoutes() {
	const one, resource, tag = controlPlanesPath + "/{controlPlaneId}", "control-planes/{controlPlaneId}", "Control planes"
	register(a, route{"list-control-planes", http.MethodGet, controlPlanesPath, "List the region's control planes",
		registry.List, "control-planes", http.StatusOK, tag}, a.listControlPlanes)
	register(a, route{"create-control-plane", http.MethodPost, controlPlanesPath, "Create a control plane",
		registry.Create, "control-planes", http.StatusCreated, tag}, a.createControlPlane)
	register(a, route{"get-control-plane", http.MethodGet, one, "Retrieve a control plane",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getControlPlane)
	register(a, route{"update-control-plane", http.MethodPatch, one, "Change a control plane",
		registry.Edit, resource, http.StatusOK, tag}, a.changeControlPlane)
	register(a, route{"delete-control-plane", http.MethodDelete, one, "Delete a control plane",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deleteControlPlane)
}

func (a *API) listControlPlanes(ctx context.Context, in *controlPlaneQuery) (*controlPlaneList, error) {
	c := callOf(ctx)
	list, err := in.choose(c, c.visible(a.Registry.ControlPlanes(c.user.OrgID, c.region)))
	if err != nil {
		return nil, err
	}
	page, meta := cutNumbered(list, in.NumberedPage)
	out := &controlPlaneList{}
	out.Body.Meta = meta
	out.Body.Data = make([]controlPlane, len(page))
	for i, cp := range page {
		out.Body.Data[i] = a.showControlPlane(cp)
	}
	return out, nil
}

func (a *API) createControlPlane(ctx context.Context, in *newControlPlane) (*controlPlaneOutput, error) {
	c := callOf(ctx)
	created, err := a.Registry.CreateControlPlane(ctx, registry.ControlPlane{
		OrgID: c.user.OrgID, Region: c.region,
		Name: in.Body.Name, Description: in.Body.Description, Labels: in.Body.Labels,
		ClusterType: in.Body.ClusterType, AuthType: in.Body.AuthType,
		CloudGateway: in.Body.CloudGateway, ProxyURLs: in.Body.ProxyURLs,
	})
	if err != nil {
		return nil, err
	}
	return &controlPlaneOutput{a.showControlPlane(created)}, nil
}

func (a *API) getControlPlane(ctx context.Context, in *controlPlaneID) (*controlPlaneOutput, error) {
	c := callOf(ctx)
	cp, err := a.Registry.ControlPlane(c.user.OrgID, c.region, in.ID)
	if err != nil {
		return nil, err
	}
	return &controlPlaneOutput{a.showControlPlane(cp)}, nil
}

func (a *API) changeControlPlane(ctx context.Context, in *controlPlaneChange) (*controlPlaneOutput, error) {
	c, b := callOf(ctx), in.Body
	changed, err := a.Registry.ChangeControlPlane(ctx, c.user.OrgID, c.region, in.ID, registry.ControlPlaneChange{
		Name: b.Name, Description: b.Description, AuthType: b.AuthType, ProxyURLs: b.ProxyURLs, Labels: given(b.Labels),
	})
	if err != nil {
		return nil, err
	}
	return &controlPlaneOutput{a.showControlPlane(changed)}, nil
}

// given returns the labels that are not null; nil for none at all.
func given(labels map[string]*string) map[string]string {
	if labels == nil {
		return nil
	}
	list := make(map[string]string, len(labels))
	for name, value := range labels {
		if value != nil {
			list[name] = *value
		}
	}
	return list
}

func (a *API) deleteControlPlane(ctx context.Context, in *controlPlaneID) (*struct{}, error) {
	c := callOf(ctx)
	return nil, a.Registry.DeleteControlPlane(ctx, c.user.OrgID, c.region, in.ID)
}
