package registry

import (
	"context"
	"fmt"
	"time"
)

// Organization is a tenant: the owner of everything else.
type Organization struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// User is a person of an organization.
type User struct {
	ID        string    `json:"id"`
	OrgID     string    `json:"org_id"`
	Name      string    `json:"name"`
	Roles     []Role    `json:"roles"`
	CreatedAt time.Time `json:"created_at"`
}

// Organizations lists them all.
func (r *Registry) Organizations() []Organization { return values(r.organizations.List("")) }

// CreateOrganization makes an organization with nobody in it.
func (r *Registry) CreateOrganization(ctx context.Context, name string) (Organization, error) {
	org := Organization{ID: newID(), Name: name, CreatedAt: r.instant()}
	if err := r.organizations.Create(ctx, org.ID, org); err != nil {
		return Organization{}, fmt.Errorf("create organization %q: %w", name, err)
	}
	return org, nil
}

// CreateUser makes a user of the organization with the given roles.
func (r *Registry) CreateUser(ctx context.Context, organization, name string, roles ...Role) (User, error) {
	for _, role := range roles {
		if !role.known() {
			return User{}, fmt.Errorf("create user %q: there is no role %q", name, role)
		}
	}
	user := User{ID: newID(), OrgID: organization, Name: name, Roles: roles, CreatedAt: r.instant()}
	if err := r.users.Create(ctx, organization+"."+user.ID, user); err != nil {
		return User{}, fmt.Errorf("create user %q: %w", name, err)
	}
	return user, nil
}

// Bootstrap makes the first organization, its admin and a token for the admin,
// when nobody has a token yet. The token goes to keep before it is made valid,
// so that a crash at any point leaves either a valid token that was kept, or
// none, and then the next start makes another. It returns the token, or an
// empty string when there was nothing to do.
func (r *Registry) Bootstrap(ctx context.Context, keep func(token string) error) (string, error) {
	if len(r.tokens.List("")) > 0 {
		return "", nil
	}
	organizations := r.Organizations()
	if len(organizations) == 0 {
		org, err := r.CreateOrganization(ctx, "Trailhook")
		if err != nil {
			return "", fmt.Errorf("first start: %w", err)
		}
		organizations = append(organizations, org)
	}
	admin, err := r.CreateUser(ctx, organizations[0].ID, "admin", OrganizationAdmin)
	if err != nil {
		return "", fmt.Errorf("first start: %w", err)
	}
	token := newToken(personalPrefix)
	if err := keep(token); err != nil {
		return "", fmt.Errorf("first start: keep the admin's token: %w", err)
	}
	if err := r.storeToken(ctx, token, admin, "admin", time.Time{}); err != nil {
		return "", fmt.Errorf("first start: %w", err)
	}
	return token, nil
}
