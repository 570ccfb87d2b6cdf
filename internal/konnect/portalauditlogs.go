package konnect

import (
	"context"
	"net/http"
	"strings"

	"github.com/trailhook/trailhook/internal/registry"
)

const portalSetAsidePath = "/trailhook/v1/portals/{portalId}/set-aside"

type portalWebhookChange struct {
	PortalID
	Body webhookSettings
}

type newPortalReplayJob struct {
	PortalID
	Body replayTimes
}

type portalSetAsidePage struct {
	PortalID
	CursorPage
}

type portalSetAsideID struct {
	PortalID
	ID string `path:"setAsideId"`
}

// portalAuditLogRoutes are the portals' own webhooks, replay jobs and lines set
// aside, by the rules of the organization's. Their resources are audit logs', so
// that the roles for audit logs cover them.
func (a *API) portalAuditLogRoutes() {
	const resource, tag = "audit-logs/portals/{portalId}", "Audit logs of portals"
	const hook, job = portalPath + "/audit-log-webhook", portalPath + "/audit-log-replay-job"
	register(a, route{"get-portal-audit-log-webhook", http.MethodGet, hook, "Retrieve the portal's webhook",
		registry.Retrieve, resource + "/webhook", http.StatusOK, tag}, a.getPortalWebhook)
	register(a, route{"update-portal-audit-log-webhook", http.MethodPatch, hook, "Set up or change the portal's webhook",
		registry.Edit, resource + "/webhook", http.StatusOK, tag}, a.changePortalWebhook)
	register(a, route{"delete-portal-audit-log-webhook", http.MethodDelete, hook, "Delete the portal's webhook",
		registry.Delete, resource + "/webhook", http.StatusNoContent, tag}, a.deletePortalWebhook)
	register(a, route{"get-portal-audit-log-webhook-status", http.MethodGet, hook + "/status", "Retrieve how the portal's webhook stands",
		registry.Retrieve, resource + "/webhook/status", http.StatusOK, tag}, a.getPortalWebhookStatus)
	register(a, route{"get-portal-audit-log-replay-job", http.MethodGet, job, "Retrieve how the portal's replay job stands",
		registry.Retrieve, resource + "/replay-job", http.StatusOK, tag}, a.getPortalReplayJob)
	register(a, route{"update-portal-audit-log-replay-job", http.MethodPut, job, "Send the events of a time to the portal's webhook again",
		registry.Edit, resource + "/replay-job", http.StatusAccepted, tag}, a.startPortalReplayJob)

	const all, one = resource + "/set-aside", portalSetAsidePath + "/{setAsideId}"
	register(a, route{"list-portal-set-aside", http.MethodGet, portalSetAsidePath, "List the lines that the portal's endpoint refused",
		registry.List, all, http.StatusOK, tag}, a.listPortalSetAside)
	register(a, route{"get-portal-set-aside", http.MethodGet, one, "Retrieve a line",
		registry.Retrieve, all + "/{setAsideId}", http.StatusOK, tag}, a.getPortalSetAside)
	register(a, route{"delete-portal-set-aside", http.MethodDelete, one, "Give a line up",
		registry.Delete, all + "/{setAsideId}", http.StatusNoContent, tag}, a.deletePortalSetAside)
	register(a, route{"resend-portal-set-aside", http.MethodPost, one + "/resend", "Send a line again",
		registry.Edit, all + "/{setAsideId}", http.StatusOK, tag}, a.resendPortalSetAside)
	register(a, route{"resend-all-portal-set-aside", http.MethodPost, portalSetAsidePath + "/resend", "Send all lines again",
		registry.Edit, all, http.StatusOK, tag}, a.resendAllPortalSetAside)
}

// portalScope is one of the caller's portals.
func (a *API) portalScope(ctx context.Context, id string) (registry.Scope, error) {
	p, err := a.portalOf(ctx, id)
	return registry.Scope{Region: p.Region, Organization: p.OrgID, Portal: p.ID}, err
}

func (a *API) getPortalWebhook(ctx context.Context, in *PortalID) (*webhook, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.webhookOf(s)
}

func (a *API) changePortalWebhook(ctx context.Context, in *portalWebhookChange) (*webhook, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.changeWebhookOf(ctx, s, in.Body)
}

func (a *API) deletePortalWebhook(ctx context.Context, in *PortalID) (*struct{}, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return nil, a.Registry.DeleteWebhook(ctx, s)
}

func (a *API) getPortalWebhookStatus(ctx context.Context, in *PortalID) (*webhookStatus, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.webhookStatusOf(ctx, s)
}

func (a *API) getPortalReplayJob(ctx context.Context, in *PortalID) (*replayJob, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.replayJobOf(s)
}

func (a *API) startPortalReplayJob(ctx context.Context, in *newPortalReplayJob) (*replayJob, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.startReplayJobOf(ctx, s, in.Body)
}

func (a *API) listPortalSetAside(ctx context.Context, in *portalSetAsidePage) (*setAsideList, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.listSetAsideOf(ctx, s, in.CursorPage, strings.Replace(portalSetAsidePath, "{portalId}", s.Portal, 1))
}

func (a *API) getPortalSetAside(ctx context.Context, in *portalSetAsideID) (*setAsideOutput, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.getSetAsideOf(ctx, s, in.ID)
}

func (a *API) deletePortalSetAside(ctx context.Context, in *portalSetAsideID) (*struct{}, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return nil, a.setAsideProblem(ctx, a.Delivery.DeleteSetAside(ctx, s, in.ID))
}

func (a *API) resendPortalSetAside(ctx context.Context, in *portalSetAsideID) (*resentOutput, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.resend(ctx, s, in.ID)
}

func (a *API) resendAllPortalSetAside(ctx context.Context, in *PortalID) (*resentOutput, error) {
	s, err := a.portalScope(ctx, in.Portal)
	if err != nil {
		return nil, err
	}
	return a.resend(ctx, s, "")
}
