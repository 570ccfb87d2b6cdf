package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Token is what is kept of an access token. It belongs to a user or to a system
// account, of which no two tokens have one name.
type Token struct {
	ID              string    `json:"id"`
	OrgID           string    `json:"org_id"`
	UserID          string    `json:"user_id,omitempty"`
	SystemAccountID string    `json:"system_account_id,omitempty"`
	Name            string    `json:"name"`
	Hash            []byte    `json:"hash"`       // SHA-256 of the token
	ExpiresAt       time.Time `json:"expires_at"` // zero: never
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	LastUsedAt      time.Time `json:"last_used_at,omitzero"` // zero: not yet; see lastuse.go
	RevokedAt       time.Time `json:"revoked_at,omitzero"`   // zero: it is not
	RevokedBy       string    `json:"revoked_by,omitempty"`  // id of the principal
}

// TokenState says what a token is good for, in Konnect's words.
type TokenState string

// The states. A revoked token stays that when its time is over.
const (
	TokenActive  TokenState = "ACTIVE"
	TokenRevoked TokenState = "REVOKED"
	TokenExpired TokenState = "EXPIRED"
)

// State is the token's at a time.
func (t Token) State(now time.Time) TokenState {
	switch {
	case !t.RevokedAt.IsZero():
		return TokenRevoked
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return TokenExpired
	}
	return TokenActive
}

// TokenState is the token's state now.
func (r *Registry) TokenState(t Token) TokenState { return t.State(r.now()) }

// ExpiryIn is when a token of now ends that is good for a time.
func (r *Registry) ExpiryIn(lifetime time.Duration) time.Time { return r.instant().Add(lifetime) }

// ExpiryAt takes the end of a token that somebody wishes for. It is an
// [InvalidError] unless it is in the future and at most so many years ahead.
func (r *Registry) ExpiryAt(end time.Time, years int) (time.Time, error) {
	now := r.now()
	if !end.After(now) {
		return time.Time{}, &InvalidError{"expires_at", "invalid", "must be in the future"}
	}
	if end.After(now.AddDate(years, 0, 0).Add(clockDifference)) {
		return time.Time{}, &InvalidError{"expires_at", "invalid", fmt.Sprintf("must be at most %d year(s) ahead", years)}
	}
	return end.UTC(), nil
}

// owner is the id of whom the token belongs to.
func (t Token) owner() string { return cmp.Or(t.UserID, t.SystemAccountID) }

// CreateToken makes a personal access token of the user. The token itself is
// returned here and never again. A zero expiry is none. [ErrNameTaken] says that
// the user has another of the name.
func (r *Registry) CreateToken(ctx context.Context, user User, name string, expiresAt time.Time) (string, Token, error) {
	token := newToken(personalPrefix)
	kept, err := r.storeToken(ctx, token, Token{OrgID: user.OrgID, UserID: user.ID, Name: name, ExpiresAt: expiresAt})
	return token, kept, err
}

// CreateSystemToken makes an access token of the system account, as CreateToken
// makes a user's.
func (r *Registry) CreateSystemToken(ctx context.Context, account SystemAccount, name string, expiresAt time.Time) (string, Token, error) {
	token := newToken(systemPrefix)
	kept, err := r.storeToken(ctx, token, Token{OrgID: account.OrgID, SystemAccountID: account.ID, Name: name, ExpiresAt: expiresAt})
	return token, kept, err
}

func (r *Registry) storeToken(ctx context.Context, token string, kept Token) (Token, error) {
	if strings.TrimSpace(kept.Name) == "" {
		return Token{}, &InvalidError{"name", "required", "a token needs a name"}
	}
	hash := sha256.Sum256([]byte(token))
	kept.ID, kept.Hash, kept.CreatedAt = tokenID(hash), hash[:], r.instant()
	kept.UpdatedAt = kept.CreatedAt
	kept.ExpiresAt = kept.ExpiresAt.UTC()
	release, err := r.claimTokenName(ctx, kept)
	if err != nil {
		return Token{}, err
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.tokens.Create(writing, kept.ID, kept); err != nil {
		release()
		return Token{}, fmt.Errorf("create token %q: %w", kept.Name, err)
	}
	return kept, nil
}

// Token returns one of a user or system account, whose id owner is.
func (r *Registry) Token(organization, owner, id string) (Token, error) {
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return Token{}, ErrNotFound
	}
	entry, err := r.tokens.Get(id)
	if err != nil {
		return Token{}, err
	}
	if entry.Value.OrgID != organization || entry.Value.owner() != owner {
		return Token{}, ErrNotFound
	}
	return r.withLastUse(entry.Value), nil
}

// Tokens lists those of a user or system account, oldest first, revoked and
// expired ones too.
func (r *Registry) Tokens(organization, owner string) []Token {
	var list []Token
	for _, entry := range r.tokens.List("") {
		if entry.Value.OrgID == organization && entry.Value.owner() == owner {
			list = append(list, r.withLastUse(entry.Value))
		}
	}
	slices.SortStableFunc(list, func(a, b Token) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// RenameToken gives a token another name; [ErrNameTaken] when another token of
// the owner has it.
func (r *Registry) RenameToken(ctx context.Context, organization, owner, id, name string) (Token, error) {
	token, err := r.Token(organization, owner, id)
	if err != nil || token.Name == name {
		return token, err
	}
	if strings.TrimSpace(name) == "" {
		return Token{}, &InvalidError{"name", "required", "a token needs a name"}
	}
	token.Name = name
	release, err := r.claimTokenName(ctx, token)
	if err != nil {
		return Token{}, err
	}
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	former := ""
	token, err = revise(writing, r.tokens, id, func(t Token) (Token, error) {
		former = t.nameKey()
		t.Name, t.UpdatedAt = name, r.instant()
		return t, nil
	})
	if err != nil {
		release()
		return Token{}, fmt.Errorf("rename token %s: %w", id, err)
	}
	if former != token.nameKey() {
		r.releaseName(ctx, former, id)
	}
	return r.withLastUse(token), nil
}

// RevokeToken makes a token useless, at once and for ever. What is revoked
// already stays as it is. by is the id of the principal who does it.
func (r *Registry) RevokeToken(ctx context.Context, organization, owner, id, by string) (Token, error) {
	token, err := r.Token(organization, owner, id)
	if err != nil || !token.RevokedAt.IsZero() {
		return token, err
	}
	token, err = revise(ctx, r.tokens, id, func(t Token) (Token, error) {
		if t.RevokedAt.IsZero() {
			t.RevokedAt, t.RevokedBy = r.instant(), by
			t.UpdatedAt = t.RevokedAt
		}
		return t, nil
	})
	return r.withLastUse(token), wrap(err, "revoke token %s", id)
}

// DeleteToken removes a token. Its next use finds none.
func (r *Registry) DeleteToken(ctx context.Context, organization, owner, id string) error {
	if _, err := r.Token(organization, owner, id); err != nil {
		return err
	}
	token, err := remove(ctx, r.tokens, id)
	if err != nil {
		return wrap(err, "delete token %s", id)
	}
	r.releaseName(ctx, token.nameKey(), id)
	return nil
}

// deleteTokens removes all of a user or system account.
func (r *Registry) deleteTokens(ctx context.Context, organization, owner string) error {
	for _, token := range r.Tokens(organization, owner) {
		if err := r.DeleteToken(ctx, organization, owner, token.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

func (r *Registry) claimTokenName(ctx context.Context, token Token) (release func(), err error) {
	release, err = r.claimName(ctx, token.nameKey(), token.ID, func(id string) bool {
		other, err := r.Token(token.OrgID, token.owner(), id)
		return err == nil && other.Name == token.Name
	})
	return release, wrap(err, "token %q", token.Name)
}

func (t Token) nameKey() string { return nameKeyOf(t.OrgID, "token."+t.owner(), t.Name) }
