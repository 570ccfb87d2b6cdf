// Package gateway is the data plane: a reverse proxy that takes its routes from
// a control plane, live, and records what passes.
//
// # Configuration
//
// A [Source] tells the core entities of the control plane (package entity), now
// and after each change. They are compiled into a table that requests use to
// their end, so a change costs no request anything. While the control plane is
// away the last table serves; nothing is served before there is one.
//
// Requests are matched by the rules of Kong's traditional router
// (https://developer.konghq.com/gateway/routing/traditional/): see router.go.
// Paths are matched and passed on in one form (RFC 3986, 6.2.2, with empty
// segments merged; see path.go), so that no spelling of a path gets around a route.
//
// # The audit plugin
//
// What passes a route with the plugin audit is recorded as events of the control
// plane's organization. With blocking, which is the default, no action goes
// unrecorded:
//
//   - A request whose method is not safe (RFC 9110, 9.2.1) may change something.
//     That it was let through is on disk, as an authorization event, before a
//     byte of it is sent on; that it was answered, with the status, as an access
//     event of the same trace, before a byte of the answer is. If the first
//     cannot be recorded the answer is 503 and nothing was done. If only the
//     second cannot, the answer is withheld, 503 is sent, and the record tells
//     that the request was let through.
//   - A safe request changes nothing: its access event is on disk before the
//     answer is sent, so nothing is read unrecorded. If it cannot be, the answer
//     is withheld.
//
// To record the outcome alone would leave the change of a request unrecorded
// whose answer was lost, and to record the intent of reads too would cost a
// second commit and say nothing more. Interim answers (1xx) are held back.
// Commits are shared by all requests that wait. An answer of the gateway's own
// (401, 404, 429, 503) is recorded as any other.
//
// Without blocking, events wait in a bounded queue; what does not fit is dropped
// and counted.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
)

// Configuration is what a control plane tells at one moment.
type Configuration struct {
	Entities     *entity.Set
	Organization string // whose events the audit plugin records
	Region       string
}

// Source tells the configuration.
type Source interface {
	// Follow calls apply with the configuration as it is and again whenever it
	// has changed, in the caller's goroutine, until ctx ends. What goes wrong
	// meanwhile is its own affair: it tries again.
	Follow(ctx context.Context, apply func(Configuration))
}

// Options are what a gateway needs.
type Options struct {
	Source   Source
	Recorder *recorder.Recorder // of the audit plugin's events
	Client   *outbound.Client   // of the http-log plugin
	Upstream outbound.Policy    // which addresses services may be at
	Version  string             // in Via and Server
	Logger   *slog.Logger
	Metrics  prometheus.Registerer // nil: nowhere
	Now      func() time.Time      // nil: time.Now
}

// Gateway is the data plane. It is an [http.Handler].
type Gateway struct {
	Options
	table      atomic.Pointer[table]
	transports transports
	limiter    limiter
	logs       logQueues
	audits     auditQueue
	metrics    *metrics
	ready      chan struct{} // closed when there is a table
	// clientPause is how long a client may take between two reads of its request's
	// body, or two writes of its answer.
	clientPause time.Duration
	once        sync.Once
}

// New makes a gateway that has no configuration yet; [Gateway.Run] brings it.
func New(o Options) *Gateway {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{Options: o, metrics: newMetrics(o.Metrics), ready: make(chan struct{}), clientPause: time.Minute}
	g.transports.policy = o.Upstream
	g.limiter.counts = map[limitKey]int64{}
	g.logs = logQueues{gateway: g, queues: map[string]*logQueue{}, ending: make(chan struct{})}
	g.audits.waiting = make(chan queuedAudit, auditQueueSize)
	return g
}

// Run follows the source and sends what is logged, until ctx ends. What is in
// the queues then is still sent, within a few seconds.
func (g *Gateway) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { g.audits.run(ctx, g) })
	g.Source.Follow(ctx, g.apply)
	running.Wait()
	g.logs.close()
	g.transports.keep(nil)
}

// Ready is closed when the gateway has had a configuration.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// apply takes a configuration over for the requests from now on.
func (g *Gateway) apply(c Configuration) {
	t, err := g.compile(c)
	if err != nil {
		// The control plane checks what it takes; this is one of another version.
		g.Logger.Error("a part of the configuration cannot be served and is left out", "error", err)
	}
	g.table.Store(t)
	g.transports.keep(t.transports)
	g.logs.keep(t.logs)
	g.metrics.routes.Set(float64(t.routes))
	g.metrics.configured.SetToCurrentTime()
	g.once.Do(func() { close(g.ready) })
	g.Logger.Info("the data plane has a new configuration", "services", len(c.Entities.All(entity.Services)), "routes", t.routes, "plugins", len(c.Entities.All(entity.Plugins)))
}

// ServeHTTP implements [http.Handler].
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange{gateway: g, table: g.table.Load(), begun: g.Now()}
	x.serve(w, r)
}
