package konnect

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

type auditLogQuery struct {
	StrictQuery
	Size   int       `query:"page[size]" minimum:"1" maximum:"1000" default:"20" doc:"How many entries a page holds at most. With a filter it may hold fewer, or none, and still have a next one."`
	After  string    `query:"page[after]" doc:"The cursor that a page gave as next: older entries."`
	Before string    `query:"page[before]" doc:"The cursor that a page gave as previous: newer entries."`
	Since  time.Time `query:"filter[ts][gte]" doc:"Entries whose ts is this or later."`
	Until  time.Time `query:"filter[ts][lte]" doc:"Entries whose ts is this or earlier."`
	Type   string    `query:"filter[type]" enum:"authorization,authentication,gateway_access" doc:"Entries of this type."`
}

// kinds are the events' kinds by the names that the pull API has for them.
var kinds = map[string]audit.Kind{
	"authorization": audit.Authorization, "authentication": audit.Authentication, "gateway_access": audit.Access,
}

// wants says whether the entry of an event is asked for.
func (q *auditLogQuery) wants(e *audit.Event) bool {
	return (q.Type == "" || e.Kind == kinds[q.Type]) &&
		(q.Since.IsZero() || !e.Time.Before(q.Since)) &&
		(q.Until.IsZero() || !e.Time.After(q.Until))
}

func (q *auditLogQuery) links(path string) links {
	filters := url.Values{"filter[type]": {q.Type}}
	for name, at := range map[string]time.Time{"filter[ts][gte]": q.Since, "filter[ts][lte]": q.Until} {
		if !at.IsZero() {
			filters.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return links{path, q.Size, filters}
}

type auditLogPage struct {
	Body struct {
		Data []auditLogEntry `json:"data" nullable:"false"`
		Meta struct {
			Page cursorMeta `json:"page"`
		} `json:"meta"`
	}
}

func (a *API) auditLogRoutes() {
	for version, suffix := range map[string]string{"/v3": "", "/v2": "-v2"} {
		path := version + "/audit-logs"
		register(a, route{"list-audit-logs" + suffix, http.MethodGet, path, "List the region's audit events, newest first",
			registry.List, "audit-logs", http.StatusOK, "Audit logs"}, a.listAuditLogs(path))
	}
}

func (a *API) listAuditLogs(path string) func(context.Context, *auditLogQuery) (*auditLogPage, error) {
	return func(ctx context.Context, in *auditLogQuery) (*auditLogPage, error) {
		p, err := a.pull(ctx, in)
		if err != nil {
			return nil, err
		}
		signers := a.Registry.Signers()
		out := &auditLogPage{}
		out.Body.Meta.Page = p.meta(in.links(path))
		out.Body.Data = make([]auditLogEntry, len(p.entries))
		for i := range p.entries {
			signer, err := signers.At(p.entries[i].Stored)
			if err != nil {
				return nil, err
			}
			out.Body.Data[i].RawMessage = signer.AppendPull(nil, &p.entries[i].Event)
		}
		return out, nil
	}
}
