package sumo

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/recorder"
)

// access says who may use an endpoint, beside administrators.
type access int

const (
	closed     access = iota // nobody
	readable                 // analysts may look
	searchable               // analysts may do everything
	personal                 // everybody may look, who has a key
)

func (a access) grants(role collector.Role, changes bool) bool {
	if a == personal && !changes {
		return true
	}
	switch role {
	case collector.Administrator:
		return true
	case collector.Analyst:
		return a == searchable || a == readable && !changes
	}
	return false
}

func changes(r *http.Request) bool { return method(r) != http.MethodGet }

// admit finds the handler of a request whose key is good and may do what it is
// about to do, when that is on disk.
func (a *API) admit(c *call, r *http.Request, e endpoint) (handler, error) {
	if err := a.authenticate(c, r); err != nil {
		return nil, err
	}
	handle, err := e.find(c, r)
	if err != nil {
		if lost := c.commit(); lost != nil {
			return nil, lost
		}
		return nil, err
	}
	granted := e.access.grants(c.key.Role, changes(r))
	if granted && e.access == searchable {
		c.forgetAuthentication()
		return handle, nil
	}
	c.trail.Authorized(actionOf(e.resource, r), resourcePath(e.resource, r), granted)
	if err := c.commit(); err != nil {
		return nil, err
	}
	if !granted {
		return nil, &problem{http.StatusForbidden, "forbidden", "the role of this access key, " + string(c.key.Role) + ", does not allow this"}
	}
	return handle, nil
}

// authenticate finds out who calls. A failure is on disk when it returns, a
// success is left to be committed with what follows from it. A request that
// brings nothing to authenticate with has not tried to, and leaves no event.
func (a *API) authenticate(c *call, r *http.Request) error {
	how, outcome := audit.AuthInvalid, audit.OutcomeInvalid
	if id, secret, ok := r.BasicAuth(); ok {
		how = audit.AuthBasic
		c.key, outcome = a.catalog.Authenticate(id, secret)
	}
	if outcome == audit.OutcomeSuccess {
		c.recorded = changes(r)
		c.authenticated(how, outcome)
		return nil
	}
	if r.Header.Get("Authorization") != "" && a.failures.take() {
		c.recorded = changes(r)
		c.authenticated(how, outcome)
		if err := c.commit(); err != nil {
			return err
		}
	}
	c.Header().Set("WWW-Authenticate", `Basic realm="Trailhook", charset="UTF-8"`)
	return &problem{http.StatusUnauthorized, "unauthorized", "the access id or the access key is missing, wrong or disabled"}
}

func (c *call) authenticated(how audit.AuthType, outcome audit.Outcome) {
	c.trail.Authenticated(how, outcome, recorder.Principal{ID: c.key.ID, Name: c.key.Label})
}

// actionOf names what a request does, in Konnect's words.
func actionOf(resource string, r *http.Request) string {
	switch method(r) {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "edit"
	case http.MethodDelete:
		return "delete"
	}
	if strings.HasSuffix(resource, "}") || resource == "me" {
		return "retrieve"
	}
	return "list"
}

// resourcePath puts the values of the request's path into a resource's name.
func resourcePath(resource string, r *http.Request) string {
	segments := strings.Split(resource, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = r.PathValue(strings.Trim(segment, "{}"))
		}
	}
	return strings.Join(segments, "/")
}

// Failed authentications that are recorded, in events a second and at once.
// Anybody can make them, and each takes disk: beyond this they are counted.
const (
	failureRate  = 10
	failureBurst = 100
)

// failures bounds how many failed authentications are recorded.
type failures struct {
	limit      *rate.Limiter
	unrecorded prometheus.Counter
}

func newFailures(registerer prometheus.Registerer) *failures {
	f := &failures{
		limit: rate.NewLimiter(failureRate, failureBurst),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_siem_failed_authentications_unrecorded_total",
			Help: "Failed authentications at the SIEM's API that left no audit event, since there were too many.",
		}),
	}
	registerer.MustRegister(f.unrecorded)
	return f
}

// take reports whether a failure is to be recorded.
func (f *failures) take() bool {
	if f.limit.Allow() {
		return true
	}
	f.unrecorded.Inc()
	return false
}
