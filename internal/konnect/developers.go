package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

const developersPath = portalPath + "/developers"

type developer struct {
	ID        string    `json:"id" format:"uuid"`
	Email     string    `json:"email"`
	FullName  string    `json:"full_name"`
	Status    string    `json:"status" enum:"approved,pending,revoked,rejected"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	Trailhook developerDetails `json:"trailhook" doc:"What Konnect does not tell."`
}

// developerDetails is what an admin sees of a developer beyond Konnect's.
type developerDetails struct {
	LockedUntil *time.Time `json:"locked_until,omitempty" doc:"Until when no log-in succeeds, because the password was wrong too often; any change of the developer ends that."`
}

func (a *API) showDeveloper(d registry.Developer) developer {
	shown := developer{
		ID: d.ID, Email: d.Email, FullName: d.FullName, Status: string(d.Status),
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	if a.Registry.Locked(d) {
		shown.Trailhook.LockedUntil = &d.LockedUntil
	}
	return shown
}

type developerOutput struct{ Body developer }

type newDeveloper struct {
	PortalID
	Body struct {
		Email    string `json:"email" minLength:"3" maxLength:"250"`
		FullName string `json:"full_name" minLength:"1" maxLength:"250"`
		Password string `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"Without one nobody can log in as the developer."`
		Status   string `json:"status,omitempty" enum:"approved,pending,revoked,rejected" default:"approved"`
	}
}

// DeveloperID is the developer that an address names.
type DeveloperID struct {
	PortalID
	ID string `path:"developerId"`
}

type developerChange struct {
	DeveloperID
	Body struct {
		FullName *string                   `json:"full_name,omitempty" minLength:"1" maxLength:"250"`
		Password *string                   `json:"password,omitempty" minLength:"8" maxLength:"1024" writeOnly:"true"`
		Status   *registry.DeveloperStatus `json:"status,omitempty" enum:"approved,pending,revoked,rejected"`
	}
}

type developerPage struct {
	PortalID
	NumberedPage
}

type developerList struct {
	Body struct {
		Data []developer  `json:"data" nullable:"false"`
		Meta numberedMeta `json:"meta"`
	}
}

func (a *API) developerRoutes() {
	const one, all, tag = developersPath + "/{developerId}", "portals/{portalId}/developers", "Portals"
	register(a, route{"list-portal-developers", http.MethodGet, developersPath, "List the portal's developers",
		registry.List, all, http.StatusOK, tag}, a.listDevelopers)
	register(a, route{"create-portal-developer", http.MethodPost, developersPath, "Create a developer",
		registry.Create, all, http.StatusCreated, tag}, a.createDeveloper)
	register(a, route{"get-portal-developer", http.MethodGet, one, "Retrieve a developer",
		registry.Retrieve, all + "/{developerId}", http.StatusOK, tag}, a.getDeveloper)
	register(a, route{"update-portal-developer", http.MethodPatch, one, "Change a developer, who is no longer locked then",
		registry.Edit, all + "/{developerId}", http.StatusOK, tag}, a.changeDeveloper)
	register(a, route{"delete-portal-developer", http.MethodDelete, one, "Delete a developer",
		registry.Delete, all + "/{developerId}", http.StatusNoContent, tag}, a.deleteDeveloper)
	a.logInRoute()
}

func (a *API) listDevelopers(ctx context.Context, in *developerPage) (*developerList, error) {
	portal, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	page, meta := cutNumbered(a.Registry.Developers(portal), in.NumberedPage)
	out := &developerList{}
	out.Body.Meta = meta
	out.Body.Data = make([]developer, len(page))
	for i, d := range page {
		out.Body.Data[i] = a.showDeveloper(d)
	}
	return out, nil
}

func (a *API) createDeveloper(ctx context.Context, in *newDeveloper) (*developerOutput, error) {
	portal, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	created, err := a.Registry.CreateDeveloper(ctx, portal, registry.Developer{
		Email: in.Body.Email, FullName: in.Body.FullName, Status: registry.DeveloperStatus(in.Body.Status),
	}, in.Body.Password)
	if err != nil {
		return nil, err
	}
	return &developerOutput{a.showDeveloper(created)}, nil
}

func (a *API) getDeveloper(ctx context.Context, in *DeveloperID) (*developerOutput, error) {
	portal, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	d, err := a.Registry.Developer(portal, in.ID)
	if err != nil {
		return nil, err
	}
	return &developerOutput{a.showDeveloper(d)}, nil
}

func (a *API) changeDeveloper(ctx context.Context, in *developerChange) (*developerOutput, error) {
	portal, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	changed, err := a.Registry.ChangeDeveloper(ctx, portal, in.ID, registry.DeveloperChange{
		FullName: in.Body.FullName, Password: in.Body.Password, Status: in.Body.Status,
	})
	if err != nil {
		return nil, err
	}
	return &developerOutput{a.showDeveloper(changed)}, nil
}

func (a *API) deleteDeveloper(ctx context.Context, in *DeveloperID) (*struct{}, error) {
	portal, err := a.portalOf(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return nil, a.Registry.DeleteDeveloper(ctx, portal, in.ID)
}
