package gateway

import (
	"context"
	"time"
)

// Local is a source in the same process.
type Local struct {
	// Now returns the configuration, and channels of which one is closed when it
	// may have changed; ok tells whether the control plane is there. An error
	// leaves the data plane as it is.
	Now func() (c Configuration, changed [2]<-chan struct{}, ok bool, err error)
	// Failed is told of errors.
	Failed func(error)
}

// settle is for how long a source waits for more changes after one: those of a
// synchronization come one after the other, and each table is made anew.
const settle = 50 * time.Millisecond

// retryLocal is how long after an error the source is asked again.
const retryLocal = time.Second

// Follow implements [Source].
func (l Local) Follow(ctx context.Context, apply func(Configuration)) {
	var last Configuration
	had := false
	for ctx.Err() == nil {
		c, changed, ok, err := l.Now()
		switch {
		case err != nil:
			l.Failed(err)
			pause(ctx, retryLocal)
			continue
		case !ok && had:
			// It was deleted with all its entities: nothing is served any more.
			had, last = false, Configuration{}
			apply(Configuration{Entities: empty()})
		case ok && (!had || c != last):
			had, last = true, c
			apply(c)
		}
		select {
		case <-changed[0]:
			pause(ctx, settle)
		case <-changed[1]:
			pause(ctx, settle)
		case <-ctx.Done():
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
