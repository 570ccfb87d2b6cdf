package konnect

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

const trialPath = "/trailhook/v1/destinations/{auditLogDestinationId}/test"

type trial struct {
	Body struct {
		Delivered  bool    `json:"delivered" doc:"The endpoint took the event."`
		TraceID    string  `json:"trace_id" doc:"Of the event that was sent, by which the receiver can find it."`
		StatusCode int     `json:"status_code,omitempty" doc:"Of the endpoint's answer."`
		Answer     string  `json:"answer,omitempty" doc:"The beginning of an answer that is no success, unless it holds the destination's authorization."`
		Phases     []phase `json:"phases" nullable:"false" doc:"Those that went well, and after them the one that did not."`
	}
}

type phase struct {
	Name         string  `json:"name" enum:"resolve,connect,tls,request,response"`
	OK           bool    `json:"ok"`
	Milliseconds float64 `json:"ms"`
	Detail       string  `json:"detail" doc:"What came of it, or why it failed."`
	Remedy       string  `json:"remedy,omitempty" doc:"What can be done about it."`
}

func showPhases(trace outbound.Trace) []phase {
	phases := make([]phase, len(trace))
	for i, p := range trace {
		phases[i] = phase{p.Name, p.OK, float64(p.Took.Microseconds()) / 1000, p.Detail, p.Remedy}
	}
	return phases
}

// trials holds which organizations test a destination at the moment: one test
// each, so that endpoints that hang hold few requests.
type trials struct {
	mu      sync.Mutex
	running map[string]bool
}

func (t *trials) begin(organization string) (end func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[organization] {
		return nil, false
	}
	if t.running == nil {
		t.running = map[string]bool{}
	}
	t.running[organization] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, organization)
	}, true
}

func (a *API) trialRoutes() {
	register(a, route{"test-audit-log-destination", http.MethodPost, trialPath, "Send one test event to a destination",
		registry.Edit, "audit-logs/destinations/{auditLogDestinationId}", http.StatusOK, "Audit-log destinations"}, a.testDestination)
}

// testDestination sends a marked event of the caller, which the journal does not
// hold. That it was sent is recorded as every call is.
func (a *API) testDestination(ctx context.Context, in *destinationID) (*trial, error) {
	c := callOf(ctx)
	destination, err := a.Registry.Destination(c.user.OrgID, in.ID)
	if err != nil {
		return nil, err
	}
	end, ok := a.trials.begin(c.user.OrgID)
	if !ok {
		return nil, c.problem(http.StatusConflict, "A test of a destination is running already. Wait for its end")
	}
	defer end()
	result, err := a.Delivery.Try(ctx, destination, c.trail.Test())
	if err != nil {
		return nil, err
	}
	out := &trial{}
	out.Body.Delivered, out.Body.StatusCode, out.Body.Answer = result.Delivered, result.Status, result.Answer
	out.Body.TraceID = strconv.FormatUint(c.trail.TraceID(), 10)
	out.Body.Phases = showPhases(result.Phases)
	return out, nil
}
