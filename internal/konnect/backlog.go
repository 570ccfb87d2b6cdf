package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/registry"
)

const (
	backlogPath       = "/trailhook/v1/audit-log-webhook/backlog"
	portalBacklogPath = "/trailhook/v1/portals/{portalId}/audit-log-webhook/backlog"
)

type backlog struct {
	Body struct {
		Complete bool            `json:"complete" doc:"Whether the process that answers is the one that delivers to the webhook: it alone has samples, of the time since it began to. On a single server it is."`
		Recent   []backlogSample `json:"recent" nullable:"false" doc:"One each 5 s, of the last 10 minutes, oldest first. There are samples for as long as something waits, and one of zero when nothing does any more."`
		Minutes  []backlogSample `json:"minutes" nullable:"false" doc:"One a minute, of the last 24 hours, in the same way."`
	}
}

type backlogSample struct {
	At       time.Time  `json:"at"`
	Events   uint64     `json:"events" doc:"Events that waited to be delivered, estimated from those that were read."`
	Bytes    uint64     `json:"bytes" doc:"Their size as the journal writes them, before compression."`
	OldestAt *time.Time `json:"oldest_at,omitempty" doc:"When the oldest of them was recorded."`
}

func showSamples(samples []delivery.BacklogSample) []backlogSample {
	shown := make([]backlogSample, len(samples))
	for i, s := range samples {
		shown[i] = backlogSample{s.At, s.Events, s.Bytes, unlessZero(s.Oldest)}
	}
	return shown
}

// backlogRoutes serves how the backlogs of webhooks went.
func (a *API) backlogRoutes() {
	register(a, route{"get-audit-log-webhook-backlog", http.MethodGet, backlogPath, "Retrieve how the backlog of the region's webhook went",
		registry.Retrieve, "audit-logs/webhook/backlog", http.StatusOK, "Audit-log webhook"}, a.getBacklog)
	register(a, route{"get-portal-audit-log-webhook-backlog", http.MethodGet, portalBacklogPath, "Retrieve how the backlog of the portal's webhook went",
		registry.Retrieve, "audit-logs/portals/{portalId}/webhook/backlog", http.StatusOK, "Audit logs of portals"}, a.getPortalBacklog)
}

func (a *API) getBacklog(ctx context.Context, _ *struct{}) (*backlog, error) {
	return a.backlogOf(callOf(ctx).scope())
}

func (a *API) getPortalBacklog(ctx context.Context, in *PortalID) (*backlog, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.backlogOf(s)
}

// backlogOf is for the organization's webhook and for portals'.
func (a *API) backlogOf(s registry.Scope) (*backlog, error) {
	w, err := a.Registry.Webhook(s)
	if err != nil {
		return nil, err
	}
	history := a.Delivery.BacklogHistory(w)
	out := &backlog{}
	out.Body.Complete = history.Here
	out.Body.Recent, out.Body.Minutes = showSamples(history.Recent), showSamples(history.Minutes)
	return out, nil
}
