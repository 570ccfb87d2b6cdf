package collector

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// AccessKey is what a client authenticates with: its id and a secret, of
// which only the SHA-256 is kept. The secret is random (256 bits), so a plain
// hash of it cannot be searched.
type AccessKey struct {
	ID        string // Sumo Logic's accessId
	Label     string
	Role      Role
	Hash      string // SHA-256 of the secret, in hexadecimal; also its key in the bucket
	Disabled  bool
	CreatedAt time.Time
	Revision  uint64 `json:"-"` // as in Collector
}

// Role is what an access key may be used for.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // everything
	Analyst       Role = "analyst"       // searching, and looking at collectors and sources
	Sender        Role = "sender"        // sending lines to sources that demand a key, nothing else
)

// ErrLastAdministrator says that nobody could manage anything any more.
var ErrLastAdministrator = errors.New("this is the last enabled access key of an administrator: make another one first")

// Bootstrap makes the first access key, labelled "admin", when there is none
// yet, and returns its id and secret; else it returns empty strings. Both go to
// keep before the key is made valid, so that a crash at any point leaves either
// a valid key that was kept, or none, and then the next start makes another.
func (c *Catalog) Bootstrap(ctx context.Context, keep func(id, secret string) error) (id, secret string, err error) {
	if len(c.AccessKeys()) > 0 {
		return "", "", nil
	}
	first, secret := newAccessKey("admin", Administrator)
	if err := keep(first.ID, secret); err != nil {
		return "", "", fmt.Errorf("keep the first access key: %w", err)
	}
	if _, err := c.storeAccessKey(ctx, first); err != nil {
		return "", "", err
	}
	return first.ID, secret, nil
}

// CreateAccessKey makes a key and returns it with its secret, which cannot be
// had again. Errors: [ErrInvalid], [broker.ErrUnavailable].
func (c *Catalog) CreateAccessKey(ctx context.Context, label string, role Role) (created AccessKey, secret string, err error) {
	created, secret = newAccessKey(label, role)
	if err := checkAccessKey(created); err != nil {
		return AccessKey{}, "", err
	}
	created, err = c.storeAccessKey(ctx, created)
	return created, secret, err
}

func newAccessKey(label string, role Role) (created AccessKey, secret string) {
	secret = newSecret()
	return AccessKey{ID: newAccessID(), Label: label, Role: role, Hash: hashOf(secret), CreatedAt: time.Now().UTC()}, secret
}

func checkAccessKey(k AccessKey) error {
	switch k.Role {
	case Administrator, Analyst, Sender:
		return checkName("label", k.Label)
	}
	return fmt.Errorf("%w: role must be %s, %s or %s", ErrInvalid, Administrator, Analyst, Sender)
}

func (c *Catalog) storeAccessKey(ctx context.Context, k AccessKey) (AccessKey, error) {
	if err := c.keys.Create(ctx, k.Hash, k); err != nil {
		return AccessKey{}, fmt.Errorf("create access key %q: %w", k.Label, err)
	}
	return c.AccessKey(k.ID)
}

// AccessKey returns the key with the id, or [broker.ErrNotFound].
func (c *Catalog) AccessKey(id string) (AccessKey, error) {
	for _, k := range c.AccessKeys() {
		if k.ID == id {
			return k, nil
		}
	}
	return AccessKey{}, fmt.Errorf("access key %q: %w", id, broker.ErrNotFound)
}

// AccessKeys returns all access keys, oldest first.
func (c *Catalog) AccessKeys() []AccessKey {
	var list []AccessKey
	for _, entry := range c.keys.List("") {
		entry.Value.Revision = entry.Revision
		list = append(list, entry.Value)
	}
	slices.SortFunc(list, func(a, b AccessKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// UpdateAccessKey stores the label, the role and the state of the key that was
// read at k.Revision. Errors: [ErrInvalid], [ErrLastAdministrator],
// [broker.ErrConflict], [broker.ErrUnavailable].
func (c *Catalog) UpdateAccessKey(ctx context.Context, k AccessKey) (AccessKey, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := checkAccessKey(k); err != nil {
		return AccessKey{}, err
	}
	if !k.administers() && !c.administratorBeside(k.ID) {
		return AccessKey{}, fmt.Errorf("update access key %q: %w", k.ID, ErrLastAdministrator)
	}
	if err := c.keys.Update(ctx, k.Hash, k, k.Revision); err != nil {
		return AccessKey{}, fmt.Errorf("update access key %q: %w", k.ID, err)
	}
	return c.AccessKey(k.ID)
}

// DeleteAccessKey removes the key that was read before. Errors: those of
// UpdateAccessKey.
func (c *Catalog) DeleteAccessKey(ctx context.Context, k AccessKey) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	if !c.administratorBeside(k.ID) {
		return fmt.Errorf("delete access key %q: %w", k.ID, ErrLastAdministrator)
	}
	if err := c.keys.Delete(ctx, k.Hash, k.Revision); err != nil {
		return fmt.Errorf("delete access key %q: %w", k.ID, err)
	}
	return nil
}

func (k AccessKey) administers() bool { return k.Role == Administrator && !k.Disabled }

// administratorBeside reports whether an administrator is left without the key.
// It is asked with the lock held under which keys change.
func (c *Catalog) administratorBeside(id string) bool {
	return slices.ContainsFunc(c.AccessKeys(), func(k AccessKey) bool { return k.ID != id && k.administers() })
}

// Authenticate finds the access key of an id and a secret. Unless the outcome is
// a success the key is one that may not be used: the one with the id, if there is one.
func (c *Catalog) Authenticate(id, secret string) (AccessKey, audit.Outcome) {
	k, ok := c.bySecret(secret)
	switch {
	case !ok || subtle.ConstantTimeCompare([]byte(k.ID), []byte(id)) != 1:
		k, err := c.AccessKey(id)
		if err != nil {
			return AccessKey{}, audit.OutcomeNotFound
		}
		return k, audit.OutcomeInvalidPassword
	case k.Disabled:
		return k, audit.OutcomeDisabled
	}
	return k, audit.OutcomeSuccess
}

// Authorized tells whether an Authorization header holds the enabled access key
// of a sender or an administrator in any form that senders use: the bare
// secret, the secret after any scheme ("Bearer K", "Splunk K"), or HTTP Basic
// with the id and the secret.
func (c *Catalog) Authorized(header string) bool {
	header = strings.TrimSpace(header)
	scheme, credentials, two := strings.Cut(header, " ")
	if !two {
		return c.maySend(header)
	}
	credentials = strings.TrimSpace(credentials)
	if strings.EqualFold(scheme, "Basic") {
		if decoded, err := base64.StdEncoding.DecodeString(credentials); err == nil {
			id, secret, _ := strings.Cut(string(decoded), ":")
			if k, outcome := c.Authenticate(id, secret); outcome == audit.OutcomeSuccess {
				return k.Role != Analyst
			}
		}
	}
	return c.maySend(credentials)
}

func (c *Catalog) maySend(secret string) bool {
	k, ok := c.bySecret(secret)
	return ok && !k.Disabled && k.Role != Analyst
}

// bySecret looks a key up by the hash of its secret. The time of a map's
// lookup tells at most something about hashes, from which no secret follows.
func (c *Catalog) bySecret(secret string) (AccessKey, bool) {
	hash := hashOf(secret)
	entry, err := c.keys.Get(hash)
	k := entry.Value
	if err != nil || subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hash)) != 1 {
		return AccessKey{}, false
	}
	k.Revision = entry.Revision
	return k, true
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newAccessID makes an id in the shape of Sumo Logic's: "su" and 12 letters
// and digits.
func newAccessID() string {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	return "su" + strings.ToLower(base32.StdEncoding.EncodeToString(id))[:12]
}

func newSecret() string {
	for {
		secret := make([]byte, 32)
		rand.Read(secret)
		// One that begins with a dash would be taken for a flag on a command line.
		if text := base64.RawURLEncoding.EncodeToString(secret); text[0] != '-' {
			return text
		}
	}
}
