package registry

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// User is a person of an organization. It has one address, and no other user of
// the organization has the same.
type User struct {
	ID            string       `json:"id"`
	OrgID         string       `json:"org_id"`
	Email         string       `json:"email"`
	FullName      string       `json:"full_name"`
	PreferredName string       `json:"preferred_name"`
	Active        bool         `json:"active"` // else none of the user's tokens is good
	Assignments   []Assignment `json:"assignments"`
	CreatedAt     time.Time    `json:"created_at"`
	UpdatedAt     time.Time    `json:"updated_at"`
}

// UserChange is what can be changed of a user; nil leaves a value as it is.
type UserChange struct {
	FullName      *string
	PreferredName *string
	Active        *bool
}

// CreateUser makes an active user, under an id of ours, with the roles in all
// the organization. [ErrNameTaken] says that the address is another user's, in
// whatever case; an [InvalidError] what cannot be.
func (r *Registry) CreateUser(ctx context.Context, user User, roles ...Role) (User, error) {
	if err := checkUser(user); err != nil {
		return User{}, err
	}
	var err error
	if user.Assignments, err = everywhere(roles); err != nil {
		return User{}, err
	}
	user.ID, user.Active = newID(), true
	user.CreatedAt = r.instant()
	user.UpdatedAt = user.CreatedAt
	at, err := key(user.OrgID, user.ID)
	if err != nil {
		return User{}, err
	}
	release, err := r.claimName(ctx, user.emailKey(), user.ID, func(id string) bool {
		_, err := r.User(user.OrgID, id) // an address is never changed
		return err == nil
	})
	if err != nil {
		return User{}, fmt.Errorf("user %q: %w", user.Email, err)
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.users.Create(writing, at, user); err != nil {
		release()
		return User{}, fmt.Errorf("create user %q: %w", user.Email, err)
	}
	return user, nil
}

// User returns one.
func (r *Registry) User(organization, id string) (User, error) {
	entry, err := find(r.users, organization, id)
	return entry.Value, err
}

// Users lists them, oldest first.
func (r *Registry) Users(organization string) []User {
	list := values(r.users.List(organization + "."))
	slices.SortStableFunc(list, func(a, b User) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// ChangeUser changes a user. Who is no longer active cannot use their tokens;
// [ErrLastAdmin] if that left the organization without an admin.
func (r *Registry) ChangeUser(ctx context.Context, organization, id string, c UserChange) (User, error) {
	at, err := key(organization, id)
	if err != nil {
		return User{}, err
	}
	user, err := revise(ctx, r.users, at, func(was User) (User, error) {
		u := was
		set(&u.FullName, c.FullName)
		set(&u.PreferredName, c.PreferredName)
		set(&u.Active, c.Active)
		u.UpdatedAt = r.instant()
		if err := checkUser(u); err != nil {
			return u, err
		}
		return u, r.checkAdminLeft(ctx, was, u)
	})
	return user, wrap(err, "change user %s", id)
}

// DeleteUser removes a user with their tokens; [ErrLastAdmin] if that left the
// organization without an admin. The user is made inactive first: what is cut
// short leaves somebody who cannot act, and can be done again.
func (r *Registry) DeleteUser(ctx context.Context, organization, id string) error {
	user, err := r.ChangeUser(ctx, organization, id, UserChange{Active: new(bool)})
	if err == nil {
		err = r.deleteTokens(ctx, organization, id)
	}
	if err == nil {
		err = r.removeUser(ctx, organization+"."+id)
	}
	if err != nil {
		return fmt.Errorf("delete user %s: %w", id, err)
	}
	r.releaseName(ctx, user.emailKey(), id)
	return nil
}

// removeUser looks once more whether the user is the last admin: somebody may
// have made them active again.
func (r *Registry) removeUser(ctx context.Context, at string) error {
	return retry(ctx, r.users, func() error {
		entry, err := r.users.Get(at)
		if err != nil {
			return err
		}
		if err := r.checkAdminLeft(ctx, entry.Value, User{}); err != nil {
			return err
		}
		return r.users.Delete(ctx, at, entry.Revision)
	})
}

func checkUser(u User) error {
	address, err := mail.ParseAddress(u.Email)
	if err != nil || address.Address != u.Email {
		return &InvalidError{"email", "invalid", "must be an e-mail address, such as name@example.com"}
	}
	if strings.TrimSpace(u.FullName) == "" {
		return &InvalidError{"full_name", "required", "a user needs a full name"}
	}
	return nil
}

func (u User) emailKey() string { return nameKeyOf(u.OrgID, "user", strings.ToLower(u.Email)) }
