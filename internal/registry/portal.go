package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// Portal is a developer portal. It belongs to an organization and lives in the
// region that it was made in: the events of its developers are recorded there,
// and go to its own webhook.
type Portal struct {
	ID          string            `json:"id"`
	OrgID       string            `json:"org_id"`
	Region      string            `json:"region"`
	Name        string            `json:"name"` // one of a kind in the organization
	DisplayName string            `json:"display_name"`
	Description *string           `json:"description"`
	Labels      map[string]string `json:"labels"`

	// AuthenticationEnabled is whether developers can log in.
	AuthenticationEnabled bool `json:"authentication_enabled"`

	// The rest is kept for who sets it, and decides nothing here.
	RBACEnabled             bool    `json:"rbac_enabled"`
	AutoApproveDevelopers   bool    `json:"auto_approve_developers"`
	AutoApproveApplications bool    `json:"auto_approve_applications"`
	DefaultAPIVisibility    string  `json:"default_api_visibility"`
	DefaultPageVisibility   string  `json:"default_page_visibility"`
	ApplicationAuthStrategy *string `json:"default_application_auth_strategy_id"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (p Portal) scope() Scope { return Scope{p.Region, p.OrgID, p.ID} }

// CreatePortal stores a new portal under an id of ours; [ErrNameTaken] when the
// organization has one of the name, an [InvalidError] when its name or one of
// its labels cannot be.
func (r *Registry) CreatePortal(ctx context.Context, p Portal) (Portal, error) {
	if err := checkPortal(p); err != nil {
		return Portal{}, err
	}
	p.ID = newID()
	p.CreatedAt = r.instant()
	p.UpdatedAt = p.CreatedAt
	p.DefaultAPIVisibility = cmp.Or(p.DefaultAPIVisibility, "private")
	p.DefaultPageVisibility = cmp.Or(p.DefaultPageVisibility, "private")
	release, err := r.claimPortalName(ctx, p)
	if err != nil {
		return Portal{}, fmt.Errorf("portal %q: %w", p.Name, err)
	}
	// Well within the claim's lease: who is slower than that has lost the name.
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.portals.Create(writing, p.ID, p); err != nil {
		release()
		return Portal{}, fmt.Errorf("create portal %q: %w", p.Name, err)
	}
	return p, nil
}

// Portal returns one.
func (r *Registry) Portal(organization, region, id string) (Portal, error) {
	entry, err := r.portalEntry(organization, region, id)
	return entry.Value, err
}

func (r *Registry) portalEntry(organization, region, id string) (broker.Entry[Portal], error) {
	entry, err := r.portals.Get(portalKey(id))
	if err == nil && (entry.Value.OrgID != organization || entry.Value.Region != region) {
		err = ErrNotFound
	}
	if err != nil {
		return broker.Entry[Portal]{}, err
	}
	return entry, nil
}

// PortalByID returns a portal of whichever organization and region: for who
// comes to it without having said who they are.
func (r *Registry) PortalByID(id string) (Portal, error) {
	entry, err := r.portals.Get(portalKey(id))
	return entry.Value, err
}

// Portals lists those of a region, oldest first.
func (r *Registry) Portals(organization, region string) []Portal {
	list := slices.DeleteFunc(values(r.portals.List("")), func(p Portal) bool {
		return p.OrgID != organization || p.Region != region
	})
	slices.SortStableFunc(list, func(a, b Portal) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// ChangePortal changes what change does to the portal: all but its id,
// organization, region and times. Its errors are those of [Registry.CreatePortal]
// and [ErrNotFound]. When another changes the portal at the same moment, change
// is called once more, with what the other has left.
func (r *Registry) ChangePortal(ctx context.Context, organization, region, id string, change func(*Portal)) (Portal, error) {
	var changed Portal
	err := retry(ctx, r.portals, func() error {
		entry, err := r.portalEntry(organization, region, id)
		if err != nil {
			return err
		}
		changed = entry.Value
		changed.Labels = maps.Clone(changed.Labels) // values of a bucket are shared
		change(&changed)
		changed, err = r.replacePortal(ctx, entry, changed)
		return err
	})
	return changed, err
}

func (r *Registry) replacePortal(ctx context.Context, entry broker.Entry[Portal], changed Portal) (Portal, error) {
	if err := checkPortal(changed); err != nil {
		return Portal{}, err
	}
	old := entry.Value
	changed.ID, changed.OrgID, changed.Region, changed.CreatedAt = old.ID, old.OrgID, old.Region, old.CreatedAt
	changed.UpdatedAt = r.instantAfter(old.UpdatedAt)
	release := func() {}
	if changed.Name != old.Name {
		var err error
		if release, err = r.claimPortalName(ctx, changed); err != nil {
			return Portal{}, fmt.Errorf("portal %q: %w", changed.Name, err)
		}
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.portals.Update(writing, entry.Key, changed, entry.Revision); err != nil {
		release()
		return Portal{}, fmt.Errorf("change portal %s: %w", old.ID, err)
	}
	if changed.Name != old.Name {
		r.releaseName(ctx, portalNameKey(old), old.ID)
	}
	return changed, nil
}

// DeletePortal removes one with its webhook, its replay job and its developers.
// Unless forced to, it is [ErrInUse] while there are developers.
func (r *Registry) DeletePortal(ctx context.Context, organization, region, id string, force bool) error {
	ctx, unlock, err := r.lockReferences(ctx, organization)
	if err != nil {
		return err
	}
	defer unlock()
	entry, err := r.portalEntry(organization, region, id)
	if err != nil {
		return err
	}
	portal := entry.Value
	if !force && len(r.developers.List(developerPrefix(portal))) > 0 {
		return fmt.Errorf("portal %s has developers: %w", id, ErrInUse)
	}
	// The portal goes last: after a failure in between it is there to be deleted
	// again.
	if err := r.emptyPortal(ctx, portal); err != nil {
		return fmt.Errorf("delete portal %s: %w", id, err)
	}
	if err := r.portals.Delete(ctx, entry.Key, entry.Revision); err != nil {
		return fmt.Errorf("delete portal %s: %w", id, err)
	}
	r.releaseName(ctx, portalNameKey(portal), id)
	return nil
}

// emptyPortal removes what belongs to the portal.
func (r *Registry) emptyPortal(ctx context.Context, portal Portal) error {
	for _, developer := range r.developers.List(developerPrefix(portal)) {
		if err := r.removeDeveloper(ctx, developer); err != nil {
			return err
		}
	}
	at := portal.scope().key()
	if _, err := remove(ctx, r.webhooks, at); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := remove(ctx, r.replayJobs, at); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// checkScope is [ErrNotFound] unless the portal that the scope names is there.
func (r *Registry) checkScope(s Scope) error {
	if s.Portal == "" {
		return nil
	}
	_, err := r.Portal(s.Organization, s.Region, s.Portal)
	return err
}

func checkPortal(p Portal) error {
	if strings.TrimSpace(p.Name) == "" {
		return &InvalidError{"name", "required", "a portal needs a name"}
	}
	return checkLabels(p.Labels)
}

func (r *Registry) claimPortalName(ctx context.Context, p Portal) (release func(), err error) {
	return r.claimName(ctx, portalNameKey(p), p.ID, func(id string) bool {
		other, err := r.PortalByID(id)
		return err == nil && other.OrgID == p.OrgID && other.Name == p.Name
	})
}

// portalKey is where the portal stands. Ids come from URLs: one that is no UUID
// names nothing, and what is returned for it is no key that a portal has.
func portalKey(id string) string {
	if _, err := key("", id); err != nil {
		return ""
	}
	return id
}

func portalNameKey(p Portal) string {
	sum := sha256.Sum256([]byte(p.Name))
	return p.OrgID + ".portal." + hex.EncodeToString(sum[:])
}
