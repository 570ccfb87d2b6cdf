package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
)

// Webhook is where an alert posts.
type Webhook struct {
	URL           string
	Authorization []byte `json:",omitempty"` // the header's value, sealed
}

// WebhookSetting is what a user asks for of a webhook.
type WebhookSetting struct {
	URL           string
	Authorization *string // nil: as it was; empty: none
}

// maxAuthorization is the longest value of an Authorization header, in bytes.
const maxAuthorization = 8 << 10

// HasAuthorization reports whether posts carry an Authorization header.
func (w *Webhook) HasAuthorization() bool { return len(w.Authorization) > 0 }

// mark tells webhooks apart, and nothing of them.
func (w *Webhook) mark() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", w.URL, w.Authorization))
	return hex.EncodeToString(sum[:8])
}

// sealContext binds the authorization to its place.
func sealContext(id string) string { return "alert/" + id + "/authorization" }

// prepare makes a webhook of what a user asks for and of what the search has.
func (a *Alerts) prepare(id string, stored *Webhook, given *WebhookSetting) (*Webhook, error) {
	if given == nil {
		return nil, nil
	}
	if err := checkWebhook(stored, *given, a.AllowHTTP); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	made := &Webhook{URL: given.URL}
	if given.Authorization == nil && stored != nil {
		made.Authorization = stored.Authorization
	}
	if given.Authorization == nil || *given.Authorization == "" {
		return made, nil
	}
	var err error
	if made.Authorization, err = a.Sealer.Seal([]byte(*given.Authorization), sealContext(id)); err != nil {
		return nil, fmt.Errorf("keep the webhook's authorization: %w", err)
	}
	return made, nil
}

func checkWebhook(stored *Webhook, given WebhookSetting, allowHTTP bool) error {
	if err := outbound.ValidateURL(given.URL, allowHTTP); err != nil {
		return fmt.Errorf("alert.webhook.url %w", err)
	}
	switch {
	case given.Authorization == nil && stored != nil && stored.HasAuthorization() && stored.URL != given.URL:
		return errors.New("alert.webhook.authorization must be given again for another url, or be empty: a secret is not sent to where it was not meant for")
	case given.Authorization == nil:
		return nil
	case len(*given.Authorization) > maxAuthorization:
		return fmt.Errorf("alert.webhook.authorization must have at most %d bytes", maxAuthorization)
	case strings.ContainsFunc(*given.Authorization, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return errors.New("alert.webhook.authorization must not have line breaks or other control characters")
	}
	return nil
}

// request is a post of the body to the webhook.
func (a *Alerts) request(alert string, w *Webhook, id string, body []byte) (outbound.Request, error) {
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {id}}
	if w.HasAuthorization() {
		value, err := a.Sealer.Open(w.Authorization, sealContext(alert))
		if err != nil {
			return outbound.Request{}, err
		}
		header.Set("Authorization", string(value))
	}
	return outbound.Request{URL: w.URL, Header: header, Body: body}, nil
}

// Tried is how a test of a webhook went.
type Tried struct {
	Delivered bool
	Status    int    // of the answer; 0 without one
	Message   string // what the status says, or why there was no answer
	Took      time.Duration
}

// ErrNoWebhook says that there is nothing to test.
var ErrNoWebhook = fmt.Errorf("%w: the saved search has no alert with a webhook", ErrInvalid)

// Test posts a test notification to the webhook of a saved search, once, whether
// its alert is enabled or not.
func (a *Alerts) Test(ctx context.Context, s Search) (Tried, error) {
	w := s.webhook()
	if w == nil {
		return Tried{}, ErrNoWebhook
	}
	id, body := a.testNotification(s)
	request, err := a.request(s.ID, w, id, body)
	if err != nil {
		return Tried{}, fmt.Errorf("test the webhook of %q: %w", s.Name, err)
	}
	begin := time.Now()
	response, err := a.Client.Post(ctx, request)
	tried := Tried{Delivered: err == nil && accepted(response.Status), Took: time.Since(begin)}
	tried.Status, tried.Message = outbound.Describe(response, err)
	return tried, nil
}

func accepted(status int) bool { return status >= 200 && status <= 299 }

// Reseal seals the authorizations of all webhooks anew with seal, unless sealed,
// which may have fewer keys, opens them as they are; old opens what there is. It
// returns how many it sealed. No server may run on the data meanwhile.
func Reseal(ctx context.Context, b *broker.Broker, old, with, sealed *seal.Sealer) (n int, err error) {
	searches, err := openSearches(ctx, b)
	if err != nil {
		return 0, err
	}
	defer searches.Close()
	for _, entry := range searches.List("") {
		s := entry.Value
		if s.webhook() == nil || !s.webhook().HasAuthorization() {
			continue
		}
		if _, err := sealed.Open(s.Alert.Webhook.Authorization, sealContext(s.ID)); err == nil {
			continue
		}
		alert, webhook := *s.Alert, *s.Alert.Webhook // values of a bucket are shared
		plain, err := old.Open(webhook.Authorization, sealContext(s.ID))
		if err == nil {
			webhook.Authorization, err = with.Seal(plain, sealContext(s.ID))
		}
		if err == nil {
			alert.Webhook, s.Alert = &webhook, &alert
			err = searches.Update(ctx, entry.Key, s, entry.Revision)
		}
		if err != nil {
			return n, fmt.Errorf("seal the authorization of the alert %q anew: %w", s.Name, err)
		}
		n++
	}
	return n, nil
}
