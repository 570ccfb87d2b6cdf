package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// Developer is a person with an account of a portal.
type Developer struct {
	ID        string          `json:"id"`
	OrgID     string          `json:"org_id"`
	PortalID  string          `json:"portal_id"`
	Email     string          `json:"email"` // one of a kind in the portal, whatever its case
	FullName  string          `json:"full_name"`
	Status    DeveloperStatus `json:"status"`
	Password  password        `json:"password"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`

	// Failures counts the log-ins with a wrong password since the last success.
	Failures    int       `json:"failures,omitempty"`
	LockedUntil time.Time `json:"locked_until,omitzero"`
}

// DeveloperStatus is whether a developer may log in, in Konnect's words.
type DeveloperStatus string

// The statuses. Only who is approved can log in: the others are disabled, and
// differ for people only.
const (
	DeveloperApproved DeveloperStatus = "approved"
	DeveloperPending  DeveloperStatus = "pending"
	DeveloperRevoked  DeveloperStatus = "revoked"
	DeveloperRejected DeveloperStatus = "rejected"
)

// The bounds of a new password, in bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// CreateDeveloper stores a new developer of a portal of the organization, under
// an id of ours. Without a password, which may be empty, nobody can log in as it.
// It is [ErrNotFound] without the portal, [ErrNameTaken] when the portal has a
// developer of the email, and an [InvalidError] when a value cannot be.
func (r *Registry) CreateDeveloper(ctx context.Context, portal Portal, d Developer, password string) (Developer, error) {
	if err := checkDeveloper(d); err != nil {
		return Developer{}, err
	}
	if err := r.setPassword(ctx, &d, password); err != nil {
		return Developer{}, err
	}
	ctx, unlock, err := r.lockReferences(ctx, portal.OrgID)
	if err != nil {
		return Developer{}, err
	}
	defer unlock()
	if _, err := r.Portal(portal.OrgID, portal.Region, portal.ID); err != nil {
		return Developer{}, err
	}
	d.ID, d.OrgID, d.PortalID = newID(), portal.OrgID, portal.ID
	d.CreatedAt = r.instant()
	d.UpdatedAt = d.CreatedAt
	release, err := r.claimName(ctx, emailKey(portal, d.Email), d.ID, func(id string) bool {
		other, err := r.Developer(portal, id)
		return err == nil && sameEmail(other.Email, d.Email)
	})
	if err != nil {
		return Developer{}, fmt.Errorf("create a developer of portal %s: %w", portal.ID, err)
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.developers.Create(writing, developerPrefix(portal)+d.ID, d); err != nil {
		release()
		return Developer{}, fmt.Errorf("create a developer of portal %s: %w", portal.ID, err)
	}
	return d, nil
}

// Developer returns one.
func (r *Registry) Developer(portal Portal, id string) (Developer, error) {
	entry, err := r.developerEntry(portal, id)
	return entry.Value, err
}

func (r *Registry) developerEntry(portal Portal, id string) (broker.Entry[Developer], error) {
	return find(r.developers, strings.TrimSuffix(developerPrefix(portal), "."), id)
}

// Developers lists them, oldest first.
func (r *Registry) Developers(portal Portal) []Developer {
	list := values(r.developers.List(developerPrefix(portal)))
	slices.SortStableFunc(list, func(a, b Developer) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// DeveloperChange is what an admin may change; nil leaves a value as it is.
type DeveloperChange struct {
	FullName *string
	Status   *DeveloperStatus
	Password *string
}

// ChangeDeveloper changes a developer, who can try to log in again at once
// afterwards if it was locked. Its errors are [ErrNotFound] and an [InvalidError].
func (r *Registry) ChangeDeveloper(ctx context.Context, portal Portal, id string, change DeveloperChange) (Developer, error) {
	var hashed Developer
	if change.Password != nil {
		if err := r.setPassword(ctx, &hashed, *change.Password); err != nil {
			return Developer{}, err
		}
	}
	entry, err := r.developerEntry(portal, id)
	if err != nil {
		return Developer{}, err
	}
	changed, err := revise(ctx, r.developers, entry.Key, func(d Developer) (Developer, error) {
		set(&d.FullName, change.FullName)
		set(&d.Status, change.Status)
		if change.Password != nil {
			d.Password = hashed.Password
		}
		d.Failures, d.LockedUntil, d.UpdatedAt = 0, time.Time{}, r.instantAfter(d.UpdatedAt)
		return d, checkDeveloper(d)
	})
	if err != nil {
		return Developer{}, fmt.Errorf("change developer %s: %w", id, err)
	}
	return changed, nil
}

// DeleteDeveloper removes one.
func (r *Registry) DeleteDeveloper(ctx context.Context, portal Portal, id string) error {
	entry, err := r.developerEntry(portal, id)
	if err != nil {
		return err
	}
	return r.removeDeveloper(ctx, entry)
}

func (r *Registry) removeDeveloper(ctx context.Context, entry broker.Entry[Developer]) error {
	// A log-in that fails at the same moment does not keep it.
	d, err := remove(ctx, r.developers, entry.Key)
	if err != nil {
		return fmt.Errorf("delete developer %s: %w", entry.Value.ID, err)
	}
	r.releaseName(ctx, emailKey(Portal{ID: d.PortalID}, d.Email), d.ID)
	return nil
}

// setPassword has the developer keep the hash of the password.
func (r *Registry) setPassword(ctx context.Context, d *Developer, text string) (err error) {
	switch n := len(text); {
	case n == 0:
		d.Password = password{}
		return nil
	case n < MinPassword:
		return &InvalidError{"password", "min_length", fmt.Sprintf("must not be shorter than %d bytes", MinPassword)}
	case n > MaxPassword:
		return &InvalidError{"password", "max_length", fmt.Sprintf("must not be longer than %d bytes", MaxPassword)}
	}
	d.Password, err = r.hasher.hash(ctx, text)
	return err
}

func checkDeveloper(d Developer) error {
	if address, err := mail.ParseAddress(d.Email); err != nil || address.Address != d.Email {
		return &InvalidError{"email", "is_email", "must be an email address"}
	}
	if strings.TrimSpace(d.FullName) == "" {
		return &InvalidError{"full_name", "required", "a developer needs a name"}
	}
	switch d.Status {
	case DeveloperApproved, DeveloperPending, DeveloperRevoked, DeveloperRejected:
		return nil
	}
	return &InvalidError{"status", "enum", fmt.Sprintf("there is no status %q", d.Status)}
}

func sameEmail(a, b string) bool { return strings.EqualFold(a, b) }

func developerPrefix(portal Portal) string { return portal.OrgID + "." + portal.ID + "." }

// emailKey is where the claim of a developer's email stands.
func emailKey(portal Portal, email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return portal.ID + ".developer." + hex.EncodeToString(sum[:])
}
