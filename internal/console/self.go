package console

import (
	"errors"
	"net/http"
)

// self is what the platform says of who is signed in.
type self struct {
	ID           string
	Name         string
	Type         string // user or system_account
	Region       string // of the visit's calls
	Organization struct{ ID string }
	Token        struct{ ID string } // that they signed in with; empty if that is not known
	Roles        []assignedRole

	known bool // the roles are
}

// self asks who is signed in. A platform that does not tell all of it leaves
// what is missing empty: pages then offer everything, and the API refuses.
func (v *visit) self() (self, error) {
	var s self
	err := v.get(v.ctx(), platformHalf, "/trailhook/v1/me", nil, &s)
	if s.known = err == nil; s.known || !missing(err) {
		return s, err
	}
	var person holder
	err = v.get(v.ctx(), platformHalf, "/v3/users/me", nil, &person)
	if missing(err) || forbidden(err) {
		return self{Type: "system_account"}, nil
	}
	return self{ID: person.ID, Name: person.Title(), Type: "user"}, err
}

// System says that no person is signed in, but a system account.
func (s self) System() bool { return s.Type == "system_account" }

// administers says that a role allows to change an entity of the type, or any
// where id is empty. What is not known is left for the API to decide.
func (s self) administers(entityType, id string) bool {
	if !s.known {
		return true
	}
	for _, role := range s.Roles {
		switch {
		case role.Name != "Admin" || role.Region != "*" && role.Region != s.Region:
		case role.EntityType == organizations:
			return true
		case role.EntityType == entityType && (role.EntityID == "*" || role.EntityID == s.Organization.ID || role.EntityID == id):
			return true
		}
	}
	return false
}

func missing(err error) bool   { return refusedWith(err, http.StatusNotFound) }
func forbidden(err error) bool { return refusedWith(err, http.StatusForbidden) }

func refusedWith(err error, status int) bool {
	refused, ok := errors.AsType[*apiError](err)
	return ok && refused.Status == status
}
