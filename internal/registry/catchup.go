package registry

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// catching has callers who come while the buckets are being caught up with wait
// for the next round together: one that has begun may be too early for them.
type catching struct {
	mu            sync.Mutex
	running, next *round
}

// round is one catching up, for all who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// CatchUp returns when this process has seen every write to the registry that had
// returned, on any process, before the call: what is read after it is not older
// than what anybody was told. It costs nothing where no other process writes,
// and otherwise a request to the broker for each kind of object, which callers
// share however many they are. Errors wrap [broker.ErrUnavailable], or are ctx's.
func (r *Registry) CatchUp(ctx context.Context) error {
	if !r.shared {
		return nil
	}
	mine := r.catching.join(&r.ended, r.catchUpAll)
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns a round that has not begun yet.
func (c *catching) join(ended *sync.WaitGroup, catchUp func() error) *round {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &round{done: make(chan struct{})}
		if c.running == nil {
			c.begin(ended, catchUp)
			return c.running
		}
	}
	return c.next
}

// begin runs the next round, and after it the one that was asked for meanwhile.
// The caller holds the lock.
func (c *catching) begin(ended *sync.WaitGroup, catchUp func() error) {
	now := c.next
	c.running, c.next = now, nil
	ended.Go(func() {
		now.err = catchUp()
		close(now.done)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running = nil
		if c.next != nil {
			c.begin(ended, catchUp)
		}
	})
}

func (r *Registry) catchUpAll() error {
	group, ctx := errgroup.WithContext(context.Background()) // each request has the broker's time-out
	for _, b := range r.opened {
		group.Go(func() error { return b.CatchUp(ctx) })
	}
	return group.Wait()
}
