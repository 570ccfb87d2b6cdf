package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

// me is what callers may know of themselves: more than /v3/users/me tells, and
// system accounts too.
type me struct {
	Body struct {
		ID           string         `json:"id" format:"uuid"`
		Type         string         `json:"type" enum:"user,system_account"`
		Name         string         `json:"name"`
		Email        string         `json:"email,omitempty"`
		Organization myOrganization `json:"organization"`
		Region       string         `json:"region" doc:"Of the call."`
		Token        myToken        `json:"token" doc:"The one of the call."`
		Roles        []assignedRole `json:"roles" nullable:"false"`
	}
}

type myOrganization struct {
	ID   string `json:"id" format:"uuid"`
	Name string `json:"name"`
}

type myToken struct {
	ID        string     `json:"id" format:"uuid"`
	Name      string     `json:"name"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at" nullable:"true"`
}

func (a *API) meRoutes() {
	register(a, route{"get-me", http.MethodGet, "/trailhook/v1/me", "Retrieve who calls, by which token, and what they may do",
		registry.Retrieve, "me", http.StatusOK, "Users"}, a.getCaller)
}

func (a *API) getCaller(ctx context.Context, _ *struct{}) (*me, error) {
	c := callOf(ctx)
	token, err := a.Registry.Token(c.user.OrgID, c.user.ID, c.tokenID)
	if err != nil {
		return nil, err
	}
	organization, err := a.Registry.Organization(c.user.OrgID)
	if err != nil {
		return nil, err
	}
	out := &me{}
	b := &out.Body
	b.ID, b.Type, b.Name, b.Region = c.user.ID, "user", c.user.Name, c.region
	b.Organization = myOrganization{organization.ID, organization.Name}
	b.Token = myToken{token.ID, token.Name, token.CreatedAt, unlessZero(token.ExpiresAt)}
	b.Roles = make([]assignedRole, len(c.user.Assignments))
	for i, assignment := range c.user.Assignments {
		b.Roles[i] = showAssignment(assignment)
	}
	if c.user.System {
		b.Type = "system_account"
		return out, nil
	}
	u, err := a.Registry.User(c.user.OrgID, c.user.ID)
	b.Email = u.Email
	return out, err
}
