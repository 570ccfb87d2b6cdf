package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// SigningKey is a key that events are signed with. All organizations share it,
// as the key set that they verify with is one (Konnect's JWKS has no
// organization either).
type SigningKey struct {
	KeyID     string            `json:"key_id"`
	Public    ed25519.PublicKey `json:"public"`
	Seed      []byte            `json:"seed"` // sealed
	CreatedAt time.Time         `json:"created_at"`
}

// activeKey is where the key stands that new events are signed with.
const activeKey = "active"

// ensureSigningKey makes the first key. Of two processes that try at once, one
// wins and both use its key.
func (r *Registry) ensureSigningKey(ctx context.Context) error {
	if _, err := r.signingKeys.Get(activeKey); err == nil {
		return nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	signer := audit.NewSigner(private)
	sealed, err := r.sealer.Seal(private.Seed(), signingContext(signer.KeyID()))
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	err = r.signingKeys.Create(ctx, activeKey, SigningKey{
		KeyID: signer.KeyID(), Public: public, Seed: sealed, CreatedAt: r.instant(),
	})
	if err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("make a signing key: %w", err)
	}
	return nil
}

// Signer opens the key that new events are signed with.
func (r *Registry) Signer() (*audit.Signer, error) {
	entry, err := r.signingKeys.Get(activeKey)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	seed, err := r.sealer.Open(entry.Value.Seed, signingContext(entry.Value.KeyID))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", entry.Value.KeyID, err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("signing key %s: sealed seed has %d bytes", entry.Value.KeyID, len(seed))
	}
	return audit.NewSigner(ed25519.NewKeyFromSeed(seed)), nil
}

// KeySet returns every key that a signature of ours may have been made with.
func (r *Registry) KeySet() (*audit.KeySet, error) {
	return audit.NewKeySet(publicKeys(r.signingKeys.List(""))...)
}

func signingContext(keyID string) string { return "signing-key/" + keyID + "/seed" }
