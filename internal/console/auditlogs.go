package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

func auditLogRoutes() []route {
	return slices.Concat([]route{
		{"GET /audit-logs", platform, showAuditLogs},
		{"GET /audit-logs/live", platform, showDelivery},
		{"POST /audit-logs/webhook", platform, changeWebhook},
		{"POST /audit-logs/webhook/delete", platform, deleteWebhook},
	}, firstStepRoutes(), destinationRoutes(), setAsideRoutes(), replayRoutes())
}

// auditLogsView is the page of a scope's webhook.
type auditLogsView struct {
	setup
	Delivery     deliveryView
	Webhook      webhook
	Destinations []destination
	Destination  *destination // that the webhook sends to
	Keys         string       // address of the keys that verify the lines
	Hooks        []hookRow    // of the organization and its portals, if there are portals
	MoreHooks    int          // that are not among them
	First        *firstSteps  // until the webhook is set up
	Search       bool         // the lines can be searched here
	Error        string       // of the form
}

// Choosable says that there is something to choose: what is not sent to yet.
func (a auditLogsView) Choosable() bool {
	return len(a.Destinations) > 1 || len(a.Destinations) == 1 && (a.Destination == nil || !a.Delivery.Status.Enabled)
}

// webhook is what the API has; an empty one is not set up.
type webhook struct {
	DestinationID string `json:"audit_log_destination_id"`
	Enabled       bool   `json:"enabled"`
}

// deliveryView is the part of the page that scripts renew.
type deliveryView struct {
	Status   webhookStatus
	Standing standing
	Backlog  *backlogChart // nil: the API has no history
	Scope    scope
	At       time.Time
}

// Over is the time that its chart is about, as the address has it.
func (d deliveryView) Over() string {
	if d.Backlog != nil && d.Backlog.Day {
		return "day"
	}
	return ""
}

// Answer is that of the last delivery.
func (d deliveryView) Answer() string { return answerWords(d.Status.LastCode, d.Status.LastMessage) }

// hookRow is one of the webhooks, in a table.
type hookRow struct {
	Name     string
	Standing standing
	Address  string
	Current  bool
}

func showAuditLogs(v *visit) error {
	view, err := v.auditLogs()
	if err != nil {
		return err
	}
	return v.show("auditlogs", view)
}

func (v *visit) auditLogs() (view auditLogsView, err error) {
	if view.setup, err = v.setup("Webhook"); err != nil {
		return view, err
	}
	if view.Delivery, err = v.delivery(view.Scope); err != nil {
		return view, err
	}
	if view.Webhook, err = v.webhook(view.Scope); err != nil {
		return view, err
	}
	if view.Destinations, err = v.destinations(); err != nil {
		return view, err
	}
	if at := slices.IndexFunc(view.Destinations, func(d destination) bool { return d.ID == view.Webhook.DestinationID }); at >= 0 {
		view.Destination = &view.Destinations[at]
	}
	view.Keys = v.console.urls[platformHalf] + "/v2/audit-log-webhook/jwks.json"
	view.Hooks, view.MoreHooks = v.hooks(view.setup, view.Delivery.Standing)
	view.Search = v.session.holds(siemHalf)
	if view.Delivery.Status.Unconfigured() && view.MayEdit {
		view.First = v.firstSteps(view.Scope, view.Destinations)
	}
	return view, nil
}

// webhook returns the scope's, or an empty one.
func (v *visit) webhook(s scope) (w webhook, err error) {
	err = v.get(v.ctx(), platformHalf, s.konnect("audit-log-webhook"), nil, &w)
	if isMissing(err) && s.Portal == "" {
		return webhook{}, nil
	}
	if isMissing(err) { // the webhook, or the portal?
		err = v.get(v.ctx(), platformHalf, s.konnect(), nil, nil)
	}
	return w, err
}

func isMissing(err error) bool {
	refused, ok := errors.AsType[*apiError](err)
	return ok && refused.Status == http.StatusNotFound
}

// showDelivery is the part of the page that a script fetches again and again.
func showDelivery(v *visit) error {
	d, err := v.delivery(v.scope())
	if err != nil {
		return err
	}
	return v.fragment("auditlogs", "delivery", d)
}

func (v *visit) delivery(s scope) (deliveryView, error) {
	now := v.console.now()
	d := deliveryView{Scope: s, At: now}
	if err := v.get(v.ctx(), platformHalf, s.konnect("audit-log-webhook", "status"), nil, &d.Status); err != nil {
		return d, err
	}
	d.Standing = standingOf(d.Status, now)
	if d.Status.Unconfigured() {
		return d, nil
	}
	var history backlogHistory
	err := v.get(v.ctx(), platformHalf, s.own("audit-log-webhook", "backlog"), nil, &history)
	if isMissing(err) {
		return d, nil // an API that has none, or the webhook was deleted just now
	}
	if err != nil {
		return d, err
	}
	d.Backlog = newBacklogChart(history, v.query("over"), now)
	return d, nil
}

// mostHooks is how many portals' webhooks the page asks about.
const mostHooks = 20

// hooks are the webhooks of the organization and of the portals that have one,
// with the current scope's status as it is known. One that cannot be asked about
// is left out.
func (v *visit) hooks(s setup, current standing) (rows []hookRow, more int) {
	if len(s.Portals) == 0 {
		return nil, 0
	}
	add := func(name string, of scope) {
		row := hookRow{Name: name, Standing: current, Address: of.at("/audit-logs"), Current: of == s.Scope}
		if !row.Current {
			var status webhookStatus
			if v.get(v.ctx(), platformHalf, of.konnect("audit-log-webhook", "status"), nil, &status) != nil {
				return
			}
			if status.Unconfigured() && of.Portal != "" {
				return
			}
			row.Standing = standingOf(status, v.console.now())
		}
		rows = append(rows, row)
	}
	add("The organization", scope{Region: s.Scope.Region})
	for _, p := range s.Portals[:min(len(s.Portals), mostHooks)] {
		add("Portal "+p.Name, scope{s.Scope.Region, p.ID})
	}
	return rows, max(0, len(s.Portals)-mostHooks)
}

// changeWebhook enables or disables the webhook, or has it send elsewhere.
func changeWebhook(v *visit) error {
	s := v.scope()
	change := map[string]any{}
	notice := "The webhook sends to the chosen destination."
	if v.r.PostForm.Has("destination") {
		change["audit_log_destination_id"] = v.form("destination")
	}
	switch v.form("enabled") {
	case "true":
		change["enabled"], notice = true, "The webhook is enabled: what is recorded from now on is sent."
	case "false":
		change["enabled"], notice = false, "The webhook is disabled: nothing is sent until it is enabled again."
	}
	err := v.send(v.ctx(), platformHalf, http.MethodPatch, s.konnect("audit-log-webhook"), change, nil)
	if reasons := fieldErrors(err); len(reasons) > 0 {
		return v.webhookRefused(reasons, err)
	}
	if err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs"), notice)
}

func (v *visit) webhookRefused(reasons map[string]string, cause error) error {
	view, err := v.auditLogs()
	if err != nil {
		return err
	}
	reason, ok := reasons["audit_log_destination_id"]
	if !ok {
		return cause
	}
	view.Error = sentence(reason)
	return v.showStatus("auditlogs", http.StatusBadRequest, view)
}

func deleteWebhook(v *visit) error {
	s := v.scope()
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, s.konnect("audit-log-webhook"), nil, nil); err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs"), "The webhook is deleted. Events are recorded as before, and are sent nowhere.")
}

// listed asks for all of a list that is read page by page with cursors, up to
// most items.
func listed[T any](ctx context.Context, v *visit, path string, most int) ([]T, error) {
	var all []T
	for next := path; next != "" && len(all) < most; {
		var page struct {
			Data []T
			Meta struct{ Next string }
		}
		where, query := cutQuery(next)
		if err := v.get(ctx, platformHalf, where, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		next = page.Meta.Next
	}
	return all, nil
}
