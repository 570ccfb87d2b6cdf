// Package sumo is the SIEM's API: the part of Sumo Logic's that manages
// collectors, HTTP sources and access keys, in its paths, JSON and errors, so
// that its clients and its Terraform provider work unchanged; and Trailhook's
// own search, GET /trailhook/v1/search.
//
// Every call authenticates with HTTP Basic, an access id and its key. What
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

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/search"
)

// Options are what New needs.
type Options struct {
	Catalog *collector.Catalog
	Store   search.Store
	Logger  *slog.Logger
	// BaseURL is how this server is reached from outside, such as
	// "https://siem.example.com": the addresses of sources begin with it.
	BaseURL string
	// AllowHTTPKeys lets sources name a JWKS at an http URL. Who can change
	// what such a URL answers decides which lines count as genuine.
	AllowHTTPKeys bool
}

// API serves the paths that Routes registers.
type API struct {
	catalog       *collector.Catalog
	store         search.Store
	logger        *slog.Logger
	baseURL       string
	allowHTTPKeys bool
}

// New makes the API.
func New(o Options) *API {
	return &API{
		catalog:       o.Catalog,
		store:         o.Store,
		logger:        o.Logger,
		baseURL:       strings.TrimSuffix(o.BaseURL, "/"),
		allowHTTPKeys: o.AllowHTTPKeys,
	}
}

// Routes registers the API's paths.
func (a *API) Routes(mux *http.ServeMux) {
	type methods map[string]handler
	for path, methods := range map[string]methods{
		"/api/v1/collectors":                    {"GET": a.listCollectors, "POST": a.createCollector},
		"/api/v1/collectors/{id}":               {"GET": a.getCollector, "PUT": a.updateCollector, "DELETE": a.deleteCollector},
		"/api/v1/collectors/{id}/sources":       {"GET": a.listSources, "POST": a.createSource},
		"/api/v1/collectors/{id}/sources/{sid}": {"GET": a.getSource, "PUT": a.updateSource, "DELETE": a.deleteSource},
		"/api/v1/accessKeys":                    {"GET": a.listAccessKeys, "POST": a.createAccessKey},
		"/api/v1/accessKeys/{id}":               {"PUT": a.updateAccessKey, "DELETE": a.deleteAccessKey},
		"/trailhook/v1/search":                  {"GET": a.search},
		"/api/v1/":                              {},
		"/trailhook/v1/":                        {},
	} {
		mux.Handle(path, a.endpoint(methods))
	}
}

// handler answers a request that is authenticated. An error is answered by the
// caller, in the shape of problem.
type handler func(w http.ResponseWriter, r *http.Request) error

// endpoint authenticates, then picks the handler of the method: who has no
// key learns nothing about what there is.
func (a *API) endpoint(methods map[string]handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err := a.serve(w, r, methods); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, methods map[string]handler) error {
	id, secret, _ := r.BasicAuth()
	if _, ok := a.catalog.Authenticate(id, secret); !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="Trailhook", charset="UTF-8"`)
		return &problem{http.StatusUnauthorized, "unauthorized", "the access id or the access key is missing, wrong or disabled"}
	}
	if len(methods) == 0 {
		return &problem{http.StatusNotFound, "not_found", "there is nothing at " + r.URL.Path}
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, ok := methods[method]
	if !ok {
		w.Header().Set("Allow", allowed(methods))
		return &problem{http.StatusMethodNotAllowed, "method_not_allowed", "this path takes " + allowed(methods)}
	}
	return handle(w, r)
}

// allowed lists the methods in a fixed order.
func allowed(methods map[string]handler) string {
	var list []string
	for _, method := range [...]string{"GET", "POST", "PUT", "DELETE"} {
		if _, ok := methods[method]; ok {
			list = append(list, method)
		}
	}
	return strings.Join(list, ", ")
}

// problem is an error as it is answered.
type problem struct {
	status  int
	code    string
	message string
}

func (p *problem) Error() string { return p.message }

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

// problemOf turns the errors of the packages below into answers.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	switch {
	case errors.Is(err, broker.ErrNotFound):
		return &problem{http.StatusNotFound, "not_found", "no such object"}
	case errors.Is(err, broker.ErrConflict):
		return &problem{http.StatusPreconditionFailed, "precondition_failed", "the object was changed by another meanwhile: read it again"}
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
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	answer(w, p.status, map[string]any{"status": p.status, "id": id, "code": p.code, "message": p.message})
}

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
