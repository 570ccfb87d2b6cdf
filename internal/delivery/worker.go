package delivery

import (
	"context"
	"errors"
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

// work delivers the webhook's events until it is disabled, deleted, or ctx is
// done.
func (m *Manager) work(ctx context.Context, hook registry.Webhook) {
	w := &worker{
		Manager: m,
		hook:    hook,
		state:   state{Cursor: hook.EnabledAfter},
		logger:  m.Logger.With("organization", hook.OrgID, "region", hook.Region),
	}
	if saved, err := m.states.Get(hook.ID); err == nil {
		w.state = saved.Value
	}
	w.events = m.Journal.Follow(hook.Region, hook.OrgID, w.state.Cursor)
	defer w.events.Close()
	for w.enabled() {
		batch, err := w.gather(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errChanged):
			continue
		case err != nil:
			w.logger.Error("cannot read the journal; trying again", "error", err)
			w.pause(ctx, time.Second, w.setting())
			continue
		}
		if !w.deliver(ctx, batch) {
			return
		}
	}
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
