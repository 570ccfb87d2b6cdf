package delivery

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// worker delivers one webhook's events.
type worker struct {
	*Manager
	hook   registry.Webhook // as it was when the worker began: its id, organization and region do not change
	state  state
	logger *slog.Logger

	// Of whoever prepares.
	events  *journal.Follower
	waiting []journal.Entry // read, and not yet in a parcel

	limit   atomic.Int64  // bytes of a request: less than MaxBytes after a 413
	eased   int           // requests taken since the limit changed
	wait    time.Duration // the next pause
	suspect int           // how many lines in a row may be refused alone before it is held against the endpoint
}

// work delivers the webhook's events until there are no more, or it is
// disabled or deleted, or ctx is done.
//
// While a batch is on its way the next one is made ready, and no more than that.
func (m *Manager) work(ctx context.Context, hook registry.Webhook) {
	w := &worker{
		Manager: m,
		hook:    hook,
		state:   m.stateOf(hook),
		logger:  m.Logger.With("organization", hook.OrgID, "region", hook.Region),
	}
	w.limit.Store(int64(m.MaxBytes))
	w.patience()
	events, err := m.Journal.Follow(hook.Region, hook.OrgID, w.state.Cursor)
	if err != nil {
		w.logger.Error("cannot follow the journal; the webhook is not served", "error", err)
		return
	}
	w.events = events
	idle := make(chan struct{})
	close(idle)
	next, err := w.prepare(ctx, idle)
	for ctx.Err() == nil && w.enabled() {
		switch {
		case err != nil:
			w.logger.Error("cannot read the journal; trying again", "error", err)
			w.pause(ctx, time.Second, w.setting())
		case len(next.entries) == 0:
			w.passOver(ctx)
			return
		default:
			var goOn bool
			if next, err, goOn = w.turn(ctx, next); !goOn {
				return
			}
		}
		if err != nil || len(next.entries) == 0 {
			next, err = w.prepare(ctx, idle) // there may be more by now
		}
	}
}

// turn delivers a batch while the next one is made ready, and returns that.
func (w *worker) turn(ctx context.Context, p parcel) (next parcel, err error, goOn bool) {
	type preparation struct {
		parcel
		err error
	}
	preparing, stop := context.WithCancel(ctx)
	defer stop()
	idle, ready := make(chan struct{}), make(chan preparation, 1)
	go func() {
		next, err := w.prepare(preparing, idle)
		ready <- preparation{next, err}
	}()
	left, company, goOn := w.deliver(ctx, p)
	close(idle)
	if !goOn {
		stop()
	}
	after := <-ready
	if !goOn || len(left) == 0 {
		return after.parcel, after.err, goOn
	}
	w.waiting = slices.Concat(left, after.entries, w.waiting)
	if !company {
		return parcel{}, after.err, true // it is prepared from what waits
	}
	n := min(len(w.waiting), w.MaxEvents)
	next = parcel{entries: w.waiting[:n:n]}
	w.waiting = slices.Clone(w.waiting[n:])
	return next, nil, true // an error of the engine meets the next preparation too
}

// passOver moves the cursor beyond events that the journal had and dropped
// before anybody could count them, so that they are not looked for again.
func (w *worker) passOver(ctx context.Context) {
	after := w.events.Position()
	if after <= w.state.Cursor || !w.Journal.Behind(streamOf(w.hook), w.state.Cursor) {
		return
	}
	w.logger.Error("the journal dropped events before the endpoint took them: how many is not known")
	w.state.Cursor = after
	w.save(ctx)
}

// setting is how the webhook and its destination are set up at one moment.
// Settings of two moments are equal when nobody changed either in between.
type setting struct {
	webhook            registry.Webhook // zero when it was deleted
	destinationUpdated time.Time
	key                string // that signs
}

func (w *worker) setting() setting {
	// What is missing stays zero: request says what is wrong.
	webhook, _ := w.Registry.Webhook(w.hook.OrgID, w.hook.Region)
	destination, _ := w.Registry.Destination(webhook.OrgID, webhook.DestinationID)
	return setting{webhook, destination.UpdatedAt, w.Registry.SigningKeyID()}
}

// enabled reports whether the worker's webhook still wants events: one that
// was set up anew is another webhook, with a worker of its own.
func (s setting) enabled(id string) bool { return s.webhook.ID == id && s.webhook.Enabled }

func (w *worker) enabled() bool { return w.setting().enabled(w.hook.ID) }

// deliver sends the batch until it, or a part of it, is taken or set aside, and
// returns the rest. With company it has refused all of the rest for what it
// holds, and is to be tried together with what follows. goOn is false when the
// worker is to end: the events will be read again.
func (w *worker) deliver(ctx context.Context, p parcel) (left []journal.Entry, company, goOn bool) {
	batch := p.entries
	for {
		if batch = w.unexpired(ctx, batch); len(batch) == 0 {
			return nil, false, true
		}
		before := w.setting()
		if ctx.Err() != nil || !before.enabled(w.hook.ID) {
			return nil, false, false
		}
		cursor := w.state.Cursor
		rest, refusal := w.send(ctx, before, p, batch)
		if w.state.Cursor != cursor || len(rest) == 0 {
			return rest, false, true
		}
		if !w.pause(ctx, w.wait, before) {
			w.patience()
			continue
		}
		w.wait = min(2*w.wait, w.MaxPause)
		if refusal.content() {
			return batch, true, true
		}
	}
}

// patience begins anew with the pauses and the suspicions.
func (w *worker) patience() { w.wait, w.suspect = w.MinPause, leastSuspects }

// send posts as much of the batch as fits one request, and smaller pieces of it
// when the endpoint refuses what it holds. It returns what was neither taken nor
// set aside, and the last word of the endpoint.
func (w *worker) send(ctx context.Context, before setting, p parcel, batch []journal.Entry) (rest []journal.Entry, v verdict) {
	made, err := w.packedNow(before, p, batch)
	if err != nil {
		w.note(ctx, 0, err.Error(), true)
		return batch, verdict{}
	}
	v = w.post(ctx, before, made.request)
	switch {
	case v.interrupted:
		return batch, v
	case v.taken():
		w.taken(ctx, batch[:made.sent], v)
		w.ease()
		return batch[made.sent:], v
	case v.content():
		return w.narrow(ctx, before, batch, made, v)
	}
	w.note(ctx, v.code, v.message, true)
	return batch, v
}

// packedNow is what was made ahead, or made anew if it does not hold any more:
// another destination, format, authorization or key, or events that expired.
func (w *worker) packedNow(before setting, p parcel, batch []journal.Entry) (packed, error) {
	if p.packed != nil && p.setting == before && len(batch) == p.packed.sent && p.packed.bytes <= int(w.limit.Load()) {
		return *p.packed, nil
	}
	return w.pack(before.webhook, batch, int(w.limit.Load()))
}

// unexpired leaves out the events whose retention is over, counts them and moves
// the cursor beyond them: they are in the journal for a while yet, but nobody is
// owed them any more.
func (w *worker) unexpired(ctx context.Context, batch []journal.Entry) []journal.Entry {
	n := 0
	for n < len(batch) && w.Journal.Expired(batch[n], w.Now()) {
		n++
	}
	if n == 0 {
		return batch
	}
	w.logger.Error("retention took events before the endpoint did", "events", n, "oldest", batch[0].Stored)
	w.state.Lost += uint64(n)
	w.state.Cursor = batch[n-1].Position
	w.metrics.lost.Add(float64(n))
	w.save(ctx)
	return batch[n:]
}

// pause waits, but not beyond a change of the setting or the end of ctx. It
// reports whether it waited to the end.
func (w *worker) pause(ctx context.Context, d time.Duration, before setting) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		// Taken before the look at the setting, so that no change falls between.
		webhooks, destinations := w.Registry.WebhooksChanged(), w.Registry.DestinationsChanged()
		if w.setting() != before {
			return false
		}
		select {
		case <-timer.C:
			return true
		case <-webhooks:
		case <-destinations:
		case <-ctx.Done():
			return false
		}
	}
}
