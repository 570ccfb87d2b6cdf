package delivery

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/tracing"
)

// verdict is what became of one request.
type verdict struct {
	code    int // of the answer; 0: there was none
	message string
	phase   string // of package outbound, in which it failed; empty if it was not sent, or taken
	// given up, since the setting has changed or the process is to end: it says
	// nothing of the endpoint
	interrupted bool
}

func (v verdict) taken() bool { return v.code >= 200 && v.code <= 299 }

// content reports whether the endpoint refuses what the request carries, so that
// less of it may pass, and not who sends it or how.
func (v verdict) content() bool {
	switch v.code {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (v verdict) tooLarge() bool { return v.code == http.StatusRequestEntityTooLarge }

func (w *worker) post(ctx context.Context, before setting, request outbound.Request) verdict {
	changed := func() bool { return w.setting() != before }
	return w.Manager.post(ctx, request, changed, func() bool {
		w.displaced = !w.lanes.inTrouble(w)
		return !w.displaced
	})
}

// post sends one request by the retry rule.
//
// Once changed, or the process is to end, an attempt that would be retried is
// given up instead, and so is the wait before a retry, without a word on the
// endpoint; and so it is when failing, which is called at the first attempt that
// failed, says that there is no place to retry it in.
func (m *Manager) post(ctx context.Context, request outbound.Request, changed, failing func() bool) verdict {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, span := tracing.Begin(ctx, "deliver")
	defer span.End(nil)
	span.Count("trailhook.request_bytes", len(request.Body))
	sending, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	retrying := false
	response, err := m.Client.PostRetrying(sending, request, func(a outbound.Attempt) {
		m.metrics.attempted(a)
		if ctx.Err() != nil || changed() {
			cancel()
		}
		if !retrying && !(verdict{code: a.Status}).taken() {
			retrying = true
			if !failing() {
				cancel()
			}
			watching.Go(func() { m.await(sending, changed, cancel) })
		}
	})
	if err != nil && sending.Err() != nil {
		return verdict{interrupted: true}
	}
	v := verdict{}
	v.code, v.message = outbound.Describe(response, err)
	span.Count("http.response.status_code", v.code)
	if !v.taken() {
		v.phase = outbound.FailedPhase(err)
		span.Fail(v.message)
	}
	return v
}

// await calls cancel once the setting has changed. It returns when ctx is done,
// with or without that.
func (m *Manager) await(ctx context.Context, changed func() bool, cancel func()) {
	for {
		// Taken before the look at the setting, so that no change falls between.
		webhooks, destinations := m.Registry.WebhooksChanged(), m.Registry.DestinationsChanged()
		if changed() {
			cancel()
			return
		}
		select {
		case <-webhooks:
		case <-destinations:
		case <-ctx.Done():
			return
		}
	}
}

// taken moves the cursor beyond the entries, which the endpoint has taken.
func (w *worker) taken(ctx context.Context, entries []journal.Entry, v verdict) {
	w.state.Cursor = entries[len(entries)-1].Position
	w.state.Sent += uint64(len(entries))
	w.metrics.delivered.Add(float64(len(entries)))
	w.note(ctx, v, false)
	w.patience()
}

// note remembers how the last attempt went. It is written with the cursor, in
// one write; should that fail, the batch goes out again after a restart, and
// the receiver knows the lines by their signatures.
func (w *worker) note(ctx context.Context, v verdict, failing bool) {
	now := w.Now().UTC().Truncate(time.Millisecond)
	if failing != w.state.Failing {
		w.state.FailingSince, w.state.FailedInARow = time.Time{}, 0
		if failing {
			w.state.FailingSince = now
			w.logger.Warn("webhook is inactive: its events are held", "code", v.code, "message", v.message)
		} else {
			w.logger.Info("webhook is active again", "code", v.code)
		}
	}
	w.state.Failing, w.state.NextAttemptAt = failing, time.Time{}
	if failing {
		w.state.Failed++
		w.state.FailedInARow++
		w.state.NextAttemptAt = w.Now().UTC().Add(w.wait).Truncate(time.Millisecond)
	}
	w.state.LastAttemptAt = now
	w.state.LastCode, w.state.LastMessage, w.state.LastPhase = v.code, v.message, v.phase
	w.save(ctx)
}

func (w *worker) save(ctx context.Context) {
	w.known.settle(w.state.settled())
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
