package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests tells how many requests there are, what became of them, and how long
// they took.
type requests struct{ seconds *prometheus.HistogramVec }

// The purposes that requests are told apart by. A tail lasts as long as its reader
// wants, which says nothing.
const (
	forAPI     = "api"     // the platform's API
	forEvents  = "events"  // its endpoint for other services' events
	forReceive = "receive" // the SIEM's sources
	forSearch  = "search"  // its searches whose callers wait for the answer
	forSIEM    = "siem"    // all else on the SIEM's side: its API and its pages
	forNobody  = ""
)

func newRequests(registerer prometheus.Registerer) *requests {
	r := &requests{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "trailhook_http_request_seconds",
		Help: "How long requests took until their answer was written, by what they were for (api, events, receive, search, siem) " +
			"and the class of the answer's status. Tails are left out.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100},
	}, []string{"for", "status"})}
	for _, purpose := range []string{forAPI, forEvents, forReceive, forSearch, forSIEM} {
		for _, class := range []string{"2xx", "4xx", "5xx"} {
			r.seconds.WithLabelValues(purpose, class)
		}
	}
	registerer.MustRegister(r.seconds)
	return r
}

// apiPurpose is what a request to the platform's address is for.
func apiPurpose(r *http.Request) string {
	if r.URL.Path == "/trailhook/v1/events" {
		return forEvents
	}
	return forAPI
}

// siemPurpose is what a request to the SIEM's address is for.
func siemPurpose(r *http.Request) string {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/receiver/"), strings.HasPrefix(path, "/services/collector"):
		return forReceive
	case path == "/trailhook/v1/search":
		return forSearch
	case path == "/trailhook/v1/tail":
		return forNobody
	}
	return forSIEM
}

// observe counts and traces the requests that the handler answers.
func (s *Server) observe(counted *requests, purpose func(*http.Request) string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := purpose(r)
		if what == forNobody {
			handler.ServeHTTP(w, r)
			return
		}
		ctx, span := s.tracer.Receive(r, r.Method+" "+what, s.trusts(r))
		began, answer := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(answer, r.WithContext(ctx))
		counted.seconds.WithLabelValues(what, strconv.Itoa(answer.status/100)+"xx").Observe(time.Since(began).Seconds())
		if what != forReceive { // whose path is a secret
			span.Text("url.path", r.URL.Path)
		}
		span.Text("http.request.method", r.Method)
		span.Count("http.response.status_code", answer.status)
		// The API's is the trace id of the request's audit events.
		span.Text("trailhook.trace_id", answer.Header().Get("X-Request-Id"))
		if answer.status >= http.StatusInternalServerError {
			span.Fail(http.StatusText(answer.status))
		}
		span.End(nil)
	})
}

// trusts says whether a request's word on its trace is taken: that of the proxies
// whose word on its events' trace is taken.
func (s *Server) trusts(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(s.config.TrustedProxies, func(network netip.Prefix) bool {
		return network.Contains(peer.Addr().Unmap().WithZone(""))
	})
}

// statusWriter knows the status of the answer that goes through it.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.begun && status >= http.StatusOK { // the ones before are not the answer yet
		w.begun, w.status = true, status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
