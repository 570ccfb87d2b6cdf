// Package recorder turns what happened in a request into audit events and
// makes them durable.
//
// A request has one [Trail]. What is known about it, and everything it causes,
// is added to the trail as it happens; [Trail.Commit] writes what was added
// since the last commit. The API commits a trail before it carries an action
// out, and again before it answers: what could not be recorded does not happen,
// and nobody is told of what is not on disk.
package recorder

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// Service is the name under which the platform's own permission checks appear.
const Service = "konnect"

// Journal is where events become durable: internal/journal on the platform's
// half, the collector's intake on the SIEM's.
type Journal interface {
	// Append returns when all events are on disk, or an error when none
	// (or not surely any) is.
	Append(ctx context.Context, region string, events ...audit.Event) error
}

// Options are what a recorder needs.
type Options struct {
	Journal Journal
	Service string // that checks permissions; empty: [Service]
	Now     func() time.Time
	// TrustedProxies are the networks whose word on a client's address and on a
	// trace id is taken. Everybody else's headers are not looked at.
	TrustedProxies []netip.Prefix
	// PrincipalNames puts the names of principals into the events, beside their
	// ids.
	PrincipalNames bool
}

// Recorder begins trails.
type Recorder struct{ Options }

// New returns a recorder.
func New(o Options) *Recorder {
	o.Service = cmp.Or(o.Service, Service)
	return &Recorder{o}
}

// Trail gathers the events of one request. It belongs to one goroutine.
type Trail struct {
	recorder *Recorder
	region   string
	request  audit.Event // what all events of the request share
	method   string
	path     string
	query    string
	pending  []audit.Event
}

// Begin starts the trail of a request that came in for a region. Nothing the
// client sent decides more than the text of its own fields.
func (r *Recorder) Begin(req *http.Request, region string) *Trail {
	source, trace := r.origin(req)
	return &Trail{
		recorder: r,
		region:   region,
		request: audit.Event{
			Product:   audit.ProductKonnect,
			Source:    source,
			TraceID:   trace,
			UserAgent: req.UserAgent(),
		},
		method: req.Method,
		path:   req.URL.EscapedPath(),
		query:  req.URL.RawQuery,
	}
}

// TraceID identifies the request in all its events: 63 bits, never 0.
func (t *Trail) TraceID() uint64 { return t.request.TraceID }

// Source is the address that the request came from, as its events tell it.
func (t *Trail) Source() string { return t.request.Source }

// Principal is who a request turned out to come from.
type Principal struct {
	OrgID string
	ID    string
	Name  string
}

// InPortal has the trail's events be of an organization's portal, in the region
// that the portal is in. It is to be called before anything is added.
func (t *Trail) InPortal(organization, region, portal string) {
	t.region = region
	t.request.Product, t.request.OrgID, t.request.PortalID = audit.ProductDevPortal, organization, portal
}

// Authenticated adds the use, or failed use, of a credential. The principal is
// as much as is known of it; the trail's later events carry it.
func (t *Trail) Authenticated(how audit.AuthType, outcome audit.Outcome, who Principal) {
	t.request.OrgID, t.request.PrincipalID = who.OrgID, who.ID
	if t.recorder.PrincipalNames {
		t.request.PrincipalName = who.Name
	}
	event := t.event(audit.Authentication)
	event.AuthType, event.Outcome, event.Request = how, outcome, t.path
	t.pending = append(t.pending, event)
}

// InRegion has the trail's events be of the region. It is to be called before
// anything is added.
func (t *Trail) InRegion(region string) { t.region = region }

// Region is the region that the trail's events are of.
func (t *Trail) Region() string { return t.region }

// Of says whose the trail's later events are, where it was found out otherwise
// than by a credential of the platform.
func (t *Trail) Of(who Principal) {
	t.request.OrgID, t.request.PrincipalID, t.request.PrincipalName = who.OrgID, who.ID, ""
	if t.recorder.PrincipalNames {
		t.request.PrincipalName = who.Name
	}
}

// Authorized adds a permission check and its result.
func (t *Trail) Authorized(action, resource string, granted bool) {
	event := t.event(audit.Authorization)
	event.Service, event.Resource, event.Action, event.Granted, event.Request = t.recorder.Service, resource, action, granted, t.path
	t.pending = append(t.pending, event)
}

// Asked says what a request asks for, for its access event, where that is not in
// its address.
func (t *Trail) Asked(query string) { t.query = query }

// Accessed adds the request itself with the status of its answer.
func (t *Trail) Accessed(status int) {
	event := t.event(audit.Access)
	event.Request, event.Method, event.Status, event.Query = t.path, t.method, status, t.query
	t.pending = append(t.pending, event)
}

// TestResource is what a test event is about: no permission is ever checked on it.
const TestResource = "trailhook/test"

// Test returns an event of the request for trying a destination out. It is
// marked by its resource and not added: it did not happen.
func (t *Trail) Test() audit.Event {
	event := t.event(audit.Authorization)
	event.Service, event.Resource, event.Action, event.Granted, event.Request = t.recorder.Service, TestResource, "retrieve", true, t.path
	return event
}

// Commit makes what was added durable. After an error the same events are
// tried again by the next Commit.
func (t *Trail) Commit(ctx context.Context) error {
	if err := t.recorder.Journal.Append(ctx, t.region, t.pending...); err != nil {
		return err
	}
	t.pending = nil
	return nil
}

// Drop forgets what was added since the last commit, for who records it
// otherwise. Who the request comes from stays known.
func (t *Trail) Drop() { t.pending = nil }

// Take hands over what was added since the last commit, for who commits the
// events of several requests together.
func (t *Trail) Take() []audit.Event {
	taken := t.pending
	t.pending = nil
	return taken
}

func (t *Trail) event(kind audit.Kind) audit.Event {
	event := t.request
	event.Kind = kind
	event.Time = t.recorder.Now().UTC().Truncate(time.Millisecond)
	return event
}
