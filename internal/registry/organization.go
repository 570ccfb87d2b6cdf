package registry

import (
	"cmp"
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

// Organizations lists them all.
func (r *Registry) Organizations() []Organization { return values(r.organizations.List("")) }

// FirstOrganization is the oldest, the one that the first start has made.
func (r *Registry) FirstOrganization() (first Organization, ok bool) {
	list := r.Organizations()
	if len(list) == 0 {
		return Organization{}, false
	}
	return slices.MinFunc(list, func(a, b Organization) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), true
}

// CreateOrganization makes an organization with nobody in it.
func (r *Registry) CreateOrganization(ctx context.Context, name string) (Organization, error) {
	org := Organization{ID: newID(), Name: name, CreatedAt: r.instant()}
	if err := r.organizations.Create(ctx, org.ID, org); err != nil {
		return Organization{}, fmt.Errorf("create organization %q: %w", name, err)
	}
	return org, nil
}

// Organization returns one.
func (r *Registry) Organization(id string) (Organization, error) {
	entry, err := r.organizations.Get(id)
	return entry.Value, err
}

// OwnerID is the id of the user who speaks for the organization, the first of
// its admins; "" when there is none.
func (r *Registry) OwnerID(organization string) string {
	for _, user := range r.Users(organization) {
		if user.administers() {
			return user.ID
		}
	}
	return ""
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
	admin, err := r.firstAdmin(ctx, organizations[0].ID)
	if err != nil {
		return "", fmt.Errorf("first start: %w", err)
	}
	token := newToken(personalPrefix)
	if err := keep(token); err != nil {
		return "", fmt.Errorf("first start: keep the admin's token: %w", err)
	}
	if _, err := r.storeToken(ctx, token, Token{OrgID: admin.OrgID, UserID: admin.ID, Name: "first start " + r.instant().Format("2006-01-02 150405.000")}); err != nil {
		return "", fmt.Errorf("first start: %w", err)
	}
	return token, nil
}

// firstAdmin returns the organization's admin, who may be there from a first
// start that was cut short, or of whom all tokens were deleted.
func (r *Registry) firstAdmin(ctx context.Context, organization string) (User, error) {
	if id := r.OwnerID(organization); id != "" {
		return r.User(organization, id)
	}
	admin := User{OrgID: organization, Email: "admin@localhost", FullName: "Admin", PreferredName: "Admin"}
	user, err := r.CreateUser(ctx, admin, OrganizationAdmin)
	if errors.Is(err, ErrNameTaken) { // by what a crash left; the start is not to wait until that lapses
		admin.Email = "admin-" + newID()[:8] + "@localhost"
		return r.CreateUser(ctx, admin, OrganizationAdmin)
	}
	return user, err
}
