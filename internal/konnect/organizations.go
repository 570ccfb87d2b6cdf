package konnect

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/trailhook/trailhook/internal/registry"
)

type organizationOutput struct {
	Body struct {
		ID            string    `json:"id" format:"uuid"`
		Name          string    `json:"name"`
		OwnerID       string    `json:"owner_id,omitempty" format:"uuid" doc:"The first of the organization's admins."`
		LoginPath     string    `json:"login_path"`
		CreatedAt     time.Time `json:"created_at"`
		UpdatedAt     time.Time `json:"updated_at"`
		State         string    `json:"state" enum:"active,inactive,deleting,deleted"`
		RetentionDays int       `json:"retention_period_days" doc:"How long audit events are kept."`
	}
}

type regionsOutput struct {
	Body struct {
		Regions struct {
			Stable      []string `json:"stable" nullable:"false"`
			StableOptIn []string `json:"stable_opt_in" nullable:"false"`
			Beta        []string `json:"beta" nullable:"false"`
		} `json:"regions"`
	}
}

type teamList struct {
	Body struct {
		Data []struct{}   `json:"data" nullable:"false"`
		Meta numberedMeta `json:"meta"`
	}
}

// organizationRoutes serves what clients ask about where they are: decK calls
// v2, the others v3. Konnect gives its regions to anybody.
func (a *API) organizationRoutes() {
	const tag = "Organization"
	for _, version := range []string{"v3", "v2"} {
		register(a, route{"get-organization-me-" + version, http.MethodGet, "/" + version + "/organizations/me", "Retrieve the caller's organization",
			registry.Retrieve, "organization", http.StatusOK, tag}, a.getOrganization)
	}
	register(a, route{
		id: "list-available-regions", method: http.MethodGet, path: "/v3/available-regions",
		summary: "List the regions", status: http.StatusOK, tag: tag,
	}, a.listRegions)
	register(a, route{"list-teams", http.MethodGet, "/v3/teams", "List the teams, of which there are none",
		registry.List, "teams", http.StatusOK, tag}, a.listTeams)
}

func (a *API) getOrganization(ctx context.Context, _ *struct{}) (*organizationOutput, error) {
	organization, err := a.Registry.Organization(callOf(ctx).user.OrgID)
	if err != nil {
		return nil, err
	}
	out := &organizationOutput{}
	out.Body.ID, out.Body.Name, out.Body.State = organization.ID, organization.Name, "active"
	out.Body.OwnerID = a.Registry.OwnerID(organization.ID)
	out.Body.LoginPath = loginPath(organization.Name)
	out.Body.CreatedAt, out.Body.UpdatedAt = organization.CreatedAt, organization.CreatedAt
	out.Body.RetentionDays = int(a.Journal.Retention() / (24 * time.Hour))
	return out, nil
}

// loginPath is the name in the form that addresses have.
func loginPath(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "-")
}

func (a *API) listRegions(context.Context, *struct{}) (*regionsOutput, error) {
	out := &regionsOutput{}
	out.Body.Regions.Stable = a.regions()
	out.Body.Regions.StableOptIn, out.Body.Regions.Beta = []string{}, []string{}
	return out, nil
}

func (a *API) listTeams(_ context.Context, in *numberedPage) (*teamList, error) {
	out := &teamList{}
	out.Body.Data, out.Body.Meta = cutNumbered([]struct{}{}, *in)
	return out, nil
}
