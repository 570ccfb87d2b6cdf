package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// All stands for every entity, and for every region.
const All = "*"

// Assignment gives its holder a role for an entity, in a region.
type Assignment struct {
	ID   string `json:"id"`
	Role Role   `json:"role"`
	// EntityID is [All], the organization's id, which means the same, or for a
	// role on control planes the id of one.
	EntityID string `json:"entity_id"`
	Region   string `json:"region"` // of the calls that it covers; or All
}

// String is the role, and where it is limited to.
func (a Assignment) String() string {
	text := string(a.Role)
	if a.EntityID != All {
		text += " of " + a.EntityID
	}
	if a.Region != All {
		text += " in " + a.Region
	}
	return text
}

// allows is the permission check of one assignment of a principal of the
// organization. An empty entity is all of the kind.
func (a *Assignment) allows(action, kind, entity, region, organization string) bool {
	grant, ok := grants[a.Role]
	if !ok || grant.kind != "*" && grant.kind != kind {
		return false
	}
	if len(grant.actions) > 0 && !slices.Contains(grant.actions, action) {
		return false
	}
	if a.Region != All && a.Region != region {
		return false
	}
	return a.EntityID == All || a.EntityID == organization || a.EntityID == entity || entity == "" && action == List
}

// sameAs reports whether two assignments give the same.
func (a Assignment) sameAs(b Assignment) bool {
	a.ID = b.ID
	return a == b
}

// everywhere assigns roles for all entities in all regions. An unknown one is
// an [InvalidError].
func everywhere(roles []Role) ([]Assignment, error) {
	var list []Assignment
	for _, role := range roles {
		if err := checkRole(role); err != nil {
			return nil, err
		}
		list = append(list, Assignment{ID: newID(), Role: role, EntityID: All, Region: All})
	}
	return list, nil
}

// AssignUserRole gives a user of the organization a role, under an id of ours.
// What cannot be is an [InvalidError], and [ErrAssigned] what the user has.
func (r *Registry) AssignUserRole(ctx context.Context, organization, user string, a Assignment) (Assignment, error) {
	at, err := key(organization, user)
	if err != nil {
		return Assignment{}, err
	}
	_, err = revise(ctx, r.users, at, func(u User) (_ User, err error) {
		u.Assignments, a, err = r.assign(organization, u.Assignments, a)
		return u, err
	})
	return a, wrap(err, "assign %s to user %s", a, user)
}

// AssignSystemRole gives a system account a role, as AssignUserRole gives it to
// a user.
func (r *Registry) AssignSystemRole(ctx context.Context, organization, account string, a Assignment) (Assignment, error) {
	at, err := key(organization, account)
	if err != nil {
		return Assignment{}, err
	}
	_, err = revise(ctx, r.systems, at, func(s SystemAccount) (_ SystemAccount, err error) {
		s.Assignments, a, err = r.assign(organization, s.Assignments, a)
		return s, err
	})
	return a, wrap(err, "assign %s to system account %s", a, account)
}

// UnassignUserRole takes an assignment away, by its id; [ErrLastAdmin] if that
// left the organization without an admin.
func (r *Registry) UnassignUserRole(ctx context.Context, organization, user, id string) error {
	at, err := key(organization, user)
	if err != nil {
		return err
	}
	_, err = revise(ctx, r.users, at, func(was User) (u User, err error) {
		u = was
		if u.Assignments, err = unassign(u.Assignments, id); err != nil {
			return u, err
		}
		return u, r.checkAdminLeft(ctx, was, u)
	})
	return wrap(err, "take role %s from user %s", id, user)
}

// UnassignSystemRole takes an assignment of a system account away.
func (r *Registry) UnassignSystemRole(ctx context.Context, organization, account, id string) error {
	at, err := key(organization, account)
	if err != nil {
		return err
	}
	_, err = revise(ctx, r.systems, at, func(s SystemAccount) (_ SystemAccount, err error) {
		s.Assignments, err = unassign(s.Assignments, id)
		return s, err
	})
	return wrap(err, "take role %s from system account %s", id, account)
}

// assign returns a new list with the assignment added, and the assignment as it
// stands there.
func (r *Registry) assign(organization string, list []Assignment, a Assignment) ([]Assignment, Assignment, error) {
	if err := r.checkAssignment(organization, a); err != nil {
		return nil, a, err
	}
	if slices.ContainsFunc(list, a.sameAs) {
		return nil, a, ErrAssigned
	}
	a.ID = newID()
	return append(slices.Clone(list), a), a, nil
}

func unassign(list []Assignment, id string) ([]Assignment, error) {
	i := slices.IndexFunc(list, func(a Assignment) bool { return a.ID == id })
	if i < 0 {
		return nil, ErrNotFound
	}
	return slices.Delete(slices.Clone(list), i, i+1), nil
}

// checkAssignment says what cannot be given: a role that does not exist, on an
// entity that does not, and to administer the organization in part.
func (r *Registry) checkAssignment(organization string, a Assignment) error {
	if err := checkRole(a.Role); err != nil {
		return err
	}
	everything := a.EntityID == All || a.EntityID == organization
	if a.Role == OrganizationAdmin && a.Region != All {
		return &InvalidError{"entity_region", "enum", "an organization is administered in all regions: *"}
	}
	if everything {
		return nil
	}
	if grants[a.Role].kind != controlPlanesKind {
		return &InvalidError{"entity_id", "invalid", "this role is given for the whole organization: * or the organization's id"}
	}
	entry, err := find(r.controlPlanes, organization, a.EntityID)
	if errors.Is(err, ErrNotFound) || err == nil && a.Region != All && a.Region != entry.Value.Region {
		return &InvalidError{"entity_id", "missing_reference", "there is no such control plane in the region"}
	}
	return err
}

// wrap says what an error was met in; nil stays nil.
func wrap(err error, format string, arguments ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(arguments, err)...)
}
