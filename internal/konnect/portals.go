package konnect

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

const (
	portalsPath = "/v3/portals"
	portalPath  = portalsPath + "/{portalId}"
)

// portalDomain follows a portal's id in its default domain: browsers and curl
// look for names under localhost on this machine.
const portalDomain = ".portal.localhost"

type portal struct {
	ID                      string            `json:"id" format:"uuid"`
	Name                    string            `json:"name"`
	DisplayName             string            `json:"display_name"`
	Description             *string           `json:"description"`
	AuthenticationEnabled   bool              `json:"authentication_enabled"`
	RBACEnabled             bool              `json:"rbac_enabled"`
	DefaultAPIVisibility    string            `json:"default_api_visibility" enum:"public,private"`
	DefaultPageVisibility   string            `json:"default_page_visibility" enum:"public,private"`
	ApplicationAuthStrategy *string           `json:"default_application_auth_strategy_id" format:"uuid"`
	AutoApproveDevelopers   bool              `json:"auto_approve_developers"`
	AutoApproveApplications bool              `json:"auto_approve_applications"`
	DefaultDomain           string            `json:"default_domain" doc:"The host at which the portal's developers log in."`
	CanonicalDomain         string            `json:"canonical_domain"`
	Labels                  map[string]string `json:"labels" nullable:"false"`
	CreatedAt               time.Time         `json:"created_at"`
	UpdatedAt               time.Time         `json:"updated_at"`
}

func showPortal(p registry.Portal) portal {
	shown := portal{
		ID: p.ID, Name: p.Name, DisplayName: p.DisplayName, Description: p.Description,
		AuthenticationEnabled: p.AuthenticationEnabled, RBACEnabled: p.RBACEnabled,
		DefaultAPIVisibility: p.DefaultAPIVisibility, DefaultPageVisibility: p.DefaultPageVisibility,
		ApplicationAuthStrategy: p.ApplicationAuthStrategy,
		AutoApproveDevelopers:   p.AutoApproveDevelopers, AutoApproveApplications: p.AutoApproveApplications,
		DefaultDomain: p.ID + portalDomain, CanonicalDomain: p.ID + portalDomain,
		Labels: p.Labels, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if shown.Labels == nil {
		shown.Labels = map[string]string{}
	}
	return shown
}

type portalOutput struct{ Body portal }

// PortalSettings is what both a new portal and a change of one may have; null is
// as good as nothing.
type PortalSettings struct {
	DisplayName             *string            `json:"display_name,omitempty" maxLength:"255"`
	Description             *string            `json:"description,omitempty" maxLength:"512"`
	AuthenticationEnabled   *bool              `json:"authentication_enabled,omitempty"`
	RBACEnabled             *bool              `json:"rbac_enabled,omitempty"`
	DefaultAPIVisibility    *string            `json:"default_api_visibility,omitempty" enum:"public,private"`
	DefaultPageVisibility   *string            `json:"default_page_visibility,omitempty" enum:"public,private"`
	ApplicationAuthStrategy *string            `json:"default_application_auth_strategy_id,omitempty" format:"uuid"`
	AutoApproveDevelopers   *bool              `json:"auto_approve_developers,omitempty"`
	AutoApproveApplications *bool              `json:"auto_approve_applications,omitempty"`
	Labels                  map[string]*string `json:"labels,omitempty" maxProperties:"50" doc:"All of the portal's labels. One whose value is null is left out."`
}

// apply makes the portal as the settings have it.
func (s PortalSettings) apply(p *registry.Portal) {
	set(&p.DisplayName, s.DisplayName)
	set(&p.AuthenticationEnabled, s.AuthenticationEnabled)
	set(&p.RBACEnabled, s.RBACEnabled)
	set(&p.DefaultAPIVisibility, s.DefaultAPIVisibility)
	set(&p.DefaultPageVisibility, s.DefaultPageVisibility)
	set(&p.AutoApproveDevelopers, s.AutoApproveDevelopers)
	set(&p.AutoApproveApplications, s.AutoApproveApplications)
	if s.Description != nil {
		p.Description = s.Description
	}
	if s.ApplicationAuthStrategy != nil {
		p.ApplicationAuthStrategy = s.ApplicationAuthStrategy
	}
	if s.Labels == nil {
		return
	}
	p.Labels = map[string]string{}
	for name, value := range s.Labels {
		if value != nil {
			p.Labels[name] = *value
		}
	}
}

// set is for values of a body that may be missing.
func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

type newPortal struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"255"`
		PortalSettings
	}
}

type portalChange struct {
	PortalID
	Body struct {
		Name *string `json:"name,omitempty" minLength:"1" maxLength:"255"`
		PortalSettings
	}
}

type portalList struct {
	Body struct {
		Data []portal     `json:"data" nullable:"false"`
		Meta numberedMeta `json:"meta"`
	}
}

type portalQuery struct {
	NumberedPage
	Name     string `query:"filter[name][eq]" doc:"Only the portal of this name."`
	Contains string `query:"filter[name][contains]" doc:"Only portals whose name has this in it, in whatever case."`
}

// PortalID is the portal that an address names.
type PortalID struct {
	Portal string `path:"portalId"`
}

type portalDeletion struct {
	PortalID
	Force string `query:"force" enum:"true,false" default:"false" doc:"true: delete the portal's developers with it."`
}

func (a *API) portalRoutes() {
	const resource, tag = "portals/{portalId}", "Portals"
	register(a, route{"list-portals", http.MethodGet, portalsPath, "List the region's portals",
		registry.List, "portals", http.StatusOK, tag}, a.listPortals)
	register(a, route{"create-portal", http.MethodPost, portalsPath, "Create a portal",
		registry.Create, "portals", http.StatusCreated, tag}, a.createPortal)
	register(a, route{"get-portal", http.MethodGet, portalPath, "Retrieve a portal",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getPortal)
	register(a, route{"update-portal", http.MethodPatch, portalPath, "Change a portal",
		registry.Edit, resource, http.StatusOK, tag}, a.changePortal)
	register(a, route{"delete-portal", http.MethodDelete, portalPath, "Delete a portal, its webhook and its replay job",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deletePortal)
}

// portalOf returns one of the caller's portals.
func (a *API) portalOf(ctx context.Context, id string) (registry.Portal, error) {
	c := callOf(ctx)
	return a.Registry.Portal(c.user.OrgID, c.region, id)
}

func (a *API) listPortals(ctx context.Context, in *portalQuery) (*portalList, error) {
	c := callOf(ctx)
	list := slices.DeleteFunc(a.Registry.Portals(c.user.OrgID, c.region), func(p registry.Portal) bool {
		return in.Name != "" && p.Name != in.Name ||
			!strings.Contains(strings.ToLower(p.Name), strings.ToLower(in.Contains))
	})
	page, meta := cutNumbered(list, in.NumberedPage)
	out := &portalList{}
	out.Body.Meta = meta
	out.Body.Data = make([]portal, len(page))
	for i, p := range page {
		out.Body.Data[i] = showPortal(p)
	}
	return out, nil
}

func (a *API) createPortal(ctx context.Context, in *newPortal) (*portalOutput, error) {
	c := callOf(ctx)
	made := registry.Portal{
		OrgID: c.user.OrgID, Region: c.region, Name: in.Body.Name, DisplayName: in.Body.Name,
		AuthenticationEnabled: true,
	}
	in.Body.apply(&made)
	created, err := a.Registry.CreatePortal(ctx, made)
	if err != nil {
		return nil, err
	}
	return &portalOutput{showPortal(created)}, nil
}

func (a *API) getPortal(ctx context.Context, in *PortalID) (*portalOutput, error) {
	p, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return &portalOutput{showPortal(p)}, nil
}

func (a *API) changePortal(ctx context.Context, in *portalChange) (*portalOutput, error) {
	c := callOf(ctx)
	changed, err := a.Registry.ChangePortal(ctx, c.user.OrgID, c.region, in.Portal, func(p *registry.Portal) {
		set(&p.Name, in.Body.Name)
		in.Body.apply(p)
	})
	if err != nil {
		return nil, err
	}
	return &portalOutput{showPortal(changed)}, nil
}

func (a *API) deletePortal(ctx context.Context, in *portalDeletion) (*struct{}, error) {
	c := callOf(ctx)
	err := a.Registry.DeletePortal(ctx, c.user.OrgID, c.region, in.Portal, in.Force == "true")
	if errors.Is(err, registry.ErrInUse) {
		return nil, c.problem(http.StatusConflict, "The portal has developers. Delete them first, or delete them with it: force=true")
	}
	return nil, err
}
