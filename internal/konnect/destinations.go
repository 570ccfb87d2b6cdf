package konnect

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// destination is a destination as the API shows it: its authorization is
// write-only.
type destination struct {
	ID                  string    `json:"id" format:"uuid"`
	Name                string    `json:"name"`
	Endpoint            string    `json:"endpoint"`
	LogFormat           string    `json:"log_format" enum:"cef,json,cps"`
	SkipSSLVerification bool      `json:"skip_ssl_verification"`
	CreatedAt           time.Time `json:"created_at"`
	UpdatedAt           time.Time `json:"updated_at"`
}

func showDestination(d registry.Destination) destination {
	return destination{
		ID: d.ID, Name: d.Name, Endpoint: d.Endpoint, LogFormat: string(d.LogFormat),
		SkipSSLVerification: d.SkipSSLVerification, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

type destinationOutput struct{ Body destination }

type newDestination struct {
	Body struct {
		Name                string `json:"name" minLength:"1" maxLength:"256"`
		Endpoint            string `json:"endpoint" minLength:"1" maxLength:"2048"`
		Authorization       string `json:"authorization" maxLength:"8192" writeOnly:"true"`
		LogFormat           string `json:"log_format" enum:"cef,json,cps"`
		SkipSSLVerification bool   `json:"skip_ssl_verification" required:"false"`
	}
}

type destinationChange struct {
	ID   string `path:"auditLogDestinationId"`
	Body struct {
		Name                *string `json:"name,omitempty" minLength:"1" maxLength:"256"`
		Endpoint            *string `json:"endpoint,omitempty" minLength:"1" maxLength:"2048"`
		Authorization       *string `json:"authorization,omitempty" maxLength:"8192" writeOnly:"true"`
		LogFormat           *string `json:"log_format,omitempty" enum:"cef,json,cps"`
		SkipSSLVerification *bool   `json:"skip_ssl_verification,omitempty"`
	}
}

type destinationQuery struct {
	StrictQuery
	CursorPage
	NameIs       string `query:"filter[name][eq]" doc:"The name is this."`
	NameContains string `query:"filter[name][contains]" doc:"This is a part of the name, upper and lower case apart."`
}

type destinationList struct {
	Body struct {
		Data []destination `json:"data" nullable:"false"`
		Meta cursorMeta    `json:"meta"`
	}
}

type destinationID struct {
	ID string `path:"auditLogDestinationId"`
}

// destinationRoutes serves the destinations under either version: they are the
// same.
func (a *API) destinationRoutes() {
	const resource, tag = "audit-logs/destinations/{auditLogDestinationId}", "Audit-log destinations"
	for version, suffix := range map[string]string{"/v3": "", "/v2": "-v2"} {
		all := version + "/audit-log-destinations"
		one := all + "/{auditLogDestinationId}"
		register(a, route{"list-audit-log-destinations" + suffix, http.MethodGet, all, "List the destinations",
			registry.List, "audit-logs/destinations", http.StatusOK, tag}, a.listDestinations(all))
		register(a, route{"create-audit-log-destination" + suffix, http.MethodPost, all, "Create a destination",
			registry.Create, "audit-logs/destinations", http.StatusCreated, tag}, a.createDestination)
		register(a, route{"get-audit-log-destination" + suffix, http.MethodGet, one, "Retrieve a destination",
			registry.Retrieve, resource, http.StatusOK, tag}, a.getDestination)
		register(a, route{"update-audit-log-destination" + suffix, http.MethodPatch, one, "Change a destination",
			registry.Edit, resource, http.StatusOK, tag}, a.changeDestination)
		register(a, route{"delete-audit-log-destination" + suffix, http.MethodDelete, one, "Delete a destination",
			registry.Delete, resource, http.StatusNoContent, tag}, a.deleteDestination)
	}
}

func (a *API) listDestinations(path string) func(context.Context, *destinationQuery) (*destinationList, error) {
	return func(ctx context.Context, in *destinationQuery) (*destinationList, error) {
		c := callOf(ctx)
		name := filter{eq: in.NameIs, contains: in.NameContains}
		page, meta, err := cutWanted(c, a.Registry.Destinations(c.user.OrgID),
			func(d registry.Destination) bool { return name.wants(d.Name) },
			func(d registry.Destination) string { return d.ID }, in.CursorPage,
			links{path, in.Size, url.Values{"filter[name][eq]": {in.NameIs}, "filter[name][contains]": {in.NameContains}}})
		if err != nil {
			return nil, err
		}
		out := &destinationList{}
		out.Body.Meta = meta
		out.Body.Data = make([]destination, len(page))
		for i, d := range page {
			out.Body.Data[i] = showDestination(d)
		}
		return out, nil
	}
}

func (a *API) createDestination(ctx context.Context, in *newDestination) (*destinationOutput, error) {
	created, err := a.Registry.CreateDestination(ctx, registry.Destination{
		OrgID:               callOf(ctx).user.OrgID,
		Name:                in.Body.Name,
		Endpoint:            in.Body.Endpoint,
		LogFormat:           audit.Format(in.Body.LogFormat),
		SkipSSLVerification: in.Body.SkipSSLVerification,
	}, in.Body.Authorization)
	if err != nil {
		return nil, err
	}
	return &destinationOutput{showDestination(created)}, nil
}

func (a *API) getDestination(ctx context.Context, in *destinationID) (*destinationOutput, error) {
	d, err := a.Registry.ListedDestination(callOf(ctx).user.OrgID, in.ID)
	if err != nil {
		return nil, err
	}
	return &destinationOutput{showDestination(d)}, nil
}

func (a *API) changeDestination(ctx context.Context, in *destinationChange) (*destinationOutput, error) {
	b := in.Body
	changed, err := a.Registry.ChangeDestination(ctx, callOf(ctx).user.OrgID, in.ID, registry.DestinationChange{
		Name: b.Name, Endpoint: b.Endpoint, Authorization: b.Authorization,
		LogFormat: (*audit.Format)(b.LogFormat), SkipSSLVerification: b.SkipSSLVerification,
	})
	if err != nil {
		return nil, err
	}
	return &destinationOutput{showDestination(changed)}, nil
}

func (a *API) deleteDestination(ctx context.Context, in *destinationID) (*struct{}, error) {
	return nil, a.Registry.DeleteDestination(ctx, callOf(ctx).user.OrgID, in.ID)
}
