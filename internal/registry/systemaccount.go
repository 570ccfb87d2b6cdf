package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SystemAccount is a principal that is no person: a service of the
// organization. Its tokens begin with spat_.
type SystemAccount struct {
	ID          string `json:"id"`
	OrgID       string `json:"org_id"`
	Name        string `json:"name"` // of one account of the organization only
	Description string `json:"description"`
	// KonnectManaged is what the account was made with; nil if it was not said.
	// It decides nothing here.
	KonnectManaged *bool        `json:"konnect_managed,omitempty"`
	Assignments    []Assignment `json:"assignments"`
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      time.Time    `json:"updated_at"`
}

// SystemAccountChange is what can be changed of a system account; nil leaves a
// value as it is.
type SystemAccountChange struct {
	Name        *string
	Description *string
}

// CreateSystemAccount stores a new system account, under an id of ours, with the
// roles in all the organization. [ErrNameTaken] says that the organization has
// one of the name, an [InvalidError] that its name or one of the roles cannot be.
func (r *Registry) CreateSystemAccount(ctx context.Context, account SystemAccount, roles ...Role) (SystemAccount, error) {
	if err := checkSystemAccount(account); err != nil {
		return SystemAccount{}, err
	}
	var err error
	if account.Assignments, err = everywhere(roles); err != nil {
		return SystemAccount{}, err
	}
	account.ID = newID()
	account.CreatedAt = r.instant()
	account.UpdatedAt = account.CreatedAt
	at, err := key(account.OrgID, account.ID)
	if err != nil {
		return SystemAccount{}, err
	}
	release, err := r.claimSystemName(ctx, account)
	if err != nil {
		return SystemAccount{}, err
	}
	// Well within the claim's lease: who is slower than that has lost the name.
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.systems.Create(writing, at, account); err != nil {
		release()
		return SystemAccount{}, fmt.Errorf("create system account %q: %w", account.Name, err)
	}
	return account, nil
}

// SystemAccount returns one.
func (r *Registry) SystemAccount(organization, id string) (SystemAccount, error) {
	entry, err := find(r.systems, organization, id)
	return entry.Value, err
}

// SystemAccounts lists them, oldest first.
func (r *Registry) SystemAccounts(organization string) []SystemAccount {
	list := values(r.systems.List(organization + "."))
	slices.SortStableFunc(list, func(a, b SystemAccount) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// ChangeSystemAccount changes one; [ErrNameTaken] when the organization has
// another of the new name.
func (r *Registry) ChangeSystemAccount(ctx context.Context, organization, id string, c SystemAccountChange) (SystemAccount, error) {
	entry, err := find(r.systems, organization, id)
	if err != nil {
		return SystemAccount{}, err
	}
	if c.Name != nil && *c.Name == entry.Value.Name {
		c.Name = nil // or it would undo a renaming of the same moment
	}
	wanted := entry.Value
	set(&wanted.Name, c.Name)
	if err := checkSystemAccount(wanted); err != nil {
		return SystemAccount{}, err
	}
	release := func() {}
	if c.Name != nil {
		if release, err = r.claimSystemName(ctx, wanted); err != nil {
			return SystemAccount{}, err
		}
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	former := ""
	changed, err := revise(writing, r.systems, entry.Key, func(s SystemAccount) (SystemAccount, error) {
		former = s.systemNameKey()
		set(&s.Name, c.Name)
		set(&s.Description, c.Description)
		s.UpdatedAt = r.instant()
		return s, nil
	})
	if err != nil {
		release()
		return SystemAccount{}, fmt.Errorf("change system account %s: %w", id, err)
	}
	if former != changed.systemNameKey() {
		r.releaseName(ctx, former, id)
	}
	return changed, nil
}

// DeleteSystemAccount removes one; its tokens go first.
func (r *Registry) DeleteSystemAccount(ctx context.Context, organization, id string) error {
	entry, err := find(r.systems, organization, id)
	if err != nil {
		return err
	}
	if err := r.deleteTokens(ctx, organization, id); err != nil {
		return wrap(err, "delete system account %s", id)
	}
	account, err := remove(ctx, r.systems, entry.Key)
	if err != nil {
		return wrap(err, "delete system account %s", id)
	}
	r.releaseName(ctx, account.systemNameKey(), id)
	return nil
}

func checkSystemAccount(account SystemAccount) error {
	if strings.TrimSpace(account.Name) == "" {
		return &InvalidError{"name", "required", "a system account needs a name"}
	}
	return nil
}

func (r *Registry) claimSystemName(ctx context.Context, account SystemAccount) (release func(), err error) {
	release, err = r.claimName(ctx, account.systemNameKey(), account.ID, func(id string) bool {
		other, err := r.SystemAccount(account.OrgID, id)
		return err == nil && other.Name == account.Name
	})
	return release, wrap(err, "system account %q", account.Name)
}

func (account SystemAccount) systemNameKey() string {
	return nameKeyOf(account.OrgID, "system-account", account.Name)
}
