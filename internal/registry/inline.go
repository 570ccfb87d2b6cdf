package registry

import (
	"context"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// inline reports whether the change is of the webhook's own endpoint.
func (c WebhookChange) inline() bool { return c.Inline != nil && *c.Inline != DestinationChange{} }

// createInline makes the destination that belongs to the webhook alone: what it
// sends to until now, changed. It is another object each time, so that the one
// write of the webhook makes all of a change true at once.
func (r *Registry) createInline(ctx context.Context, w Webhook, change DestinationChange) (id string, err error) {
	d, authorization := Destination{OrgID: w.OrgID, LogFormat: audit.CEF}, ""
	if w.DestinationID != "" {
		if d, err = r.Destination(w.OrgID, w.DestinationID); err != nil {
			return "", err
		}
		if change.Authorization == nil {
			if authorization, err = r.Authorization(d); err != nil {
				return "", err
			}
		}
	}
	set(&authorization, change.Authorization)
	d = change.apply(d)
	d.Name, d.Inline = "the webhook's own in "+w.Scope().String(), w.Scope().key()
	if d.Endpoint == "" {
		return "", &InvalidError{"endpoint", "required", "a webhook needs an endpoint"}
	}
	d, err = r.createDestination(ctx, d, authorization)
	return d.ID, err
}

// inlineLease is for how long an inline destination may have no webhook: one
// that is older was left behind.
const inlineLease = time.Minute

// dropInline deletes the scope's inline destinations to which the webhook does
// not refer: the one with the id, which it has let go of, and what was left by a
// crash. Whatever stays when this fails, the next change finds.
func (r *Registry) dropInline(ctx context.Context, w Webhook, id string) {
	for _, entry := range r.destinations.List(w.OrgID + ".") {
		d := entry.Value
		if d.Inline != w.Scope().key() || d.ID == w.DestinationID {
			continue
		}
		if d.ID == id || r.now().Sub(d.CreatedAt) > inlineLease {
			_ = r.destinations.Delete(ctx, entry.Key, entry.Revision)
		}
	}
}
