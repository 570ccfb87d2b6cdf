// Package konnect is the platform's HTTP API, compatible with Kong Konnect's
// audit-log API and what its clients need around it.
//
// Every request takes the same way: its token is authenticated, the permission
// is checked, both results are recorded and on disk, and only then does the
// handler act. A request that changes something is recorded once more with the
// status of its answer before the answer leaves. Whatever cannot be recorded
// is answered with 503 and, where the handler has not acted yet, not done.
// A request beyond a rate limit is none: it is refused before all this.
package konnect

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
)

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// patience is how long a request may take once its body has been read.
const patience = time.Minute

// Options are what the API needs.
type Options struct {
	Registry *registry.Registry
	Recorder *recorder.Recorder
	Journal  *journal.Journal
	Delivery *delivery.Manager
	Logger   *slog.Logger
	Region   string // of hosts that name none
	BaseURL  string // where clients reach this API, without a path: https://us.api.example.com
	Version  string
	Rates    Rates
	Metrics  prometheus.Registerer // nil: nowhere
}

// API serves the endpoints. It is an [http.Handler].
type API struct {
	Options
	mux     *http.ServeMux
	huma    huma.API
	mounted map[string]bool // the patterns of other packages' endpoints
	limits  *rateLimits
	trials  trials
	ending  chan struct{} // closed when nobody is to wait any more
	end     sync.Once
}

// New makes the API.
func New(o Options) *API {
	a := &API{Options: o, mux: http.NewServeMux(), mounted: map[string]bool{}, limits: newRateLimits(o.Rates, o.Metrics), ending: make(chan struct{})}
	config := huma.DefaultConfig("Trailhook", o.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // documentRoutes serves them
	config.CreateHooks = nil                                             // no $schema in answers: Konnect's have none
	describe(config.OpenAPI)
	config.Formats = map[string]huma.Format{
		"application/json": {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decodeBody},
		"json":             {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decodeBody}, // application/merge-patch+json
	}
	a.huma = humago.New(a.mux, config)
	a.controlPlaneRoutes()
	a.destinationRoutes()
	a.auditLogRoutes()
	a.trialRoutes()
	a.webhookRoutes()
	a.inlineWebhookRoutes()
	a.backlogRoutes()
	a.setAsideRoutes()
	a.replayRoutes()
	a.keyRoutes()
	a.organizationRoutes()
	a.userRoutes()
	a.meRoutes()
	a.tokenRoutes()
	a.systemAccountRoutes()
	a.systemTokenRoutes()
	a.roleRoutes()
	a.portalRoutes()
	a.portalAuditLogRoutes()
	a.portalPartRoutes()
	a.developerRoutes()
	a.runtimeGroupRoutes()
	a.coreEntityRoutes()
	a.configurationRoutes()
	a.documentRoutes()
	return a
}

// EndWaits answers who waits for a change, and lets nobody wait any more.
func (a *API) EndWaits() { a.end.Do(func() { close(a.ending) }) }

// call is what is known of the request being served.
type call struct {
	trail   *recorder.Trail
	region  string
	user    registry.Principal // set once the request is admitted
	portal  registry.Portal    // that a developer logs in to
	token   [sha256.Size]byte  // the hash of a good token
	tokenID string             // and its id
	mounted bool               // the endpoint is another package's
	wait    time.Duration      // how long a rate limit refuses the caller; 0: it let the request through
}

// scope is the caller's organization in the request's region.
func (c *call) scope() registry.Scope {
	return registry.Scope{Region: c.region, Organization: c.user.OrgID}
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	region := regionOf(r.Host, a.Region)
	c := &call{trail: a.Recorder.Begin(r, region), region: region}
	ctx, cancel := detached(r.Context())
	defer cancel()
	r = plain(r.WithContext(context.WithValue(ctx, callKey{}, c)))
	answer := newAnswer()
	answer.Header().Set("X-Request-Id", strconv.FormatUint(c.trail.TraceID(), 10))
	a.serve(answer, r)
	if c.wait > 0 {
		answer.Header().Set("Retry-After", retryAfter(c.wait))
	} else if changes(r.Method) {
		c.trail.Accessed(answer.status)
		// The action may be done: its record must not fail for want of time.
		if err := c.trail.Commit(context.WithoutCancel(ctx)); err != nil {
			a.Logger.Error("cannot record a request; answering 503", "trace_id", c.trail.TraceID(), "error", err)
			answer.reset()
			writeProblem(answer, c.unrecorded())
		}
	}
	answer.writeTo(w)
}

// detached is a context that does not end with the client's connection: who
// hangs up can neither keep a call from being recorded nor make the record
// tell of a failure when the action was done.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// plain takes out of a request's headers what would only lead astray: Accept,
// since every answer is JSON, and the case and parameters of Content-Type.
func plain(r *http.Request) *http.Request {
	r.Header = r.Header.Clone()
	r.Header.Del("Accept")
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil {
		r.Header.Set("Content-Type", mediaType)
	}
	return r
}

// serve lets the handler of the route answer, or says why there is none.
func (a *API) serve(answer *answer, r *http.Request) {
	c := callOf(r.Context())
	defer func() {
		if p := recover(); p != nil {
			a.Logger.Error("panic in a handler", "panic", p, "trace_id", c.trail.TraceID(), "stack", string(debug.Stack()))
			answer.reset()
			writeProblem(answer, c.problem(http.StatusInternalServerError, "Something went wrong on our side. The trace id finds it in the log."))
		}
	}()
	handler, pattern := a.mux.Handler(r)
	// The mux would redirect an unclean path to its clean form, unseen by the guard.
	address := r.URL.EscapedPath()
	found := pattern != "" && path.Clean(address) == address
	c.mounted = found && a.mounted[pattern]
	if problem := a.limits.request(c); problem != nil {
		writeProblem(answer, problem)
		return
	}
	if found {
		a.mux.ServeHTTP(answer, r)
		return
	}
	if problem := a.authenticate(r.Context(), r.Header); problem != nil {
		writeProblem(answer, problem)
		return
	}
	if err := c.trail.Commit(r.Context()); err != nil {
		writeProblem(answer, c.unrecorded())
		return
	}
	why := newAnswer()
	handler.ServeHTTP(why, r)
	if why.status == http.StatusMethodNotAllowed {
		allowed := why.Header().Get("Allow")
		answer.Header().Set("Allow", allowed)
		writeProblem(answer, c.problem(http.StatusMethodNotAllowed, "This address takes "+allowed+"."))
		return
	}
	writeProblem(answer, c.problem(http.StatusNotFound, "There is nothing at this address."))
}

// route is an endpoint: what it is called, what a caller must be allowed to do,
// and the status of its success.
type route struct {
	id       string // operation id
	method   string
	path     string
	summary  string
	action   string // of the permission check; empty: anybody may call, and it leaves no events
	resource string // of the permission check; {parameters} are those of the path
	status   int
	tag      string
}

// register adds an endpoint. Its handler returns errors of the packages below,
// which become problems.
func register[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	operation := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary,
		DefaultStatus: r.status, MaxBodyBytes: maxBody + 1, Tags: []string{r.tag},
	}
	if r.action != "" {
		demand(&operation, r.action, r.resource)
		operation.Middlewares = huma.Middlewares{a.guard(r.action, r.resource)}
	}
	handle(a, operation, handler)
}

func handle[I, O any](a *API, operation huma.Operation, handler func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, operation, func(ctx context.Context, input *I) (*O, error) {
		output, err := handler(ctx, input)
		if err != nil {
			return nil, a.problemOf(callOf(ctx), err)
		}
		return output, nil
	})
}

// changes reports whether a request of the method leaves an access event.
func changes(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}
