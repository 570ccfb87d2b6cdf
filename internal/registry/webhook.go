package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// Webhook sends the events of a [Scope] to a destination. There is at most one
// for each.
type Webhook struct {
	ID            string `json:"id"` // ours: a webhook that was deleted and set up again is another one
	OrgID         string `json:"org_id"`
	Region        string `json:"region"`
	PortalID      string `json:"portal_id,omitempty"` // empty: it is the organization's own
	DestinationID string `json:"destination_id"`
	Enabled       bool   `json:"enabled"`
	WasEnabled    bool   `json:"was_enabled"` // now or at any time before
	// EnabledAfter is the journal's last sequence when the webhook was enabled
	// for the first time: delivery begins after it.
	EnabledAfter uint64    `json:"enabled_after"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// Scope is whose events the webhook sends.
func (w Webhook) Scope() Scope { return Scope{w.Region, w.OrgID, w.PortalID} }

// WebhookChange is what a PATCH may change; nil leaves a value as it is.
//
// A webhook sends to a destination, or to an endpoint of its own, which version
// 2 of the API has in the webhook itself. Both are one state: an endpoint of
// its own is a destination too, which nobody lists and which no other webhook
// can refer to. Inline values given to a webhook that refers to a listed
// destination are taken for changes of a copy of it, so that they change
// nothing for whoever else sends there.
type WebhookChange struct {
	DestinationID *string
	Inline        *DestinationChange // not nil, even if it changes nothing: the caller knows of no destinations
	Enabled       *bool
}

// Webhook returns the scope's webhook; [ErrNotFound] while it is unconfigured.
func (r *Registry) Webhook(s Scope) (Webhook, error) {
	entry, err := r.webhooks.Get(s.key())
	return entry.Value, err
}

// Webhooks lists all organizations' webhooks.
func (r *Registry) Webhooks() []Webhook { return values(r.webhooks.List("")) }

// WebhooksChanged is closed at the next change of any webhook.
func (r *Registry) WebhooksChanged() <-chan struct{} { return r.webhooks.Changed() }

// ChangeWebhook sets the scope's webhook up or changes it. last tells the
// journal's newest sequence; it is asked when the webhook is enabled for the
// first time, so that everything recorded after this call returns is delivered.
// A change that leaves the webhook without a destination is an [InvalidError]
// when it enables, and else [ErrNotFound]: there is no webhook to change. It is
// [ErrNotFound] without the scope's portal, too. Of changes at the same moment
// all survive, unless two are of the same value.
func (r *Registry) ChangeWebhook(ctx context.Context, s Scope, change WebhookChange,
	last func(context.Context) (uint64, error)) (webhook Webhook, err error) {
	ctx, unlock, err := r.lockReferences(ctx, s.Organization)
	if err != nil {
		return Webhook{}, err
	}
	defer unlock()
	if err := r.checkScope(s); err != nil {
		return Webhook{}, err
	}
	err = retry(ctx, r.webhooks, func() error {
		webhook, err = r.changeWebhook(ctx, s, change, last)
		return err
	})
	if err != nil {
		return Webhook{}, fmt.Errorf("change the webhook of %s: %w", s, err)
	}
	return webhook, nil
}

// changeWebhook tries the change on the webhook as it is now.
func (r *Registry) changeWebhook(ctx context.Context, s Scope, change WebhookChange,
	last func(context.Context) (uint64, error)) (Webhook, error) {
	at := s.key()
	entry, err := r.webhooks.Get(at)
	isNew := errors.Is(err, broker.ErrNotFound)
	before := entry.Value
	if isNew {
		before = Webhook{ID: newID(), OrgID: s.Organization, Region: s.Region, PortalID: s.Portal}
	}
	webhook := before
	set(&webhook.DestinationID, change.DestinationID)
	set(&webhook.Enabled, change.Enabled)
	if err := r.checkWebhook(before, webhook, change); err != nil {
		return Webhook{}, err
	}
	if webhook.Enabled && !webhook.WasEnabled {
		webhook.WasEnabled = true
		if webhook.EnabledAfter, err = last(ctx); err != nil {
			return Webhook{}, err
		}
	}
	if change.inline() {
		if webhook.DestinationID, err = r.createInline(ctx, webhook, *change.Inline); err != nil {
			return Webhook{}, err
		}
	}
	webhook.UpdatedAt = r.instantAfter(before.UpdatedAt)
	if isNew {
		err = r.webhooks.Create(ctx, at, webhook)
	} else {
		err = r.webhooks.Update(ctx, at, webhook, entry.Revision)
	}
	switch {
	case err == nil:
		r.dropInline(ctx, webhook, before.DestinationID)
	case errors.Is(err, ErrConflict):
		r.dropInline(ctx, before, webhook.DestinationID)
	}
	return webhook, err
}

// checkWebhook says what of a change cannot be.
func (r *Registry) checkWebhook(before, after Webhook, change WebhookChange) error {
	if after.DestinationID == "" && !change.inline() {
		switch {
		case !after.Enabled:
			return ErrNotFound
		case change.Inline != nil:
			return &InvalidError{"endpoint", "required", "a webhook needs an endpoint before it is enabled"}
		}
		return &InvalidError{"audit_log_destination_id", "required", "a webhook needs a destination before it is enabled"}
	}
	if after.DestinationID == before.DestinationID {
		return nil
	}
	if _, err := r.ListedDestination(after.OrgID, after.DestinationID); err != nil {
		return &InvalidError{"audit_log_destination_id", "missing_reference", "there is no such audit-log destination"}
	}
	return nil
}

// DeleteWebhook sets the scope back to unconfigured; [ErrNotFound] when it is.
func (r *Registry) DeleteWebhook(ctx context.Context, s Scope) error {
	ctx, unlock, err := r.lockReferences(ctx, s.Organization)
	if err != nil {
		return err
	}
	defer unlock()
	webhook, err := remove(ctx, r.webhooks, s.key())
	if err != nil {
		return fmt.Errorf("delete the webhook of %s: %w", s, err)
	}
	r.dropInline(ctx, Webhook{OrgID: s.Organization, Region: s.Region, PortalID: s.Portal}, webhook.DestinationID)
	return nil
}
