package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/seal"
)

// Reseal seals every secret of the registry anew with seal, unless sealed,
// which may have fewer keys, opens it as it is. It returns how many it sealed.
// What it has done when it fails or is cut short is done: the registry's own
// sealer must open both the old and the new.
func (r *Registry) Reseal(ctx context.Context, with, sealed *seal.Sealer) (n int, err error) {
	done, err := resealAll(ctx, r.destinations, func(_ string, d Destination) (Destination, bool, error) {
		changed, err := r.resealValue(&d.Authorization, sealContext(d), with, sealed)
		return d, changed, err
	})
	n += done
	if err != nil {
		return n, fmt.Errorf("seal the destinations' authorizations anew: %w", err)
	}
	done, err = resealAll(ctx, r.signingKeys, func(_ string, k SigningKey) (SigningKey, bool, error) {
		if len(k.Seed) == 0 {
			return k, false, nil
		}
		changed, err := r.resealValue(&k.Seed, signingContext(k.KeyID), with, sealed)
		return k, changed, err
	})
	n += done
	if err != nil {
		return n, fmt.Errorf("seal the signing keys anew: %w", err)
	}
	done, err = resealAll(ctx, r.coreEntities, func(at string, e CoreEntity) (CoreEntity, bool, error) {
		changed, err := r.resealValue(&e.Sealed, coreContext(at), with, sealed)
		return e, changed, err
	})
	n += done
	if err != nil {
		return n, fmt.Errorf("seal the core entities anew: %w", err)
	}
	return n, nil
}

func (r *Registry) resealValue(value *[]byte, where string, with, sealed *seal.Sealer) (changed bool, err error) {
	if _, err := sealed.Open(*value, where); err == nil {
		return false, nil
	}
	plain, err := r.sealer.Open(*value, where)
	if err != nil {
		return false, err
	}
	// Not in place: values of a bucket are shared.
	*value, err = with.Seal(plain, where)
	return err == nil, err
}

// resealAll goes over a bucket. What others write meanwhile is looked at again.
func resealAll[T any](ctx context.Context, bucket *broker.Bucket[T], reseal func(key string, value T) (T, bool, error)) (n int, err error) {
	for _, entry := range bucket.List("") {
		for {
			seen := bucket.Changed()
			entry, err := bucket.Get(entry.Key)
			if errors.Is(err, ErrNotFound) {
				break // deleted meanwhile
			}
			value, changed, err := reseal(entry.Key, entry.Value)
			if err != nil {
				return n, err
			}
			if !changed {
				break
			}
			err = bucket.Update(ctx, entry.Key, value, entry.Revision)
			if err == nil {
				n++
				break
			}
			if !errors.Is(err, ErrConflict) {
				return n, err
			}
			select {
			case <-seen:
			case <-ctx.Done():
				return n, ctx.Err()
			}
		}
	}
	return n, nil
}
