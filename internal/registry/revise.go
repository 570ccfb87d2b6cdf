package registry

import (
	"context"
	"errors"

	"github.com/trailhook/trailhook/internal/broker"
)

// retry tries to read and write a bucket, and again when another has written in
// between: so no writer's change is lost, and what two writers of the same
// moment change of different values is both there. It gives up with ctx.
func retry[T any](ctx context.Context, bucket *broker.Bucket[T], try func() error) error {
	for {
		seen := bucket.Changed() // before the read, so that the other's write cannot be missed
		err := try()
		if !errors.Is(err, ErrConflict) {
			return err
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return err
		}
	}
}

// revise changes the object at a key. change is given the object as it is, and
// may be called more than once; its error ends the attempt.
func revise[T any](ctx context.Context, bucket *broker.Bucket[T], at string, change func(T) (T, error)) (revised T, err error) {
	err = retry(ctx, bucket, func() error {
		entry, err := bucket.Get(at)
		if err != nil {
			return err
		}
		if revised, err = change(entry.Value); err != nil {
			return err
		}
		return bucket.Update(ctx, at, revised, entry.Revision)
	})
	return revised, err
}

// remove deletes the object at a key as it is by then, and returns it.
func remove[T any](ctx context.Context, bucket *broker.Bucket[T], at string) (removed T, err error) {
	err = retry(ctx, bucket, func() error {
		entry, err := bucket.Get(at)
		if err != nil {
			return err
		}
		removed = entry.Value
		return bucket.Delete(ctx, at, entry.Revision)
	})
	return removed, err
}
