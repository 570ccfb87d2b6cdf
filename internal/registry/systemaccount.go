package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SystemAccount is a principal that is no person: a service of the
// organization. Its tokens begin with spat_.
type SystemAccount struct {
	ID          string    `json:"id"`
	OrgID       string    `json:"org_id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Roles       []Role    `json:"roles"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// CreateSystemAccount stores a new system account under an id of ours;
// [ErrNameTaken] when the organization has one of the name, an [InvalidError]
// when its name or one of its roles cannot be.
func (r *Registry) CreateSystemAccount(ctx context.Context, account SystemAccount) (SystemAccount, error) {
	if strings.TrimSpace(account.Name) == "" {
		return SystemAccount{}, &InvalidError{"name", "required", "a system account needs a name"}
	}
	if err := checkRoles(account.Roles); err != nil {
		return SystemAccount{}, err
	}
	account.ID = newID()
	account.CreatedAt = r.instant()
	account.UpdatedAt = account.CreatedAt
	at, err := key(account.OrgID, account.ID)
	if err != nil {
		return SystemAccount{}, err
	}
	release, err := r.claimName(ctx, systemNameKey(account), account.ID, func(id string) bool {
		other, err := r.SystemAccount(account.OrgID, id)
		return err == nil && other.Name == account.Name
	})
	if err != nil {
		return SystemAccount{}, fmt.Errorf("system account %q: %w", account.Name, err)
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

func systemNameKey(account SystemAccount) string {
	sum := sha256.Sum256([]byte(account.Name))
	return account.OrgID + ".system-account." + hex.EncodeToString(sum[:])
}
