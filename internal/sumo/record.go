package sumo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/recorder"
)

// patience bounds a call that changes something, and the recording of any.
const patience = 30 * time.Second

// call is a request under way, with its trail of audit events. It is the
// ResponseWriter of its handler.
//
// A call of the management API leaves an authentication and an authorization,
// which are on disk before the handler runs, and one that changes something an
// access with the status of its answer, which is on disk before the answer
// goes out. Searches are frequent and change nothing: one that is allowed
// leaves the access only, with the query, on disk before the first result is
// shown. What cannot be recorded is answered with 503.
type call struct {
	http.ResponseWriter
	api      *API
	trail    *recorder.Trail
	ctx      context.Context // in which events are recorded: it outlives the client's connection
	key      collector.AccessKey
	recorded bool // the answer leaves an access event

	answered bool
	lost     bool // the answer could not be recorded: another one was given
}

type callKey struct{}

// callerOf returns the access key of the request's caller.
func callerOf(r *http.Request) collector.AccessKey {
	c, _ := r.Context().Value(callKey{}).(*call)
	return c.key
}

// recordQuery has the call's access event tell what was searched for, as if it
// stood in the address.
func recordQuery(r *http.Request, query string) {
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		c.trail.Asked(url.Values{"query": {query}}.Encode())
	}
}

// attach gives the request the context of the call. A change goes on when the
// client hangs up: who does can neither keep it from being recorded nor make
// the record tell of a failure when it was made.
func (c *call) attach(r *http.Request) (_ *http.Request, done func()) {
	ctx := context.WithValue(r.Context(), callKey{}, c)
	if changes(r) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		c.ctx = ctx
		return r.WithContext(ctx), cancel
	}
	c.ctx = context.WithoutCancel(ctx)
	return r.WithContext(ctx), func() {}
}

// forgetAuthentication leaves a search with the one event of its answer.
func (c *call) forgetAuthentication() {
	c.trail.Drop()
	c.recorded = true
}

func (c *call) commit() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), patience)
	defer cancel()
	if err := c.trail.Commit(ctx); err != nil {
		c.api.logger.Error("cannot record a request; refusing it", "trace_id", c.trail.TraceID(), "error", err)
		return errUnrecorded
	}
	return nil
}

var errUnrecorded = &problem{http.StatusServiceUnavailable, "unavailable",
	"the audit trail cannot take events now, and nothing is done unrecorded: try again later"}

// WriteHeader records the answer, and gives another one if that fails.
func (c *call) WriteHeader(status int) {
	if c.answered {
		return
	}
	c.answered = true
	if c.recorded {
		c.trail.Accessed(status)
		if c.commit() != nil {
			c.lose()
			return
		}
	}
	c.ResponseWriter.WriteHeader(status)
}

// lose answers in place of the handler, whose answer is not shown.
func (c *call) lose() {
	c.lost = true
	header := c.Header()
	for _, name := range []string{"ETag", "Location", "Allow", "WWW-Authenticate", "Content-Length", "Content-Disposition", rowsHeader} {
		header.Del(name)
	}
	header.Set("Retry-After", retryAfter)
	answer(c.ResponseWriter, errUnrecorded.status, errUnrecorded.body(newErrorID()))
}

// Unwrap is for [http.ResponseController]: a tail flushes, and has no deadline.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Write is the handler's.
func (c *call) Write(data []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.lost {
		return 0, errors.New("the answer could not be recorded")
	}
	return c.ResponseWriter.Write(data)
}
