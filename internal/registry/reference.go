package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// referenceLease is for how long a process may hold an organization's references.
// One that died with them keeps the others waiting no longer.
const referenceLease = 10 * time.Second

// lockReferences orders what makes an organization's objects refer to each other
// against what removes them, among all processes on the registry: whoever has the
// lock sees all that the one before wrote. The context that it returns ends
// before the lock does.
func (r *Registry) lockReferences(ctx context.Context, organization string) (locked context.Context, unlock func(), err error) {
	r.references.Lock()
	if !r.shared {
		return ctx, r.references.Unlock, nil
	}
	release, err := r.claimReferences(ctx, organization)
	if err != nil {
		r.references.Unlock()
		return nil, nil, fmt.Errorf("wait for another change of organization %s: %w", organization, err)
	}
	locked, cancel := context.WithTimeout(ctx, referenceLease/2)
	return locked, func() {
		cancel()
		release()
		r.references.Unlock()
	}, nil
}

func (r *Registry) claimReferences(ctx context.Context, organization string) (release func(), err error) {
	me := newID()
	for {
		changed := r.names.Changed()
		release, err := r.claim(ctx, organization+".references", me, referenceLease, func(string) bool { return false })
		if err == nil {
			if err = r.CatchUp(ctx); err != nil {
				release()
			}
			return release, err
		}
		if !errors.Is(err, ErrNameTaken) {
			return nil, err
		}
		retry := time.NewTimer(referenceLease / 10)
		select {
		case <-changed:
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}
