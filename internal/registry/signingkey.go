package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// SigningKey is a key that events are signed with. All organizations share it,
// as the key set that they verify with is one (Konnect's JWKS has no
// organization either).
type SigningKey struct {
	KeyID     string            `json:"key_id"`
	Public    ed25519.PublicKey `json:"public"`
	Seed      []byte            `json:"seed,omitempty"` // sealed; a retired key has none any more
	CreatedAt time.Time         `json:"created_at"`
	RetiredAt time.Time         `json:"retired_at,omitzero"` // zero: it signs, or will
	Announced bool              `json:"-"`                   // it does not sign yet
}

// activeKey is where the key stands that new events are signed with, nextKey
// where the one does that was announced. Retired ones stand under their ids.
const (
	activeKey = "active"
	nextKey   = "next"
)

// ensureSigningKey makes the first key. Of two processes that try at once, one
// wins and both use its key.
func (r *Registry) ensureSigningKey(ctx context.Context) error {
	if _, err := r.signingKeys.Get(activeKey); err == nil {
		return nil
	}
	made, err := r.newSigningKey()
	if err != nil {
		return err
	}
	if err := r.signingKeys.Create(ctx, activeKey, made); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("make a signing key: %w", err)
	}
	return nil
}

func (r *Registry) newSigningKey() (SigningKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	id := audit.NewSigner(private).KeyID()
	sealed, err := r.sealer.Seal(private.Seed(), signingContext(id))
	if err != nil {
		return SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	return SigningKey{KeyID: id, Public: public, Seed: sealed, CreatedAt: r.instant()}, nil
}

// AnnounceSigningKey puts a key into the key set that the next rotation will
// sign with: who verifies by a copy of the set knows it in time. Announcing
// again returns the key that is announced.
func (r *Registry) AnnounceSigningKey(ctx context.Context) (SigningKey, error) {
	active, next, err := r.signingKeysNow()
	if err != nil {
		return SigningKey{}, fmt.Errorf("announce a signing key: %w", err)
	}
	if next.KeyID != "" {
		return next, nil
	}
	made, err := r.newSigningKey()
	if err != nil {
		return SigningKey{}, err
	}
	// What a rotation left that was cut short is in the way.
	if left, err := r.signingKeys.Get(nextKey); err == nil && left.Value.KeyID == active.Value.KeyID {
		if err := r.signingKeys.Delete(ctx, nextKey, left.Revision); err != nil {
			return SigningKey{}, fmt.Errorf("announce a signing key: %w", err)
		}
	}
	if err := r.signingKeys.Create(ctx, nextKey, made); err != nil {
		return SigningKey{}, fmt.Errorf("announce a signing key: %w", err)
	}
	return made, nil
}

// RotateSigningKey makes the announced key, or a new one, that with which events
// are signed from now on, by every process on the registry. The key until now
// stays in the key set, so that what it signed can be verified, but its private
// half is dropped. [ErrConflict] says that another rotated at the same moment.
func (r *Registry) RotateSigningKey(ctx context.Context) (SigningKey, error) {
	active, made, err := r.signingKeysNow()
	if err != nil {
		return SigningKey{}, fmt.Errorf("rotate the signing key: %w", err)
	}
	if made.KeyID == "" {
		if made, err = r.newSigningKey(); err != nil {
			return SigningKey{}, err
		}
	}
	retired := active.Value
	retired.Seed, retired.RetiredAt = nil, r.instant()
	// First, so that no crash takes the key out of the set. One that is there
	// was left by a rotation that did not come further.
	if err := r.signingKeys.Put(ctx, retired.KeyID, retired); err != nil {
		return SigningKey{}, fmt.Errorf("retire the signing key %s: %w", retired.KeyID, err)
	}
	if err := r.signingKeys.Update(ctx, activeKey, made, active.Revision); err != nil {
		return SigningKey{}, fmt.Errorf("rotate the signing key: %w", err)
	}
	if next, err := r.signingKeys.Get(nextKey); err == nil && next.Value.KeyID == made.KeyID {
		if err := r.signingKeys.Delete(ctx, nextKey, next.Revision); err != nil && !errors.Is(err, ErrConflict) {
			return SigningKey{}, fmt.Errorf("rotate the signing key: it is done, but for the announcement's end: %w", err)
		}
	}
	return made, nil
}

// signingKeysNow returns the key that signs and the announced one, which has no
// id when there is none. Who cannot open them has another master key than the
// servers, and would make them a key that they cannot open.
func (r *Registry) signingKeysNow() (active broker.Entry[SigningKey], next SigningKey, err error) {
	if active, err = r.signingKeys.Get(activeKey); err != nil {
		return active, next, err
	}
	if _, err := r.open(active.Value); err != nil {
		return active, next, err
	}
	announced, err := r.signingKeys.Get(nextKey)
	if err != nil || announced.Value.KeyID == active.Value.KeyID {
		return active, next, nil
	}
	_, err = r.open(announced.Value)
	return active, announced.Value, err
}

// SigningKeys lists them: the one that signs, the announced one, then the
// retired ones, the newest first.
func (r *Registry) SigningKeys() []SigningKey {
	var list, retired []SigningKey
	known := map[string]bool{}
	for _, at := range []string{activeKey, nextKey} {
		// A rotation that a crash cut short may have left copies of the active key.
		if entry, err := r.signingKeys.Get(at); err == nil && !known[entry.Value.KeyID] {
			known[entry.Value.KeyID] = true
			entry.Value.Announced = at == nextKey
			list = append(list, entry.Value)
		}
	}
	for _, key := range values(r.signingKeys.List("")) {
		if !known[key.KeyID] {
			known[key.KeyID] = true
			retired = append(retired, key)
		}
	}
	slices.SortStableFunc(retired, func(a, b SigningKey) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return append(list, retired...)
}

// Signer opens the key that new events are signed with.
func (r *Registry) Signer() (*audit.Signer, error) {
	entry, err := r.signingKeys.Get(activeKey)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return r.open(entry.Value)
}

// open makes a key's private half usable.
func (r *Registry) open(key SigningKey) (*audit.Signer, error) {
	seed, err := r.sealer.Open(key.Seed, signingContext(key.KeyID))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", key.KeyID, err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("signing key %s: sealed seed has %d bytes", key.KeyID, len(seed))
	}
	return audit.NewSigner(ed25519.NewKeyFromSeed(seed)), nil
}

// SigningKeyID names the key that new events are signed with; it is empty when
// there is none.
func (r *Registry) SigningKeyID() string {
	entry, _ := r.signingKeys.Get(activeKey)
	return entry.Value.KeyID
}

// KeySet returns every key that a signature of ours may have been made with.
func (r *Registry) KeySet() (*audit.KeySet, error) {
	return audit.NewKeySet(publicKeys(r.SigningKeys())...)
}

func signingContext(keyID string) string { return "signing-key/" + keyID + "/seed" }
