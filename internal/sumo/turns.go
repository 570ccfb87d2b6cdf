package sumo

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxSearches is how many searches whose callers wait run at a time, exports
	// among them: more would share the engine's threads and memory, and all take
	// longer.
	maxSearches = 8
	// maxExports is how many exports run at a time: each has an engine and a file
	// of its own.
	maxExports = 2

	// turnPatience is how long a call waits for its turn. Most searches are over
	// sooner, so that a burst of them is answered rather than refused.
	turnPatience = 5 * time.Second
)

// turns lets so many calls run at once. Others wait a while.
type turns struct {
	taken    chan struct{} // has an element for each that runs
	patience time.Duration
	refusal  *problem
}

func newTurns(most int, patience time.Duration, code, message string) *turns {
	return &turns{
		taken: make(chan struct{}, most), patience: patience,
		refusal: &problem{http.StatusTooManyRequests, code, fmt.Sprintf(message, most)},
	}
}

// take returns when it is the caller's turn, which release ends. Errors: the
// refusal when that takes too long, errGone when ctx ends before.
func (t *turns) take(ctx context.Context) (release func(), err error) {
	release = func() { <-t.taken }
	select {
	case t.taken <- struct{}{}:
		return release, nil
	default:
	}
	waited := time.NewTimer(t.patience)
	defer waited.Stop()
	select {
	case t.taken <- struct{}{}:
		return release, nil
	case <-waited.C:
		return nil, t.refusal
	case <-ctx.Done():
		return nil, errGone
	}
}

// running returns how many have a turn now.
func (t *turns) running() int { return len(t.taken) }
