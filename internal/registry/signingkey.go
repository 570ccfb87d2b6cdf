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
	Seed      []byte            `json:"seed,omitempty"` // sealed; dropped some time after the key was retired
	CreatedAt time.Time         `json:"created_at"`
	SignsFrom time.Time         `json:"signs_from,omitzero"` // events that were stored then or later; zero: all
	RetiredAt time.Time         `json:"retired_at,omitzero"` // and until then; zero: it signs, or will
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
// are signed that are stored from now on, after a delay in which every process
// on the registry hears of it. The key until now stays in the key set, so that
// what it signed can be verified. Its private half stays too, sealed, until
// [Registry.DropRetiredSeeds]: what was stored before is sent again as the same
// bytes. [ErrConflict] says that another rotated at the same moment.
func (r *Registry) RotateSigningKey(ctx context.Context, delay time.Duration) (SigningKey, error) {
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
	retired.RetiredAt = r.now().UTC().Add(delay) // to the nanosecond, as the times of events are
	made.SignsFrom = retired.RetiredAt
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

// DropRetiredSeeds deletes the private halves of the keys that were retired
// before the time. Should an event that such a key has signed be sent again
// after all, the active key signs it.
func (r *Registry) DropRetiredSeeds(ctx context.Context, before time.Time) (dropped int, err error) {
	active := r.SigningKeyID()
	for _, entry := range r.signingKeys.List("") {
		key := entry.Value
		// A copy of the active key is what a rotation left that did not come further.
		if entry.Key == activeKey || entry.Key == nextKey || key.KeyID == active || len(key.Seed) == 0 || !key.RetiredAt.Before(before) {
			continue
		}
		key.Seed = nil
		if err := r.signingKeys.Update(ctx, entry.Key, key, entry.Revision); err != nil && !errors.Is(err, ErrConflict) {
			return dropped, fmt.Errorf("drop the private half of the signing key %s: %w", key.KeyID, err)
		}
		dropped++
	}
	return dropped, nil
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

// Signers are the keys that events are signed with, by the time at which they
// were stored. It belongs to one goroutine, for a short while: rotations since
// are unknown to it.
type Signers struct {
	registry *Registry
	active   SigningKey
	opened   *audit.Signer // what signs in the time of key
	key      SigningKey
}

// Signers returns the keys as they are now.
func (r *Registry) Signers() *Signers {
	entry, _ := r.signingKeys.Get(activeKey)
	return &Signers{registry: r, active: entry.Value}
}

// At returns what signs events that were stored at the time: the same for ever,
// or until the private half of an old key is dropped. Then the active key signs.
func (s *Signers) At(stored time.Time) (*audit.Signer, error) {
	if s.opened != nil && s.key.signs(stored) {
		return s.opened, nil
	}
	signs, opens := s.active, s.active
	if !signs.signs(stored) {
		for _, old := range s.registry.SigningKeys() {
			if old.Announced || !old.signs(stored) {
				continue
			}
			signs = old
			if len(old.Seed) > 0 {
				opens = old
			}
		}
	}
	signer, err := s.registry.open(opens)
	if err == nil {
		s.opened, s.key = signer, signs
	}
	return signer, err
}

// signs reports whether events are signed with the key that were stored at the time.
func (k SigningKey) signs(stored time.Time) bool {
	return !stored.Before(k.SignsFrom) && (k.RetiredAt.IsZero() || stored.Before(k.RetiredAt))
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
