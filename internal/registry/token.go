package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// A token is a prefix that says its kind, 43 random characters (256 bits) and
// six that are the CRC-32 of all before them, all of base 62: a secret scanner
// can tell a token from look-alikes without asking us. Only its SHA-256 is
// kept; a fast hash is enough for a secret nobody can guess.
const (
	personalPrefix = "kpat_"
	systemPrefix   = "spat_"
	randomLength   = 43
	checksumLength = 6
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Token is what is kept of an access token. It belongs to a user or to a system
// account.
type Token struct {
	ID              string    `json:"id"`
	OrgID           string    `json:"org_id"`
	UserID          string    `json:"user_id,omitempty"`
	SystemAccountID string    `json:"system_account_id,omitempty"`
	Name            string    `json:"name"`
	Hash            []byte    `json:"hash"`       // SHA-256 of the token
	ExpiresAt       time.Time `json:"expires_at"` // zero: never
	CreatedAt       time.Time `json:"created_at"`
	RevokedAt       time.Time `json:"revoked_at,omitzero"` // zero: it is not
}

// CreateToken makes a personal access token of the user. It is returned here
// and never again. A zero expiry is none.
func (r *Registry) CreateToken(ctx context.Context, user User, name string, expiresAt time.Time) (string, error) {
	token := newToken(personalPrefix)
	return token, r.storeToken(ctx, token, Token{OrgID: user.OrgID, UserID: user.ID, Name: name, ExpiresAt: expiresAt})
}

// CreateSystemToken makes an access token of the system account, as CreateToken
// makes a user's.
func (r *Registry) CreateSystemToken(ctx context.Context, account SystemAccount, name string, expiresAt time.Time) (string, error) {
	token := newToken(systemPrefix)
	return token, r.storeToken(ctx, token, Token{OrgID: account.OrgID, SystemAccountID: account.ID, Name: name, ExpiresAt: expiresAt})
}

func (r *Registry) storeToken(ctx context.Context, token string, kept Token) error {
	hash := sha256.Sum256([]byte(token))
	kept.ID, kept.Hash, kept.CreatedAt = newID(), hash[:], r.instant()
	if err := r.tokens.Create(ctx, tokenKey(hash), kept); err != nil {
		return fmt.Errorf("create token %q: %w", kept.Name, err)
	}
	return nil
}

// Tokens lists the organization's, oldest first, revoked ones too.
func (r *Registry) Tokens(organization string) []Token {
	list := slices.DeleteFunc(values(r.tokens.List("")), func(t Token) bool { return t.OrgID != organization })
	slices.SortStableFunc(list, func(a, b Token) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// RevokeToken makes a token of the organization useless, at once and for ever.
// What is revoked already stays as it is.
func (r *Registry) RevokeToken(ctx context.Context, organization, id string) error {
	for _, entry := range r.tokens.List("") {
		token := entry.Value
		if token.ID != id || token.OrgID != organization {
			continue
		}
		if !token.RevokedAt.IsZero() {
			return nil
		}
		token.RevokedAt = r.instant()
		if err := r.tokens.Update(ctx, entry.Key, token, entry.Revision); err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		return nil
	}
	return fmt.Errorf("token %s: %w", id, ErrNotFound)
}

// Authentication is the result of a credential's use: as much as is known of
// who it belongs to, and the type and outcome that its audit event gets.
type Authentication struct {
	Type      audit.AuthType
	Outcome   audit.Outcome
	Principal Principal
}

// Authenticate looks a bearer token up. It never fails: what is wrong is the
// outcome. A revoked token is DISABLED.
func (r *Registry) Authenticate(token string) Authentication {
	how, ok := tokenType(token)
	if !ok {
		return Authentication{Type: audit.AuthInvalid, Outcome: audit.OutcomeInvalid}
	}
	hash := sha256.Sum256([]byte(token))
	entry, err := r.tokens.Get(tokenKey(hash))
	if err != nil || subtle.ConstantTimeCompare(entry.Value.Hash, hash[:]) != 1 {
		return Authentication{Type: how, Outcome: audit.OutcomeNotFound}
	}
	principal, err := r.owner(entry.Value)
	if err != nil {
		return Authentication{Type: how, Outcome: audit.OutcomeNotFound}
	}
	return Authentication{Type: how, Outcome: r.outcome(entry.Value), Principal: principal}
}

func (r *Registry) outcome(token Token) audit.Outcome {
	switch {
	case !token.RevokedAt.IsZero():
		return audit.OutcomeDisabled
	case !token.ExpiresAt.IsZero() && !r.now().Before(token.ExpiresAt):
		return audit.OutcomeTokenExpired
	}
	return audit.OutcomeSuccess
}

// owner returns whom a token belongs to.
func (r *Registry) owner(token Token) (Principal, error) {
	if token.SystemAccountID != "" {
		a, err := r.SystemAccount(token.OrgID, token.SystemAccountID)
		return Principal{ID: a.ID, OrgID: a.OrgID, Name: a.Name, Roles: a.Roles, System: true}, err
	}
	entry, err := find(r.users, token.OrgID, token.UserID)
	u := entry.Value
	return Principal{ID: u.ID, OrgID: u.OrgID, Name: u.Name, Roles: u.Roles}, err
}

// tokenKey finds a token by half of its hash. The other half is compared in
// constant time, so the time of a look-up tells nothing that would help to
// make a token that is found.
func tokenKey(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:sha256.Size/2]) }

// tokenType tells the kind of a well-formed token.
func tokenType(token string) (audit.AuthType, bool) {
	var how audit.AuthType
	switch {
	case strings.HasPrefix(token, personalPrefix):
		how = audit.AuthPAT
	case strings.HasPrefix(token, systemPrefix):
		how = audit.AuthSPAT
	default:
		return "", false
	}
	body, sum := len(token)-checksumLength, checksumLength
	if len(token) != len(personalPrefix)+randomLength+sum || token[body:] != checksum(token[:body]) {
		return "", false
	}
	return how, true
}

func newToken(prefix string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for range randomLength {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(base62)))) // its reader never fails
		b.WriteByte(base62[n.Int64()])
	}
	return b.String() + checksum(b.String())
}

func checksum(text string) string {
	var out [checksumLength]byte
	sum := crc32.ChecksumIEEE([]byte(text))
	for i := range out {
		out[checksumLength-1-i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}
