package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// nameClaim makes a name belong to one object: it is written before the object
// is, and only once.
type nameClaim struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// claimLease is how long a claim stands without its object. One that is older
// was left by a crash and is taken over.
const claimLease = time.Minute

// claimName takes the name that stands at a key for the object with the id, or
// gives [ErrNameTaken]. has says of another claimant's id whether its object
// exists and has the name.
func (r *Registry) claimName(ctx context.Context, at, id string, has func(id string) bool) (release func(), err error) {
	return r.claim(ctx, at, id, claimLease, has)
}

// claim is claimName with another lease.
func (r *Registry) claim(ctx context.Context, at, id string, lease time.Duration, has func(id string) bool) (release func(), err error) {
	mine := nameClaim{ID: id, At: r.instant()}
	claim, err := r.names.Get(at)
	switch {
	case errors.Is(err, broker.ErrNotFound):
		err = r.names.Create(ctx, at, mine)
	case r.now().Sub(claim.Value.At) < lease || has(claim.Value.ID):
		return nil, ErrNameTaken
	default:
		err = r.names.Update(ctx, at, mine, claim.Revision)
	}
	if errors.Is(err, broker.ErrConflict) { // somebody claimed it in the same moment
		return nil, ErrNameTaken
	}
	if err != nil {
		return nil, err
	}
	return func() {
		if claim, err := r.names.Get(at); err == nil && claim.Value.ID == id {
			_ = r.names.Delete(context.WithoutCancel(ctx), at, claim.Revision) // else its lease ends it
		}
	}, nil
}

// releaseName gives the name that stands at a key up, for an object that has it no
// longer. If this fails the claim stays, without its object: the next who wants
// the name takes it over.
func (r *Registry) releaseName(ctx context.Context, at, id string) {
	if claim, err := r.names.Get(at); err == nil && claim.Value.ID == id {
		_ = r.names.Delete(ctx, at, claim.Revision)
	}
}

// nameKeyOf is where the name of a kind of object stands.
func nameKeyOf(organization, kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return organization + "." + kind + "." + hex.EncodeToString(sum[:])
}
