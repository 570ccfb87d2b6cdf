package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
	"github.com/trailhook/trailhook/internal/search"
)

// The pauses before lines that were refused are sent again, where the options
// name no others.
const (
	DefaultMinForwardPause = 30 * time.Second
	DefaultMaxForwardPause = 10 * time.Minute
)

// ForwarderOptions are what a Forwarder needs.
type ForwarderOptions struct {
	Catalog   *Catalog
	Indexer   *Indexer
	Store     search.Store
	Broker    *broker.Broker
	Client    *outbound.Client
	Sealer    *seal.Sealer // of the authorizations
	AllowHTTP bool         // http endpoints may be set
	Logger    *slog.Logger
	Metrics   prometheus.Registerer

	MinPause, MaxPause time.Duration // 0: the defaults
}

// Forwarder sends the lines of the sources that forward to their endpoints: as
// they came, in the order in which they were stored, each at least once,
// beginning with what was stored after forwarding was switched on.
//
// It reads from the search store, one batch at a time for each source, so an
// endpoint that takes nothing holds up neither the intake nor the others. How
// far it has come is kept beside, for each source; what an endpoint refuses
// is tried again until it takes it. Lines in quarantine are not forwarded.
//
// There must be one for each catalog.
type Forwarder struct {
	ForwarderOptions
	states  *broker.Bucket[forwardState]
	metrics forwardMetrics

	mu      sync.Mutex
	workers map[int64]*forwardWorker // that run, by their source
}

// OpenForwarder makes a Forwarder, before anything is stored: after a restart
// of the store the ordinals of records that were deleted may come again.
func OpenForwarder(ctx context.Context, o ForwarderOptions) (*Forwarder, error) {
	o.MinPause = cmp.Or(o.MinPause, DefaultMinForwardPause)
	o.MaxPause = max(cmp.Or(o.MaxPause, DefaultMaxForwardPause), o.MinPause)
	f := &Forwarder{ForwarderOptions: o, workers: map[int64]*forwardWorker{}}
	var err error
	if f.states, err = broker.OpenBucket[forwardState](ctx, o.Broker, "siem-forwards"); err != nil {
		return nil, err
	}
	if err := f.align(ctx); err != nil {
		f.Close()
		return nil, fmt.Errorf("forwarding: %w", err)
	}
	f.metrics = newForwardMetrics(o.Metrics, f)
	return f, nil
}

// align makes sure that no cursor is beyond the last record.
func (f *Forwarder) align(ctx context.Context) error {
	last, err := f.Store.Last(ctx)
	if err != nil {
		return err
	}
	for _, source := range f.Catalog.forwarding() {
		state := f.stored(source)
		if state.Cursor <= last {
			continue
		}
		state.Cursor = last
		if err := f.states.Put(ctx, key(source.ID), state); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the watch of the cursors. Run must have returned.
func (f *Forwarder) Close() { f.states.Close() }

// Run forwards until ctx ends. What was on its way then is sent again at the next
// start.
func (f *Forwarder) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ended := make(chan int64)
	for {
		changed := f.Catalog.sources.Changed()
		for _, source := range f.Catalog.forwarding() {
			if w := f.begin(source); w != nil {
				running.Go(func() {
					w.run(ctx)
					select {
					case ended <- w.source:
					case <-ctx.Done():
					}
				})
			}
		}
		f.forget(ctx)
		select {
		case <-changed:
		case id := <-ended:
			f.end(id)
		case <-ctx.Done():
			return
		}
	}
}

// begin returns a worker for the source, unless there is one.
func (f *Forwarder) begin(source Source) *forwardWorker {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers[source.ID] != nil {
		return nil
	}
	w := &forwardWorker{
		Forwarder: f, source: source.ID, state: f.stored(source), limit: forwardLines, wait: f.MinPause, behind: true,
		logger: f.Logger.With("source", source.Name, "source_id", source.ID),
	}
	f.workers[source.ID] = w
	return w
}

func (f *Forwarder) end(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.workers, id)
}

// forget deletes the cursors of forwards that were switched off, once nobody
// works on them.
func (f *Forwarder) forget(ctx context.Context) {
	wanted := map[string]string{}
	for _, source := range f.Catalog.forwarding() {
		wanted[key(source.ID)] = source.Forwarding.ID
	}
	f.mu.Lock()
	for id, w := range f.workers {
		wanted[key(id)] = w.state.ID
	}
	f.mu.Unlock()
	for _, entry := range f.states.List("") {
		if wanted[entry.Key] == entry.Value.ID {
			continue
		}
		if err := f.states.Delete(ctx, entry.Key, entry.Revision); err != nil && ctx.Err() == nil {
			f.Logger.Warn("the cursor of a forward that was switched off stays for now", "source_id", entry.Key, "error", err)
		}
	}
}

// forwarding returns the sources that forward.
func (c *Catalog) forwarding() []Source {
	var list []Source
	for _, entry := range c.sources.List("") {
		if entry.Value.Forwarding != nil {
			list = append(list, withSourceRevision(entry))
		}
	}
	return list
}

// progress returns a channel that is closed when there are new records.
func (x *Indexer) progress() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.moved
}
