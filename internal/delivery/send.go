package delivery

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// send posts as much of the batch as fits one request, by the retry rule, and
// returns the rest. When the endpoint did not take it, the rest is all of it.
//
// Once the setting has changed, or the process is to end, an attempt that would
// be retried is given up instead, without a word on the endpoint.
func (w *worker) send(ctx context.Context, before setting, batch []journal.Entry) (rest []journal.Entry, taken bool) {
	request, sent, err := w.request(before.webhook, batch)
	if err != nil {
		w.note(ctx, 0, err.Error(), true)
		return batch, false
	}
	sending, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	response, err := w.Client.PostRetrying(sending, request, func(a outbound.Attempt) {
		w.metrics.attempted(a)
		if ctx.Err() != nil || w.setting() != before {
			cancel()
		}
	})
	if err != nil && sending.Err() != nil {
		return batch, false
	}
	code, message := outbound.Describe(response, err)
	if err != nil || code < 200 || code > 299 {
		w.note(ctx, code, message, true)
		return batch, false
	}
	w.state.Cursor = batch[sent-1].Position
	w.metrics.delivered.Add(float64(sent))
	w.note(ctx, code, message, false)
	return batch[sent:], true
}

// request encodes, signs and compresses what fits one request for the
// webhook's destination as it is configured now.
func (w *worker) request(webhook registry.Webhook, batch []journal.Entry) (request outbound.Request, sent int, err error) {
	destination, err := w.Registry.Destination(webhook.OrgID, webhook.DestinationID)
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
	w.save(ctx)
}

func (w *worker) save(ctx context.Context) {
	saving, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	if err := w.states.Put(saving, w.hook.ID, w.state); err != nil {
		w.logger.Error("cannot save the cursor of a webhook", "error", err)
	}
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
