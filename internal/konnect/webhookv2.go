package konnect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// inlineWebhook is the region's webhook as version 2 shows it: with the values
// of what it sends to. It is always there. Kong's kongctl begins only where the
// endpoint is the word unconfigured.
type inlineWebhook struct {
	Body struct {
		Endpoint            string    `json:"endpoint"`
		Enabled             bool      `json:"enabled"`
		LogFormat           string    `json:"log_format" enum:"cef,json,cps"`
		SkipSSLVerification bool      `json:"skip_ssl_verification"`
		UpdatedAt           time.Time `json:"updated_at"`
	}
}

type inlineWebhookChange struct {
	Body struct {
		Endpoint            *string `json:"endpoint,omitempty" minLength:"1" maxLength:"2048"`
		Authorization       *string `json:"authorization,omitempty" maxLength:"8192" writeOnly:"true"`
		Enabled             *bool   `json:"enabled,omitempty"`
		LogFormat           *string `json:"log_format,omitempty" enum:"cef,json,cps"`
		SkipSSLVerification *bool   `json:"skip_ssl_verification,omitempty"`
	}
}

// showInline shows the webhook as it is now, or that there is none.
func (a *API) showInline(c *call) (*inlineWebhook, error) {
	out := &inlineWebhook{}
	out.Body.Endpoint, out.Body.LogFormat = "unconfigured", string(audit.CEF)
	w, err := a.Registry.Webhook(c.scope())
	if errors.Is(err, registry.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := a.Registry.Destination(w.OrgID, w.DestinationID)
	if now, _ := a.Registry.Webhook(c.scope()); errors.Is(err, registry.ErrNotFound) && now != w {
		return a.showInline(c) // the webhook let go of it between the two reads
	}
	if err != nil {
		return nil, err
	}
	out.Body.Endpoint, out.Body.Enabled, out.Body.LogFormat = d.Endpoint, w.Enabled, string(d.LogFormat)
	out.Body.SkipSSLVerification, out.Body.UpdatedAt = d.SkipSSLVerification, w.UpdatedAt
	return out, nil
}

func (a *API) getInlineWebhook(ctx context.Context, _ *struct{}) (*inlineWebhook, error) {
	return a.showInline(callOf(ctx))
}

// changeInlineWebhook changes the one webhook that both versions show. To
// disable it where there is none changes nothing, and is no mistake: clients do
// so to clean up.
func (a *API) changeInlineWebhook(ctx context.Context, in *inlineWebhookChange) (*inlineWebhook, error) {
	c, b := callOf(ctx), in.Body
	_, err := a.Registry.ChangeWebhook(ctx, c.scope(), registry.WebhookChange{
		Enabled: b.Enabled,
		Inline: &registry.DestinationChange{
			Endpoint: b.Endpoint, Authorization: b.Authorization,
			LogFormat: (*audit.Format)(b.LogFormat), SkipSSLVerification: b.SkipSSLVerification,
		},
	}, a.lastPosition)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	return a.showInline(c)
}

func (a *API) inlineWebhookRoutes() {
	const path, resource, tag = "/v2/audit-log-webhook", "audit-logs/webhook", "Audit-log webhook"
	register(a, route{"get-audit-log-webhook-v2", http.MethodGet, path, "Retrieve the region's webhook and what it sends to",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getInlineWebhook)
	register(a, route{"update-audit-log-webhook-v2", http.MethodPatch, path, "Set up or change the region's webhook, without a destination",
		registry.Edit, resource, http.StatusOK, tag}, a.changeInlineWebhook)
	register(a, route{"get-audit-log-webhook-status-v2", http.MethodGet, path + "/status", "Retrieve how the region's webhook stands",
		registry.Retrieve, resource + "/status", http.StatusOK, tag}, a.getWebhookStatus)
}
