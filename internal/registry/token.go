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

// Token is what is kept of an access token.
type Token struct {
	ID        string    `json:"id"`
	OrgID     string    `json:"org_id"`
	UserID    string    `json:"user_id"`
	Name      string    `json:"name"`
	Hash      []byte    `json:"hash"`       // SHA-256 of the token
	ExpiresAt time.Time `json:"expires_at"` // zero: never
	CreatedAt time.Time `json:"created_at"`
}

// CreateToken makes a personal access token of the user. It is returned here
// and never again. A zero expiry is none.
func (r *Registry) CreateToken(ctx context.Context, user User, name string, expiresAt time.Time) (string, error) {
	token := newToken(personalPrefix)
	return token, r.storeToken(ctx, token, user, name, expiresAt)
}

func (r *Registry) storeToken(ctx context.Context, token string, user User, name string, expiresAt time.Time) error {
	hash := sha256.Sum256([]byte(token))
	err := r.tokens.Create(ctx, tokenKey(hash), Token{
		ID: newID(), OrgID: user.OrgID, UserID: user.ID, Name: name,
		Hash: hash[:], ExpiresAt: expiresAt, CreatedAt: r.instant(),
	})
	if err != nil {
		return fmt.Errorf("create token %q: %w", name, err)
	}
	return nil
}

// Authentication is the result of a credential's use: as much as is known of
// who it belongs to, and the type and outcome that its audit event gets.
type Authentication struct {
	Type    audit.AuthType
	Outcome audit.Outcome
	User    User
}

// Authenticate looks a bearer token up. It never fails: what is wrong is the
// outcome.
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
	user, err := find(r.users, entry.Value.OrgID, entry.Value.UserID)
	if err != nil {
		return Authentication{Type: how, Outcome: audit.OutcomeNotFound}
	}
	result := Authentication{Type: how, Outcome: audit.OutcomeSuccess, User: user.Value}
	if expiry := entry.Value.ExpiresAt; !expiry.IsZero() && !r.now().Before(expiry) {
		result.Outcome = audit.OutcomeTokenExpired
	}
	return result
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
