package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// Webhook sends an organization's events of one region to a destination.
// There is at most one for each region.
type Webhook struct {
	ID            string `json:"id"` // ours: a webhook that was deleted and set up again is another one
	OrgID         string `json:"org_id"`
	Region        string `json:"region"`
	DestinationID string `json:"destination_id"`
	Enabled       bool   `json:"enabled"`
	WasEnabled    bool   `json:"was_enabled"` // now or at any time before
	// EnabledAfter is the journal's last sequence when the webhook was enabled
	// for the first time: delivery begins after it.
	EnabledAfter uint64    `json:"enabled_after"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// WebhookChange is what a PATCH may change; nil leaves a value as it is.
type WebhookChange struct {
	DestinationID *string
	Enabled       *bool
}

// Webhook returns the region's webhook; [ErrNotFound] while it is unconfigured.
func (r *Registry) Webhook(organization, region string) (Webhook, error) {
	entry, err := r.webhooks.Get(organization + "." + region)
	return entry.Value, err
}

// Webhooks lists all organizations' webhooks.
func (r *Registry) Webhooks() []Webhook { return values(r.webhooks.List("")) }

// WebhooksChanged is closed at the next change of any webhook.
func (r *Registry) WebhooksChanged() <-chan struct{} { return r.webhooks.Changed() }

// ChangeWebhook sets the region's webhook up or changes it. last tells the
// journal's newest sequence; it is asked when the webhook is enabled for the
// first time, so that everything recorded after this call returns is delivered.
// A change that leaves the region without a destination is an [InvalidError]
// when it enables, and else [ErrNotFound]: there is no webhook to change.
func (r *Registry) ChangeWebhook(ctx context.Context, organization, region string, change WebhookChange,
	last func(context.Context) (uint64, error)) (Webhook, error) {
	r.references.Lock()
	defer r.references.Unlock()
	at := organization + "." + region
	entry, err := r.webhooks.Get(at)
	isNew := errors.Is(err, broker.ErrNotFound)
	webhook := entry.Value
	if isNew {
		webhook = Webhook{ID: newID(), OrgID: organization, Region: region}
	}
	if change.DestinationID != nil {
		webhook.DestinationID = *change.DestinationID
	}
	if change.Enabled != nil {
		webhook.Enabled = *change.Enabled
	}
	if err := r.checkWebhook(webhook); err != nil {
		return Webhook{}, err
	}
	webhook.UpdatedAt = r.instant()
	if webhook.Enabled && !webhook.WasEnabled {
		webhook.WasEnabled = true
		if webhook.EnabledAfter, err = last(ctx); err != nil {
			return Webhook{}, fmt.Errorf("enable the webhook of region %s: %w", region, err)
		}
	}
	if isNew {
		err = r.webhooks.Create(ctx, at, webhook)
	} else {
		err = r.webhooks.Update(ctx, at, webhook, entry.Revision)
	}
	if err != nil {
		return Webhook{}, fmt.Errorf("change the webhook of region %s: %w", region, err)
	}
	return webhook, nil
}

// DeleteWebhook sets the region back to unconfigured; [ErrNotFound] when it is.
func (r *Registry) DeleteWebhook(ctx context.Context, organization, region string) error {
	entry, err := r.webhooks.Get(organization + "." + region)
	if err != nil {
		return err
	}
	if err := r.webhooks.Delete(ctx, entry.Key, entry.Revision); err != nil {
		return fmt.Errorf("delete the webhook of region %s: %w", region, err)
	}
	return nil
}

func (r *Registry) checkWebhook(w Webhook) error {
	if w.DestinationID == "" {
		if w.Enabled {
			return &InvalidError{"audit_log_destination_id", "required", "a webhook needs a destination before it is enabled"}
		}
		return ErrNotFound
	}
	if _, err := r.Destination(w.OrgID, w.DestinationID); err != nil {
		return &InvalidError{"audit_log_destination_id", "missing_reference", "there is no such audit-log destination"}
	}
	return nil
}
