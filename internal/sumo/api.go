// Package sumo is the SIEM's API: the part of Sumo Logic's that manages
// collectors, HTTP sources and access keys, and its search jobs, in its paths,
// JSON and errors, so that its clients and its Terraform provider work unchanged;
// and Trailhook's own GET /trailhook/v1/search, GET /trailhook/v1/tail and
// /trailhook/v1/searches, the saved searches and their alerts.
//
// Every call authenticates with HTTP Basic, an access id and its key, whose role
// says what it may do. Calls leave audit events: see record.go. What
// Sumo Logic has and this package does not is refused with a message, not
// accepted in silence.
package sumo

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/jobs"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/parquet"
)

// Options are what New needs.
type Options struct {
	Catalog    *collector.Catalog
	Forwarder  *collector.Forwarder
	Alerts     *alert.Alerts
	Store      search.Store
	Feed       *collector.Feed       // what tails follow
	Exports    *parquet.Folder       // where Parquet files are made; nil: not at all
	Statistics *collector.Statistics // of the catalog's sources
	Recorder   *recorder.Recorder    // whose journal is a collector.Own
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
	// JobLimits bound search jobs; what is zero stands for the package's default.
	JobLimits jobs.Limits
	// BaseURL is how this server is reached from outside, such as
	// "https://siem.example.com": the addresses of sources begin with it.
	BaseURL string
	// AllowHTTPKeys lets sources name a JWKS at an http URL. Who can change
	// what such a URL answers decides which lines count as genuine.
	AllowHTTPKeys bool
}

// Service is the name under which the permission checks of this half appear.
const Service = "trailhook"

// API serves the paths that Routes registers.
type API struct {
	catalog       *collector.Catalog
	forwarder     *collector.Forwarder
	alerts        *alert.Alerts
	store         search.Store
	statistics    *collector.Statistics
	recorder      *recorder.Recorder
	failures      *failures
	jobs          *jobs.Jobs
	tails         *tails
	searches      *turns // of direct searches and exports
	exports       *turns
	metrics       *searchMetrics
	exportTo      *parquet.Folder
	logger        *slog.Logger
	baseURL       string
	allowHTTPKeys bool
}

// New makes the API. Close ends what runs in it beyond a call.
func New(o Options) *API {
	metrics := newSearchMetrics(o.Metrics)
	a := &API{
		catalog:       o.Catalog,
		forwarder:     o.Forwarder,
		alerts:        o.Alerts,
		store:         Scoped(o.Store),
		statistics:    o.Statistics,
		recorder:      o.Recorder,
		failures:      newFailures(o.Metrics),
		jobs:          jobs.New(Scoped(o.Store), o.JobLimits, o.Logger),
		tails:         newTails(o.Feed, metrics),
		searches:      newTurns(maxSearches, turnPatience, "too_many_searches", "%d searches run already: try again when one has ended, or make it a search job, which waits for its turn"),
		exports:       newTurns(maxExports, turnPatience, "too_many_exports", "%d exports run already: try again when one has ended"),
		metrics:       metrics,
		exportTo:      o.Exports,
		logger:        o.Logger,
		baseURL:       strings.TrimSuffix(o.BaseURL, "/"),
		allowHTTPKeys: o.AllowHTTPKeys,
	}
	metrics.watch(o.Metrics, a.jobs, a.tails)
	return a
}

// EndTails ends the tails, which would go on as long as their readers want, and
// lets no more begin: before a server's shutdown, which waits for all calls.
func (a *API) EndTails() { a.tails.end() }

// Close ends the tails and the search jobs, and waits for the jobs.
func (a *API) Close() {
	a.tails.end()
	a.jobs.Close()
}

// Routes registers the API's paths.
func (a *API) Routes(mux *http.ServeMux) {
	for path, e := range a.endpoints() {
		mux.Handle(path, a.serve(e))
	}
	mux.Handle("/api/v1/", a.serve(endpoint{}))
	mux.Handle("/trailhook/v1/", a.serve(endpoint{}))
}

// serve answers the requests of a path. Who has no key learns nothing about what
// there is.
func (a *API) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		c := &call{ResponseWriter: w, api: a, trail: a.recorder.Begin(r, "")}
		r, done := c.attach(r)
		defer done()
		handle, err := a.admit(c, r, e)
		if err == nil {
			err = handle(c, r)
		}
		if err != nil {
			a.fail(c, r, err)
		}
		c.WriteHeader(http.StatusOK) // in case that nothing was written
	})
}

// problem is an error as it is answered.
type problem struct {
	status  int
	code    string
	message string
}

func (p *problem) Error() string { return p.message }

func (p *problem) body(id string) map[string]any {
	return map[string]any{"status": p.status, "id": id, "code": p.code, "message": p.message}
}

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

// problemOf turns the errors of the packages below into answers.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if p := alertProblem(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, broker.ErrNotFound):
		return &problem{http.StatusNotFound, "not_found", "no such object"}
	case errors.Is(err, broker.ErrConflict):
		return &problem{http.StatusPreconditionFailed, "precondition_failed", "the object was changed by another meanwhile: read it again"}
	case errors.Is(err, collector.ErrLastAdministrator):
		return &problem{http.StatusConflict, "last_administrator", err.Error()}
	case errors.Is(err, collector.ErrNameTaken), errors.Is(err, collector.ErrInvalid):
		return &problem{http.StatusBadRequest, "invalid_request", err.Error()}
	case errors.Is(err, broker.ErrUnavailable):
		return &problem{http.StatusServiceUnavailable, "unavailable", "the change could not be made durable: try again later"}
	}
	return &problem{http.StatusInternalServerError, "internal_error", "the request failed: see the server's log for the id"}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	id := newErrorID()
	if p.status >= http.StatusInternalServerError {
		a.logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "id", id, "error", err)
	}
	if p.status == http.StatusServiceUnavailable || p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retryAfter)
	}
	body := p.body(id)
	if wrong, ok := errors.AsType[*queryProblem](err); ok {
		body["line"], body["column"] = wrong.line, wrong.column
	}
	answer(w, p.status, body)
}

const retryAfter = "5" // seconds

// newErrorID makes an id in the shape of Sumo Logic's: IUUQI-DGH5I-TJ045.
func newErrorID() string {
	id := make([]byte, 10)
	rand.Read(id) // never fails
	text := base32.StdEncoding.EncodeToString(id)
	return text[:5] + "-" + text[5:10] + "-" + text[10:15]
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(body) // an error is the client's going away
}
