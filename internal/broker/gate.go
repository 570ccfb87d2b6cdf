package broker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gate is open, or shut for a reason. What passes while it is open is told when
// it shuts, so that nobody waits for an answer that cannot come any more.
type gate struct {
	mu     sync.Mutex
	alive  context.Context // ends when the gate shuts; its cause is the reason
	end    context.CancelCauseFunc
	opened chan struct{} // closed while the gate is open
}

// newGate makes a gate that is shut.
func newGate(reason error) *gate {
	g := &gate{opened: make(chan struct{})}
	g.alive, g.end = context.WithCancelCause(context.Background())
	g.end(reason)
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alive.Err() != nil {
		g.alive, g.end = context.WithCancelCause(context.Background())
		close(g.opened)
	}
}

// shut gives the gate a new reason if it is shut already.
func (g *gate) shut(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alive.Err() == nil {
		g.end(reason)
		g.opened = make(chan struct{})
		return
	}
	g.alive, g.end = context.WithCancelCause(context.Background())
	g.end(reason)
}

// renew leaves the gate open for what is to come, and returns what ends all that
// has passed it so far.
func (g *gate) renew() (end context.CancelCauseFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	end = g.end
	g.alive, g.end = context.WithCancelCause(context.Background())
	return end
}

// reason tells why the gate is shut; nil when it is open.
func (g *gate) reason() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return context.Cause(g.alive)
}

// wait returns when the gate is open, with what ends when it shuts again.
func (g *gate) wait(ctx context.Context) (alive context.Context, err error) {
	for {
		g.mu.Lock()
		alive, opened := g.alive, g.opened
		g.mu.Unlock()
		if alive.Err() == nil {
			return alive, nil
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// pass returns a context for one call: it ends with ctx, after the time-out, or
// when one of the gates shuts; nil is no gate. The error is the reason of one
// that is shut.
func pass(ctx context.Context, timeout time.Duration, gates ...*gate) (context.Context, context.CancelFunc, error) {
	gates = slices.DeleteFunc(gates, func(g *gate) bool { return g == nil })
	for _, g := range gates {
		if err := g.reason(); err != nil {
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, expire := context.WithTimeout(ctx, timeout)
	stops := make([]func() bool, len(gates))
	for i, g := range gates {
		g.mu.Lock()
		alive := g.alive
		g.mu.Unlock()
		stops[i] = context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		expire()
		cancel(nil)
	}, nil
}

// because returns the reason for which ctx ended, if that is why a call failed,
// or the call's own error.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
