package delivery

import (
	"context"
	"log/slog"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// worker delivers one webhook's events.
type worker struct {
	*Manager
	hook   registry.Webhook // as it was when the worker began: its id, organization and region do not change
	state  state
	events *journal.Follower
	logger *slog.Logger
}

// work delivers the webhook's events until there are no more, or it is
// disabled or deleted, or ctx is done.
func (m *Manager) work(ctx context.Context, hook registry.Webhook) {
	w := &worker{
		Manager: m,
		hook:    hook,
		state:   m.stateOf(hook),
		logger:  m.Logger.With("organization", hook.OrgID, "region", hook.Region),
	}
	events, err := m.Journal.Follow(hook.Region, hook.OrgID, w.state.Cursor)
	if err != nil {
		w.logger.Error("cannot follow the journal; the webhook is not served", "error", err)
		return
	}
	w.events = events
	for ctx.Err() == nil && w.enabled() {
		batch, err := w.gather(ctx)
		switch {
		case err != nil:
			w.logger.Error("cannot read the journal; trying again", "error", err)
			w.pause(ctx, time.Second, w.setting())
		case len(batch) == 0:
			w.passOver(ctx)
			return
		case !w.deliver(ctx, batch):
			return
		}
	}
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
}

func (w *worker) setting() setting {
	// What is missing stays zero: request says what is wrong.
	webhook, _ := w.Registry.Webhook(w.hook.OrgID, w.hook.Region)
	destination, _ := w.Registry.Destination(webhook.OrgID, webhook.DestinationID)
	return setting{webhook, destination.UpdatedAt}
}

// enabled reports whether the worker's webhook still wants events: one that
// was set up anew is another webhook, with a worker of its own.
func (s setting) enabled(id string) bool { return s.webhook.ID == id && s.webhook.Enabled }

func (w *worker) enabled() bool { return w.setting().enabled(w.hook.ID) }

// deliver sends the batch until it is taken. It returns false when the worker
// is to end: the batch was not taken, and its events will be read again.
func (w *worker) deliver(ctx context.Context, batch []journal.Entry) bool {
	pause := w.MinPause
	for len(batch) > 0 {
		if batch = w.unexpired(ctx, batch); len(batch) == 0 {
			break
		}
		before := w.setting()
		if ctx.Err() != nil || !before.enabled(w.hook.ID) {
			return false
		}
		rest, taken := w.send(ctx, before, batch)
		switch {
		case taken: // all of it or a part
			batch, pause = rest, w.MinPause
		case w.pause(ctx, pause, before):
			pause = min(2*pause, w.MaxPause)
		default:
			pause = w.MinPause
		}
	}
	return true
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
