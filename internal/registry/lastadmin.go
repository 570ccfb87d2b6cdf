package registry

import (
	"context"
	"errors"
)

// checkAdminLeft allows a user to become another: it is [ErrLastAdmin] when the
// organization had only this admin and loses it. It is asked between the reading
// of the user and the writing, which must be a compare-and-set.
//
// What this process sees of the other admins may be old, and one of them may be
// going at this moment. So the admin that the check relies on is written back as
// it was seen. That fails if it changed since; and who was about to remove it
// has to begin anew, and then sees what happened here. So of any number who
// remove each other, one stays.
//
// Only users count: a system account's tokens are made by users, and end.
func (r *Registry) checkAdminLeft(ctx context.Context, was, becomes User) error {
	if !was.administers() || becomes.administers() {
		return nil
	}
	for {
		changed := r.users.Changed()
		err := ErrLastAdmin
		for _, entry := range r.users.List(was.OrgID + ".") {
			if entry.Value.ID == was.ID || !entry.Value.administers() {
				continue
			}
			if err = r.users.Update(ctx, entry.Key, entry.Value, entry.Revision); !errors.Is(err, ErrConflict) {
				return err
			}
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		}
	}
}

// administers reports whether the user is an organization admin who can act.
func (u User) administers() bool {
	if !u.Active {
		return false
	}
	for _, a := range u.Assignments {
		if a.Role == OrganizationAdmin {
			return true
		}
	}
	return false
}
