package konnect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/registry"
)

const webhookPath = "/v3/audit-log-webhook"

type webhook struct {
	Body struct {
		DestinationID string `json:"audit_log_destination_id" format:"uuid"`
		Enabled       bool   `json:"enabled"`
	}
}

func showWebhook(w registry.Webhook) *webhook {
	out := &webhook{}
	out.Body.DestinationID, out.Body.Enabled = w.DestinationID, w.Enabled
	return out
}

type webhookSettings struct {
	DestinationID *string `json:"audit_log_destination_id,omitempty" format:"uuid"`
	Enabled       *bool   `json:"enabled,omitempty"`
}

type webhookChange struct{ Body webhookSettings }

type webhookStatus struct {
	Body struct {
		Status        string     `json:"webhook_status" enum:"active,inactive,unconfigured"`
		Enabled       bool       `json:"webhook_enabled"`
		LastAttemptAt *time.Time `json:"last_attempt_at,omitempty"`
		LastCode      int        `json:"last_response_code,omitempty"`
		LastMessage   string     `json:"last_response_message,omitempty"`

		Trailhook *deliveryDetails `json:"trailhook,omitempty" doc:"What Konnect does not tell; left out while the webhook is unconfigured."`
	}
}

// deliveryDetails is what a status says beyond Konnect's.
type deliveryDetails struct {
	BacklogEvents    uint64     `json:"backlog_events" doc:"Events that wait to be delivered."`
	BacklogBytes     uint64     `json:"backlog_bytes" doc:"Their size as the journal writes them, before compression."`
	BacklogEstimated bool       `json:"backlog_estimated" doc:"Whether the two are projected from the first of them."`
	OldestAt         *time.Time `json:"backlog_oldest_at,omitempty" doc:"When the oldest of them was recorded."`
	OldestLostAt     *time.Time `json:"backlog_oldest_lost_at,omitempty" doc:"When retention takes that one, delivered or not."`
	SentEvents       uint64     `json:"sent_events" doc:"Events that the endpoint took, ever."`
	FailedDeliveries uint64     `json:"failed_deliveries" doc:"Deliveries that failed with all their retries, ever."`
	NextAttemptAt    *time.Time `json:"next_attempt_at,omitempty" doc:"When an inactive webhook is tried again."`
	InactiveSince    *time.Time `json:"inactive_since,omitempty" doc:"When the first of the deliveries failed that have failed in a row."`
	FailedInARow     uint64     `json:"failed_deliveries_in_a_row" doc:"How many these are."`
	LastFailedPhase  string     `json:"last_failed_phase,omitempty" enum:"resolve,connect,tls,request,response" doc:"Where the last attempt failed. Left out when it did not, and when nothing could be sent: last_response_message says why."`
	LostEvents       uint64     `json:"lost_events" doc:"Events that retention took before the endpoint did."`
	SetAside         uint64     `json:"set_aside_events" doc:"Events that the endpoint refused while it took others, and that were set aside, ever."`
}

func (a *API) webhookRoutes() {
	const resource, tag = "audit-logs/webhook", "Audit-log webhook"
	register(a, route{"get-audit-log-webhook", http.MethodGet, webhookPath, "Retrieve the region's webhook",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getWebhook)
	register(a, route{"update-audit-log-webhook", http.MethodPatch, webhookPath, "Set up or change the region's webhook",
		registry.Edit, resource, http.StatusOK, tag}, a.changeWebhook)
	register(a, route{"delete-audit-log-webhook", http.MethodDelete, webhookPath, "Delete the region's webhook",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deleteWebhook)
	register(a, route{"get-audit-log-webhook-status", http.MethodGet, webhookPath + "/status", "Retrieve how the region's webhook stands",
		registry.Retrieve, resource + "/status", http.StatusOK, tag}, a.getWebhookStatus)
}

func (a *API) getWebhook(ctx context.Context, _ *struct{}) (*webhook, error) {
	return a.webhookOf(callOf(ctx).scope())
}

// webhookOf and what follows is for the organization's webhook and for portals'.
func (a *API) webhookOf(s registry.Scope) (*webhook, error) {
	w, err := a.Registry.Webhook(s)
	if err != nil {
		return nil, err
	}
	return showWebhook(w), nil
}

func (a *API) changeWebhook(ctx context.Context, in *webhookChange) (*webhook, error) {
	return a.changeWebhookOf(ctx, callOf(ctx).scope(), in.Body)
}

func (a *API) changeWebhookOf(ctx context.Context, s registry.Scope, settings webhookSettings) (*webhook, error) {
	w, err := a.Registry.ChangeWebhook(ctx, s, registry.WebhookChange{
		DestinationID: settings.DestinationID,
		Enabled:       settings.Enabled,
	}, a.lastPosition)
	if err != nil {
		return nil, err
	}
	return showWebhook(w), nil
}

// lastPosition is where a webhook that is enabled now begins.
func (a *API) lastPosition(ctx context.Context) (uint64, error) {
	last, err := a.Journal.Last(ctx)
	return uint64(last), err
}

func (a *API) deleteWebhook(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.Registry.DeleteWebhook(ctx, callOf(ctx).scope())
}

func (a *API) getWebhookStatus(ctx context.Context, _ *struct{}) (*webhookStatus, error) {
	return a.webhookStatusOf(ctx, callOf(ctx).scope())
}

func (a *API) webhookStatusOf(ctx context.Context, s registry.Scope) (*webhookStatus, error) {
	out := &webhookStatus{}
	w, err := a.Registry.Webhook(s)
	if errors.Is(err, registry.ErrNotFound) {
		out.Body.Status = delivery.Unconfigured
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	status := a.Delivery.Status(w)
	out.Body.Status, out.Body.Enabled = status.Webhook, w.Enabled
	out.Body.LastCode, out.Body.LastMessage = status.LastCode, status.LastMessage
	if !status.LastAttemptAt.IsZero() {
		out.Body.LastAttemptAt = &status.LastAttemptAt
	}
	out.Body.Trailhook, err = a.deliveryDetails(ctx, w, status)
	return out, err
}

func (a *API) deliveryDetails(ctx context.Context, w registry.Webhook, status delivery.Status) (*deliveryDetails, error) {
	backlog, err := a.Delivery.Backlog(ctx, w)
	if err != nil {
		return nil, err
	}
	details := &deliveryDetails{
		BacklogEvents: backlog.Events, BacklogBytes: backlog.Bytes, BacklogEstimated: backlog.Estimated,
		SentEvents: status.Sent, FailedDeliveries: status.Failed, LostEvents: status.Lost, SetAside: status.SetAside,
	}
	if !status.NextAttemptAt.IsZero() {
		details.NextAttemptAt = &status.NextAttemptAt
	}
	details.InactiveSince, details.FailedInARow = unlessZero(status.FailingSince), status.FailedInARow
	details.LastFailedPhase = status.LastPhase
	if !backlog.Oldest.IsZero() {
		oldest := backlog.Oldest.UTC().Truncate(time.Millisecond)
		lost := oldest.Add(a.Journal.Retention())
		details.OldestAt, details.OldestLostAt = &oldest, &lost
	}
	return details, nil
}
