package collector

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/tracing"
)

const (
	// The pause after an error doubles from the first to the last.
	firstPause = 250 * time.Millisecond
	lastPause  = 15 * time.Second

	purgeTimeout = 10 * time.Second

	// idleTime is after how long the intake is looked at although nobody said
	// that something came: after a publish that timed out, lines may yet appear.
	idleTime = 10 * time.Second
)

// Indexer moves lines from the intake into the search store: it verifies and
// parses them, inserts them together with the position they reach up to, and
// takes them out of the intake. There must be one per intake.
type Indexer struct {
	intake  *Intake
	store   search.Store
	keys    *Keys
	metrics *Metrics
	logger  *slog.Logger
	purge   func(ctx context.Context, last uint64) error
	idle    time.Duration
	feed    *Feed
	purging sync.RWMutex // held for writing while nothing may be taken out of the intake

	mu       sync.Mutex
	position uint64        // up to where the store has the intake
	moved    chan struct{} // closed and replaced when position grows
	trouble  error         // why nothing is indexed at the moment
}

// NewIndexer makes an Indexer that goes on where the store stands. It refuses
// a store and an intake that do not belong together.
func NewIndexer(ctx context.Context, intake *Intake, store search.Store, keys *Keys, metrics *Metrics, logger *slog.Logger) (*Indexer, error) {
	position, err := store.Position(ctx)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	if err := intake.align(ctx, position); err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	x := &Indexer{
		intake: intake, store: store, keys: keys, metrics: metrics, logger: logger, purge: intake.purge, idle: idleTime,
		feed: newFeed(), position: position, moved: make(chan struct{}),
	}
	metrics.watch(x)
	return x, nil
}

// Feed returns where those hear of records who want them as they are stored.
func (x *Indexer) Feed() *Feed { return x.feed }

// Run indexes until ctx ends, and returns nil then: what is not inserted stays
// in the intake. An error of the store or of the intake is logged once, and
// tried again, with pauses of up to 15 s, until it is gone; no line is passed
// over.
//
// While a batch is inserted, which is the store's work, the next one is made
// ready, which is ours.
func (x *Indexer) Run(ctx context.Context) error {
	x.purgeIndexed(ctx) // what a crash left between insert and purge
	ready := make(chan batch)
	var preparing sync.WaitGroup
	preparing.Go(func() { x.prepareAll(ctx, ready) })
	defer preparing.Wait()
	for {
		select {
		case b := <-ready:
			x.insist(ctx, func() error { return x.insert(ctx, b) })
		case <-ctx.Done():
			return nil
		}
	}
}

// prepareAll hands batches over, in order, until ctx ends.
func (x *Indexer) prepareAll(ctx context.Context, ready chan<- batch) {
	for next := x.position + 1; ctx.Err() == nil; {
		_, appended := x.intake.newest()
		var b batch
		x.insist(ctx, func() (err error) {
			b, err = x.prepare(ctx, next)
			return err
		})
		switch {
		case ctx.Err() != nil:
		case b.last == 0:
			x.waitFor(ctx, appended)
		default:
			select {
			case ready <- b:
				next = b.last + 1
			case <-ctx.Done():
			}
		}
	}
}

// insist does what may fail until it does not, or ctx ends.
func (x *Indexer) insist(ctx context.Context, do func() error) {
	var pause time.Duration
	for ctx.Err() == nil {
		err := do()
		if err == nil && pause > 0 {
			x.logger.Info("lines are indexed again")
			x.note(nil)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if pause == 0 {
			x.logger.Error("lines cannot be indexed; they are kept in the intake and tried again", "error", err)
		}
		x.note(err)
		pause = min(max(2*pause, firstPause), lastPause)
		wait(ctx, time.After(pause))
	}
}

func (x *Indexer) waitFor(ctx context.Context, appended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, x.idle)
	defer cancel()
	wait(ctx, appended)
}

func wait[T any](ctx context.Context, event <-chan T) {
	select {
	case <-event:
	case <-ctx.Done():
	}
}

// Flush returns when everything that was received before the call is
// searchable, or with ctx's error. Run must be running.
func (x *Indexer) Flush(ctx context.Context) error {
	target, _ := x.intake.newest()
	for {
		x.mu.Lock()
		position, moved := x.position, x.moved
		x.mu.Unlock()
		if position >= target {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("indexer: at %d of %d: %w", position, target, ctx.Err())
		}
	}
}

// insert stores a batch. One that has begun is finished, so that a shutdown does
// not cost the work.
func (x *Indexer) insert(ctx context.Context, b batch) (err error) {
	ctx, span := tracing.Begin(ctx, "index")
	defer func() { span.End(err) }()
	span.Count("trailhook.lines", len(b.records))
	before, err := x.store.Last(ctx)
	if err != nil {
		return err
	}
	stored, err := x.store.Insert(context.WithoutCancel(ctx), b.records, b.last)
	if err != nil {
		return err
	}
	tallies := tallyOf(b.records)
	attribute(ctx, x.store, tallies, before, stored)
	x.metrics.indexed(tallies)
	if stored > 0 {
		x.feed.publish(b.records)
	}
	x.advance(b.last)
	x.purgeIndexed(ctx)
	return nil
}

func (x *Indexer) advance(position uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.position = position
	close(x.moved)
	x.moved = make(chan struct{})
}

// purgeIndexed removes from the intake what the store has. When it fails,
// disk space is lost until the next time, nothing else.
func (x *Indexer) purgeIndexed(ctx context.Context) {
	if x.position == 0 || !x.purging.TryRLock() {
		return
	}
	defer x.purging.RUnlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	if err := x.purge(ctx, x.position); err != nil {
		x.logger.Warn("indexed lines stay in the intake for now", "error", err)
	}
}
