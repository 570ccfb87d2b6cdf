package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

const destinationsPath = "/v3/audit-log-destinations"

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

type destinationList struct {
	Body struct {
		Data []destination `json:"data" nullable:"false"`
		Meta cursorMeta    `json:"meta"`
	}
}

type destinationID struct {
	ID string `path:"auditLogDestinationId"`
}

func (a *API) destinationRoutes() {
	const one, resource, tag = destinationsPath + "/{auditLogDestinationId}", "audit-logs/destinations/{auditLogDestinationId}", "Audit-log destinations"
	register(a, route{"list-audit-log-destinations", http.MethodGet, destinationsPath, "List the destinations",
		registry.List, "audit-logs/destinations", http.StatusOK, tag}, a.listDestinations)
	register(a, route{"create-audit-log-destination", http.MethodPost, destinationsPath, "Create a destination",
		registry.Create, "audit-logs/destinations", http.StatusCreated, tag}, a.createDestination)
	register(a, route{"get-audit-log-destination", http.MethodGet, one, "Retrieve a destination",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getDestination)
	register(a, route{"delete-audit-log-destination", http.MethodDelete, one, "Delete a destination",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deleteDestination)
}

func (a *API) listDestinations(ctx context.Context, in *cursorPage) (*destinationList, error) {
	c := callOf(ctx)
	page, meta, err := cut(c, a.Registry.Destinations(c.user.OrgID),
		func(d registry.Destination) string { return d.ID }, *in, destinationsPath)
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
	d, err := a.Registry.Destination(callOf(ctx).user.OrgID, in.ID)
	if err != nil {
		return nil, err
	}
	return &destinationOutput{showDestination(d)}, nil
}

func (a *API) deleteDestination(ctx context.Context, in *destinationID) (*struct{}, error) {
	return nil, a.Registry.DeleteDestination(ctx, callOf(ctx).user.OrgID, in.ID)
}
