package delivery

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
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
			if !w.pause(ctx, time.Second, nil, nil) {
				return
			}
			continue
		}
		if !w.deliver(ctx, batch) {
			return
		}
	}
}

// enabled reports whether the webhook still wants events.
func (w *worker) enabled() bool {
	hook, err := w.Registry.Webhook(w.hook.OrgID, w.hook.Region)
	return err == nil && hook.ID == w.hook.ID && hook.Enabled
}

// deliver sends the batch until it is taken. It returns false when the worker
// is to end: the batch was not taken, and its events will be read again.
func (w *worker) deliver(ctx context.Context, batch []journal.Entry) bool {
	for pause := MinPause; ; pause = min(2*pause, MaxPause) {
		// Taken before the attempt: a change during it is not waited out.
		webhooks, destinations := w.Registry.WebhooksChanged(), w.Registry.DestinationsChanged()
		if !w.enabled() {
			return false
		}
		rest, taken := w.send(ctx, batch)
		if batch = rest; taken && len(batch) == 0 {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if taken { // a part of it
			pause = MinPause
			continue
		}
		if !w.pause(ctx, pause, webhooks, destinations) {
			return false
		}
	}
}

// send posts as much of the batch as fits one request, by the retry rule, and
// returns the rest. When the endpoint did not take it, the rest is all of it.
func (w *worker) send(ctx context.Context, batch []journal.Entry) (rest []journal.Entry, taken bool) {
	request, sent, err := w.request(batch)
	if err != nil {
		w.note(ctx, 0, err.Error(), true)
		return batch, false
	}
	sending, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	response, err := w.Client.PostRetrying(sending, request, func(a outbound.Attempt) { w.metrics.attempted(a) })
	if sending.Err() != nil {
		return batch, false // cut off by the end of the process: no word on the endpoint
	}
	code, message := outbound.Describe(response, err)
	if err != nil || code < 200 || code > 299 {
		w.note(ctx, code, message, true)
		return batch, false
	}
	w.state.Cursor = batch[sent-1].Sequence
	w.metrics.delivered.Add(float64(sent))
	w.note(ctx, code, message, false)
	return batch[sent:], true
}

// request encodes, signs and compresses what fits one request for the
// destination as it is configured now.
func (w *worker) request(batch []journal.Entry) (request outbound.Request, sent int, err error) {
	hook, err := w.Registry.Webhook(w.hook.OrgID, w.hook.Region)
	if err != nil {
		return outbound.Request{}, 0, err
	}
	destination, err := w.Registry.Destination(hook.OrgID, hook.DestinationID)
	if err != nil {
		return outbound.Request{}, 0, err
	}
	authorization, err := w.Registry.Authorization(destination)
	if err != nil {
		return outbound.Request{}, 0, err
	}
	signer, err := w.Registry.Signer()
	if err != nil {
		return outbound.Request{}, 0, err
	}
	body, sent, err := encode(batch, destination.LogFormat, signer)
	if err != nil {
		return outbound.Request{}, 0, err
	}
	header := http.Header{
		"Content-Type":     {"text/plain"},
		"Content-Encoding": {"gzip"},
		"User-Agent":       {w.UserAgent},
	}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	return outbound.Request{
		URL: destination.Endpoint, Header: header, Body: body,
		SkipTLSVerify: destination.SkipSSLVerification,
	}, sent, nil
}

// note remembers how the last attempt went. It is written with the cursor, in
// one write; should that fail, the batch goes out again after a restart, and
// the receiver knows the lines by their signatures.
func (w *worker) note(ctx context.Context, code int, message string, failing bool) {
	if failing != w.state.Failing {
		if failing {
			w.logger.Warn("webhook is inactive: its events are held", "code", code, "message", message)
		} else {
			w.logger.Info("webhook is active again", "code", code)
		}
	}
	w.state.Failing = failing
	w.state.LastAttemptAt = w.Now().UTC().Truncate(time.Millisecond)
	w.state.LastCode, w.state.LastMessage = code, message
	saving, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	if err := w.states.Put(saving, w.hook.ID, w.state); err != nil {
		w.logger.Error("cannot save the cursor of a webhook", "error", err)
	}
}

// pause waits, but not beyond a change of a webhook or a destination. It
// returns false when ctx is done.
func (w *worker) pause(ctx context.Context, d time.Duration, webhooks, destinations <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-webhooks:
	case <-destinations:
	case <-ctx.Done():
		return false
	}
	return true
}

// outlive returns a context that ends a while after ctx does.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
