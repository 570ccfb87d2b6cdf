package delivery

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

const (
	region = "us"
	// patience is how long a test waits for what must come.
	patience = time.Minute
	// never is a pause that no test waits out.
	never = 24 * time.Hour
)

// instant is the present of the tests' clock.
var instant = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// platform is delivery running on its real engines.
type platform struct {
	*testing.T
	registry *registry.Registry
	journal  *journal.Journal
	manager  *Manager
	cancel   context.CancelFunc
	ended    chan struct{} // closed when Run has returned
	stop     func()        // as the server stops it: Run first, then the engines
}

// start opens the platform of the folder. A refused batch waits for ever,
// unless a test wants it otherwise.
func start(t *testing.T, dir string, adjust ...func(*Options)) *platform {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return instant }
	p := &platform{T: t, ended: make(chan struct{})}
	if p.registry, err = registry.Open(t.Context(), b, registry.Options{Sealer: sealer, AllowHTTP: true, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if p.journal, err = journal.Open(t.Context(), b, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	options := Options{
		Registry: p.registry, Journal: p.journal, Broker: b,
		Client:    outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}}),
		UserAgent: "trailhook/test", Logger: logger, Metrics: prometheus.NewRegistry(), Now: now,
		MinPause: never, MaxPause: never,
	}
	for _, change := range adjust {
		change(&options)
	}
	if p.manager, err = Open(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	p.run(b)
	return p
}

func (p *platform) run(b *broker.Broker) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.manager.Run(ctx)
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-p.ended
		p.journal.Close()
		p.manager.Close()
		p.registry.Close()
		b.Close()
	})
	p.Cleanup(p.stop)
}

// endsWithin checks that Run returns before the limit, which is far more than
// it needs and far less than what it must not wait for.
func (p *platform) endsWithin(limit time.Duration) {
	p.Helper()
	p.cancel()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.Fatalf("Run has not returned within %v", limit)
	}
}

// organization makes a tenant whose events a test records and receives. As on
// a server, the journal holds the event of the call that made it.
func (p *platform) organization() *tenant {
	p.Helper()
	if err := p.journal.Append(p.Context(), region, event("operator", 1, "test/1")); err != nil {
		p.Fatal(err)
	}
	org, err := p.registry.CreateOrganization(p.Context(), "org")
	if err != nil {
		p.Fatal(err)
	}
	return &tenant{platform: p, id: org.ID}
}

// tenant is an organization of a platform.
type tenant struct {
	*platform
	id       string
	portal   string // "": its events and its webhook are the organization's own
	recorded int    // its events are numbered from 1, by their trace ids
}

// scope is what the tenant's webhook and replay job are for.
func (o *tenant) scope() registry.Scope {
	return registry.Scope{Region: region, Organization: o.id, Portal: o.portal}
}

// after is the same tenant on the platform that was started anew.
func (o *tenant) after(restarted *platform) *tenant {
	return &tenant{platform: restarted, id: o.id, recorded: o.recorded}
}

// record appends the next n events in one commit.
func (o *tenant) record(n int) { o.recordAs(n, "test/1") }

// recordAs is record with a user agent, by which a test makes lines long.
func (o *tenant) recordAs(n int, userAgent string) {
	o.Helper()
	events := make([]audit.Event, n)
	for i := range events {
		o.recorded++
		events[i] = event(o.id, o.recorded, userAgent)
		if o.portal != "" {
			events[i].PortalID, events[i].Product = o.portal, audit.ProductDevPortal
		}
	}
	if err := o.journal.Append(o.Context(), region, events...); err != nil {
		o.Error(err)
	}
}

func event(org string, number int, userAgent string) audit.Event {
	return audit.Event{
		Kind: audit.Authorization, Time: instant, Product: audit.ProductKonnect,
		Source: "192.0.2.7", OrgID: org, PrincipalID: "someone", TraceID: uint64(number), UserAgent: userAgent,
		Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
}

// destination makes one at the URL.
func (o *tenant) destination(url string, format audit.Format, authorization string) string {
	o.Helper()
	made, err := o.registry.CreateDestination(o.Context(), registry.Destination{
		OrgID: o.id, Name: "siem", Endpoint: url, LogFormat: format,
	}, authorization)
	if err != nil {
		o.Fatal(err)
	}
	return made.ID
}

// sendTo enables the webhook with a new destination at the receiver.
func (o *tenant) sendTo(r *receiver) {
	o.Helper()
	destination, enabled := o.destination(r.URL, audit.CEF, "key"), true
	o.change(registry.WebhookChange{DestinationID: &destination, Enabled: &enabled})
}

// enable enables the webhook or disables it.
func (o *tenant) enable(enabled bool) {
	o.Helper()
	o.change(registry.WebhookChange{Enabled: &enabled})
}

func (o *tenant) change(change registry.WebhookChange) {
	o.Helper()
	last := func(ctx context.Context) (uint64, error) {
		last, err := o.journal.Last(ctx)
		return uint64(last), err
	}
	if _, err := o.registry.ChangeWebhook(o.Context(), o.scope(), change, last); err != nil {
		o.Error(err)
	}
}

func (o *tenant) deleteWebhook() {
	o.Helper()
	if err := o.registry.DeleteWebhook(o.Context(), o.scope()); err != nil {
		o.Fatal(err)
	}
}

// backlog records while the webhook is disabled, so that all of it is there
// when it is enabled.
func (o *tenant) backlog(r *receiver, record func()) {
	o.Helper()
	o.sendTo(r)
	o.enable(false)
	record()
	o.enable(true)
}

func (o *tenant) webhook() registry.Webhook {
	o.Helper()
	hook, err := o.registry.Webhook(o.scope())
	if err != nil {
		o.Fatal(err)
	}
	return hook
}

func (o *tenant) status() Status {
	o.Helper()
	return o.manager.Status(o.webhook())
}

// awaitStatus waits until the webhook is reported so.
func (o *tenant) awaitStatus(want string) {
	o.Helper()
	o.await(func() bool {
		got := o.status()
		return got.Webhook == want && !got.LastAttemptAt.IsZero()
	})
}

// await waits until the states of the webhooks are as the test wants them.
func (p *platform) await(reached func() bool) {
	p.Helper()
	limit := time.After(patience)
	for {
		changed := p.manager.states.Changed()
		if reached() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			p.Fatalf("still waiting; the states are %+v", p.manager.states.List(""))
		}
	}
}
