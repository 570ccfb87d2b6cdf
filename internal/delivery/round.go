package delivery

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// Run delivers until ctx is done, and returns when every worker has ended. A
// webhook has a worker while there is something to send, and costs nothing
// else.
func (m *Manager) Run(ctx context.Context) {
	appended := m.Journal.Watch()
	defer appended.Close()
	defer m.startReplays(ctx)()
	defer m.startSampling(ctx)()
	sharing := make(chan struct{})
	go func() {
		defer close(sharing)
		m.shards.run(ctx)
	}()
	r := &round{Manager: m, ended: make(chan *worker), due: make(chan due)}
	webhooks, shards := r.load(ctx)
	destinations := r.recheck()
	for {
		r.begin(ctx)
		select {
		case <-webhooks:
			webhooks, shards = r.load(ctx)
		case <-destinations:
			destinations = r.recheck()
		case <-shards:
			webhooks, shards = r.load(ctx)
		case <-appended.C():
			for _, stream := range appended.Take() {
				r.wake(stream)
			}
		case w := <-r.ended:
			r.settle(ctx, w)
		case d := <-r.due:
			if d.worker.pausing && d.worker.pauses == d.pause {
				d.worker.hurried = false
				r.resume(d.worker)
			}
		case <-ctx.Done():
			for range r.running {
				<-r.ended
			}
			<-sharing
			return
		}
	}
}

// round is the state of a Run. A worker of it is one of four things: running,
// waiting for a place to run in, pausing, or gone.
type round struct {
	*Manager
	enabled map[journal.Stream]registry.Webhook
	running int
	ended   chan *worker // those that have stopped running
	due     chan due
}

// due tells that a worker's pause is over: which one, since it may have been cut
// short.
type due struct {
	worker *worker
	pause  int
}

// streamOf is the stream whose events the webhook sends.
func streamOf(hook registry.Webhook) journal.Stream { return journal.Stream(hook.Scope()) }

// load looks at all webhooks anew, and returns what tells that it has to again.
func (r *round) load(ctx context.Context) (webhooks, shards <-chan struct{}) {
	// Taken before the look, so that no change falls between.
	webhooks, shards = r.Registry.WebhooksChanged(), r.shards.changed()
	all := r.Registry.Webhooks()
	r.enabled = make(map[journal.Stream]registry.Webhook, len(all))
	for _, hook := range all {
		if hook.Enabled {
			r.enabled[streamOf(hook)] = hook
			r.wake(streamOf(hook))
		}
	}
	r.recheck()
	r.forget(ctx, all)
	return webhooks, shards
}

// recheck cuts the pauses of those short that were set up otherwise since, and
// returns what tells that it has to again.
func (r *round) recheck() (destinations <-chan struct{}) {
	destinations = r.Registry.DestinationsChanged()
	for _, w := range r.busy.all() {
		if w.pausing && w.setting() != w.refusedAs {
			w.patience()
			r.resume(w)
		}
	}
	return destinations
}

// wake has a worker for the stream's webhook if there is something to send.
func (r *round) wake(stream journal.Stream) {
	hook, ok := r.enabled[stream]
	if !ok {
		return
	}
	if w := r.busy.get(hook.ID); w != nil {
		if w.pausing && r.hurry(w) {
			r.resume(w)
		}
		return
	}
	state := r.stateOf(hook)
	if !r.Journal.Behind(stream, state.Cursor) {
		return
	}
	w := r.newWorker(hook, state)
	r.busy.add(w)
	r.lanes.queue(w)
}

// hurry reports whether the pause is to be cut short, since something came after
// the few lines that were refused: it may settle whether it was the lines or the
// endpoint. If it does not, the next pause is taken in full.
func (r *round) hurry(w *worker) bool {
	if !w.unsettled || w.hurried || !r.Journal.Behind(streamOf(w.hook), w.refusedTo) {
		return false
	}
	w.hurried = true
	return true
}

func (r *round) resume(w *worker) {
	w.pausing = false
	if w.timer != nil {
		w.timer.Stop()
	}
	r.lanes.queue(w)
}

// begin runs the workers for which there is a place, if it falls to this process
// to serve their webhooks.
func (r *round) begin(ctx context.Context) {
	for w := r.lanes.next(); w != nil && ctx.Err() == nil; w = r.lanes.next() {
		lease, done, ok := r.shards.lease(w.hook.ID)
		if !ok {
			r.lanes.leave(w)
			r.busy.drop(w)
			continue
		}
		r.running++
		go func() {
			working, stop := context.WithCancel(ctx)
			unleased := context.AfterFunc(lease, stop)
			w.ended = w.run(working)
			unleased()
			stop()
			done()
			r.ended <- w
		}()
	}
}

// busy are the webhooks with something to send, by their ids. The round alone
// changes it.
type busy struct {
	mu      sync.Mutex
	workers map[string]*worker
}

func (b *busy) get(webhook string) *worker {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.workers[webhook]
}

func (b *busy) add(w *worker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.workers[w.hook.ID] = w
}

func (b *busy) drop(w *worker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.workers, w.hook.ID)
}

func (b *busy) all() []*worker {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.workers))
}

// settle decides what becomes of a worker that has stopped running.
func (r *round) settle(ctx context.Context, w *worker) {
	r.running--
	r.lanes.leave(w)
	switch w.ended {
	case caughtUp:
		r.busy.drop(w)
		r.wake(streamOf(w.hook)) // there may be more by now
	case yielded:
		r.lanes.queue(w)
	case holding:
		w.pausing = true
		w.pauses++
		changed := w.setting() != w.refusedAs
		if changed {
			w.patience()
		}
		if changed || r.hurry(w) {
			r.resume(w)
			return
		}
		over := due{w, w.pauses}
		w.timer = time.AfterFunc(w.pause, func() {
			select {
			case r.due <- over:
			case <-ctx.Done():
			}
		})
	}
}
