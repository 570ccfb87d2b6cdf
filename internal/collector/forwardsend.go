package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search"
)

// send sends the lines, or as many of them as the endpoint takes at once, and
// returns how many were taken: more than none, or an error that may be shown.
func (w *forwardWorker) send(ctx context.Context, setting *Forwarding, batch []search.Stored) (int, error) {
	if target, ok := setting.syslog(); ok {
		return len(batch), w.sendSyslog(ctx, target, batch)
	}
	w.syslog.close() // of another setting
	for {
		status, err := w.post(ctx, setting, batch)
		if err != nil {
			return 0, err
		}
		if status != http.StatusRequestEntityTooLarge || len(batch) == 1 {
			return w.answered(status, len(batch))
		}
		batch = batch[:len(batch)/2]
		w.limit = len(batch)
	}
}

func (w *forwardWorker) answered(status, sent int) (int, error) {
	if status < 200 || status > 299 {
		_, message := outbound.Describe(outbound.Response{Status: status}, nil)
		return 0, fmt.Errorf("the endpoint answered %d %s", status, message)
	}
	w.limit = min(w.limit+w.limit/8+1, forwardLines) // in small steps, for each that is too many costs a request
	return sent, nil
}

// post sends the lines in one request, by the retry rule of webhooks.
func (w *forwardWorker) post(ctx context.Context, setting *Forwarding, batch []search.Stored) (status int, err error) {
	header := http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}
	if setting.HasAuthorization() {
		value, err := w.Sealer.Open(setting.Authorization, setting.sealContext())
		if err != nil {
			return 0, err
		}
		header.Set("Authorization", string(value))
	}
	body, err := zip(batch)
	if err != nil {
		return 0, err
	}
	response, err := w.Client.PostRetrying(ctx, outbound.Request{
		URL: setting.Endpoint, Header: header, Body: body, SkipTLSVerify: setting.SkipTLSVerify,
	}, w.metrics.attempted)
	if err != nil {
		return 0, described(err)
	}
	return response.Status, nil
}

// zip joins the lines by newlines and compresses them.
func zip(batch []search.Stored) ([]byte, error) {
	var body bytes.Buffer
	writer, err := gzip.NewWriterLevel(&body, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	for i := range batch {
		if i > 0 {
			writer.Write(newline) // an error is kept, and comes with Close
		}
		writer.Write([]byte(batch[i].Raw))
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compress lines: %w", err)
	}
	return body.Bytes(), nil
}

// sendSyslog sends the lines as syslog, and tries as often as the retry rule of
// webhooks has it.
func (w *forwardWorker) sendSyslog(ctx context.Context, target outbound.Target, batch []search.Stored) error {
	pause := min(outbound.RetryWaitMin, w.MinPause)
	for retry := 0; ; retry++ {
		err := w.syslog.send(ctx, w.Client, target, batch)
		if err == nil {
			w.metrics.attempts.WithLabelValues("ok").Inc()
			return nil
		}
		w.metrics.attempts.WithLabelValues("error").Inc()
		_, refused := errors.AsType[*outbound.RefusedError](err)
		if refused || retry == outbound.RetryMax || ctx.Err() != nil {
			return described(err)
		}
		wait(ctx, time.After(pause))
		pause *= 2
	}
}

// described is the error in words that may be shown to whoever manages sources.
func described(err error) error {
	_, message := outbound.Describe(outbound.Response{}, err)
	return errors.New(message)
}

// hostOf is what the log may tell of an endpoint, which may hold an access code.
func hostOf(setting *Forwarding) string {
	endpoint, err := url.Parse(setting.Endpoint)
	if err != nil {
		return ""
	}
	return endpoint.Scheme + "://" + endpoint.Host
}
