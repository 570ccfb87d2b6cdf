package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
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
	if err := checkRoles(roles); err != nil {
		return User{}, fmt.Errorf("create user %q: %w", name, err)
	}
	user := User{ID: newID(), OrgID: organization, Name: name, Roles: roles, CreatedAt: r.instant()}
	if err := r.users.Create(ctx, organization+"."+user.ID, user); err != nil {
		return User{}, fmt.Errorf("create user %q: %w", name, err)
	}
	return user, nil
}

// Bootstrap makes the first organization, its admin and a token for the admin,
// when no user has a token yet. The token goes to keep before it is made valid,
// so that a crash at any point leaves either a valid token that was kept, or
// none, and then the next start makes another. Of several processes that start
// at once, one does it and the others wait. It returns the token, or an empty
// string when there was nothing to do.
func (r *Registry) Bootstrap(ctx context.Context, keep func(token string) error) (string, error) {
	for {
		changed := r.names.Changed()
		if r.bootstrapped() {
			return "", nil
		}
		release, err := r.claim(ctx, "bootstrap", newID(), bootstrapLease, func(string) bool { return false })
		if err == nil {
			token, err := r.bootstrap(ctx, keep)
			if err != nil {
				release() // for the next to try at once; else the others wait to see the token
			}
			return token, err
		}
		if !errors.Is(err, ErrNameTaken) {
			return "", fmt.Errorf("first start: %w", err)
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-ctx.Done():
			return "", fmt.Errorf("first start: %w", ctx.Err())
		}
	}
}

func (r *Registry) bootstrapped() bool {
	return slices.ContainsFunc(r.tokens.List(""), func(t broker.Entry[Token]) bool { return t.Value.UserID != "" })
}

// bootstrapLease is how long the others wait for one that has begun.
const bootstrapLease = 10 * time.Second

func (r *Registry) bootstrap(ctx context.Context, keep func(token string) error) (string, error) {
	if r.bootstrapped() { // by who had the claim before us
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
	if err := r.storeToken(ctx, token, Token{OrgID: admin.OrgID, UserID: admin.ID, Name: "admin"}); err != nil {
		return "", fmt.Errorf("first start: %w", err)
	}
	return token, nil
}
