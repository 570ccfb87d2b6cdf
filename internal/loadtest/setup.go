package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// undoing takes away one thing that was made.
type undoing struct {
	what string
	do   func(context.Context) error
}

// undoTime is how long it may take to take everything away.
const undoTime = time.Minute

// takeAway takes away what was made, the last first. What it cannot it names, so
// that somebody else can.
func (r *run) takeAway(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	var errs []error
	for i := range r.undo {
		u := r.undo[len(r.undo)-1-i]
		err := u.do(ctx)
		if refused, is := errors.AsType[*refusal](err); is && refused.status == http.StatusNotFound {
			continue // somebody was quicker
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is left behind, delete it by hand: %w", u.what, err))
		}
	}
	r.undo = nil
	return errors.Join(errs...)
}

func (r *run) made(what string, undo func(context.Context) error) {
	r.undo = append(r.undo, undoing{what, undo})
}

// setUp makes the way from the platform to the SIEM, and tries it.
func (r *run) setUp(ctx context.Context) error {
	if err := r.checkWebhook(ctx); err != nil {
		return err
	}
	endpoint, key, err := r.makeSource(ctx)
	if err != nil {
		return err
	}
	return r.makeWebhook(ctx, endpoint, key)
}

const (
	webhookPath      = "/v3/audit-log-webhook"
	destinationsPath = "/v3/audit-log-destinations"
)

// checkWebhook sees to it that no webhook of somebody else's is touched, and that
// nobody's SIEM gets what this run sends.
func (r *run) checkWebhook(ctx context.Context) error {
	var webhook struct{ Endpoint string }
	if err := r.api.call(ctx, http.MethodGet, "/v2/audit-log-webhook", nil, &webhook); err != nil {
		return err
	}
	if webhook.Endpoint == "unconfigured" {
		return nil
	}
	return errors.New("the organization has a webhook in this region already, which would get all events of this run: " +
		"name a region in which it has none, such as --region sg, or give the --token of an organization made for the test " +
		`(a run that was killed leaves a webhook to a destination "trailhook-bench-…" behind: delete the two)`)
}

// makeSource makes where the SIEM takes the lines. It verifies them by the keys that
// the platform has now, so it need not be able to reach the platform.
func (r *run) makeSource(ctx context.Context) (endpoint, key string, err error) {
	var keys struct {
		Keys json.RawMessage `json:"keys"`
	}
	if err := r.api.call(ctx, http.MethodGet, "/v2/audit-log-webhook/jwks.json", nil, &keys); err != nil {
		return "", "", err
	}
	var made struct {
		Collector struct{ ID int64 }
		Source    struct{ URL string }
	}
	const collectors = "/api/v1/collectors"
	err = r.siem.call(ctx, http.MethodPost, collectors, map[string]any{
		"collector": map[string]any{"collectorType": "Hosted", "name": r.source},
	}, &made)
	if err != nil {
		return "", "", err
	}
	collector := fmt.Sprintf("%s/%d", collectors, made.Collector.ID)
	r.made(fmt.Sprintf("the collector %q of the SIEM", r.source), func(ctx context.Context) error {
		return r.siem.call(ctx, http.MethodDelete, collector, nil, nil)
	})
	err = r.siem.call(ctx, http.MethodPost, collector+"/sources", map[string]any{
		"source": map[string]any{"sourceType": "HTTP", "name": r.source, "trailhook": map[string]any{
			"requireAccessKey": true, "jwks": keys,
		}},
	}, &made)
	if err != nil {
		return "", "", err
	}
	var access struct{ ID, Key string }
	const accessKeys = "/api/v1/accessKeys"
	if err := r.siem.call(ctx, http.MethodPost, accessKeys, map[string]any{"label": r.source, "role": "sender"}, &access); err != nil {
		return "", "", err
	}
	r.made(fmt.Sprintf("the access key %q of the SIEM", r.source), func(ctx context.Context) error {
		return r.siem.call(ctx, http.MethodDelete, accessKeys+"/"+access.ID, nil, nil)
	})
	return made.Source.URL, access.Key, nil
}

func (r *run) makeWebhook(ctx context.Context, endpoint, key string) error {
	var destination struct{ ID string }
	err := r.api.call(ctx, http.MethodPost, destinationsPath, map[string]any{
		"name": r.source, "endpoint": endpoint, "authorization": key, "log_format": "cef",
	}, &destination)
	if err != nil {
		return fmt.Errorf("make a destination of the SIEM's %s: %w", hostOf(endpoint), err)
	}
	r.made(fmt.Sprintf("the destination %q", r.source), func(ctx context.Context) error {
		return r.api.call(ctx, http.MethodDelete, destinationsPath+"/"+destination.ID, nil, nil)
	})
	if err := r.tryDestination(ctx, destination.ID, endpoint); err != nil {
		return err
	}
	err = r.api.call(ctx, http.MethodPatch, webhookPath, map[string]any{"audit_log_destination_id": destination.ID, "enabled": true}, nil)
	if err != nil {
		return err
	}
	r.made("the webhook", func(ctx context.Context) error { return r.deleteWebhook(ctx, destination.ID) })
	return nil
}

// tryDestination has the platform send one event: that it cannot reach the SIEM is
// better told now than by everything being lost.
func (r *run) tryDestination(ctx context.Context, id, endpoint string) error {
	var trial struct {
		Delivered bool
		Phases    []struct{ Name, Detail, Remedy string }
	}
	if err := r.api.call(ctx, http.MethodPost, "/trailhook/v1/destinations/"+id+"/test", nil, &trial); err != nil {
		return err
	}
	if trial.Delivered || len(trial.Phases) == 0 {
		return nil
	}
	last := trial.Phases[len(trial.Phases)-1]
	return fmt.Errorf("the platform cannot deliver to the SIEM at %s: %s: %s: %s", hostOf(endpoint), last.Name, last.Detail, last.Remedy)
}

// deleteWebhook leaves it alone if somebody else uses it by now.
func (r *run) deleteWebhook(ctx context.Context, destination string) error {
	var webhook struct {
		DestinationID string `json:"audit_log_destination_id"`
	}
	if err := r.api.call(ctx, http.MethodGet, webhookPath, nil, &webhook); err != nil {
		return err
	}
	if webhook.DestinationID != destination {
		return errors.New("it was changed meanwhile")
	}
	return r.api.call(ctx, http.MethodDelete, webhookPath, nil, nil)
}

// hostOf leaves out of an address what is a secret in it.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that is none"
	}
	return u.Scheme + "://" + u.Host
}
