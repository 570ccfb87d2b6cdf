package collector

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// settleTime is how long ago lines were received that are surely on their way into
// the intake, or in it: longer than a request takes from the one to the other.
const settleTime = time.Second

// arrivals are the lines that are being made durable, by when they were received.
type arrivals struct {
	mu  sync.Mutex
	at  map[uint64]time.Time
	seq uint64
}

// begin notes an arrival until it is ended.
func (a *arrivals) begin(at time.Time) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = map[uint64]time.Time{}
	}
	a.seq++
	id := a.seq
	a.at[id] = at
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.at, id)
	}
}

// over returns a time before which everything that was received is in the intake.
func (a *arrivals) over(now time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	settled := now.Add(-settleTime)
	for _, at := range a.at {
		if at.Before(settled) {
			settled = at
		}
	}
	return settled
}

// Settled returns a time before which everything that was received and
// acknowledged is searchable: about a second ago, or longer while lines take longer
// to be made durable. It waits for the store, at most until ctx ends. Run must be
// running.
func (x *Indexer) Settled(ctx context.Context) (time.Time, error) {
	settled := x.intake.arrivals.over(time.Now())
	if err := x.Flush(ctx); err != nil {
		return time.Time{}, fmt.Errorf("wait until what was received before %s is searchable: %w", settled.UTC().Format(time.RFC3339), err)
	}
	return settled, nil
}
