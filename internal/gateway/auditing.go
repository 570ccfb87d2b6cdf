package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/recorder"
)

// Service is the name under which what was let through appears.
const Service = "gateway"

// recordPatience is how long an exchange waits for its events to be durable.
const recordPatience = 10 * time.Second

// auditing is the plugin audit; see the package's comment.
type auditing struct {
	Blocking bool `json:"blocking"`
}

func newAuditing(d entity.Document) (*auditing, error) {
	p := &auditing{}
	return p, decode(d, p)
}

// audits is the plugin of the exchange; nil: nothing is recorded.
func (x *exchange) audits() *auditing {
	scheme := byHTTP
	if x.secure {
		scheme = byHTTPS
	}
	if p := x.chain[slotAudit]; p.runs(scheme) {
		return p.http.audit
	}
	return nil
}

func (x *exchange) blocks() bool {
	p := x.audits()
	return p != nil && p.Blocking
}

// recordIntent makes durable that a request is let through that may change
// something.
func (x *exchange) recordIntent() error {
	if safe(x.r.Method) || !x.blocks() {
		return nil
	}
	x.trail.Authorized(actionOf(x.r.Method), "routes/"+x.match.label(), true)
	return x.commit()
}

// actionOf is a method in the words of permission checks.
func actionOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return "retrieve"
	case http.MethodPost:
		return "create"
	case http.MethodDelete:
		return "delete"
	}
	return "edit"
}

// record tells of the answer's status, once. With blocking it returns when that
// is durable, and an error when it is not surely so.
func (x *exchange) record(status int) error {
	p := x.audits()
	if p == nil || x.recorded {
		return nil
	}
	x.recorded = true
	x.trail.Asked(x.query())
	x.trail.Accessed(status)
	if p.Blocking {
		err := x.commit()
		x.recorded = err == nil
		return err
	}
	x.gateway.audits.add(x.gateway, queuedAudit{x.table.region, x.trail.Take()})
	return nil
}

func (x *exchange) commit() error {
	ctx, cancel := x.timeless()
	defer cancel()
	err := x.trail.Commit(ctx)
	if err != nil {
		x.trail.Drop()
		x.gateway.metrics.unrecorded.Inc()
		x.gateway.Logger.Error("cannot record a request; withholding its answer", "trace_id", x.id, "error", err)
	}
	return err
}

// What waits for being recorded without anybody waiting for it.
const (
	auditQueueSize  = 10_000
	auditBatch      = 1_000
	auditRetry      = time.Second
	auditDrainLimit = 5 * time.Second
)

type queuedAudit struct {
	region string
	events []audit.Event
}

// auditQueue holds the events of requests that did not wait.
type auditQueue struct{ waiting chan queuedAudit }

func (q *auditQueue) add(g *Gateway, one queuedAudit) {
	select {
	case q.waiting <- one:
	default:
		g.metrics.auditsDropped.Inc()
	}
}

// run records what waits, many at a time, until ctx ends, and then what is left.
func (q *auditQueue) run(ctx context.Context, g *Gateway) {
	for {
		select {
		case first := <-q.waiting:
			q.record(ctx, g, q.gather(first))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditDrainLimit)
			defer cancel()
			for {
				select {
				case first := <-q.waiting:
					q.record(last, g, q.gather(first))
				default:
					return
				}
			}
		}
	}
}

func (q *auditQueue) gather(first queuedAudit) []queuedAudit {
	batch := []queuedAudit{first}
	for len(batch) < auditBatch {
		select {
		case next := <-q.waiting:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// record appends events, of one organization and region at a time, and tries
// until it has or ctx ends.
func (q *auditQueue) record(ctx context.Context, g *Gateway, batch []queuedAudit) {
	type stream struct{ region, organization string }
	streams := map[stream][]audit.Event{}
	for _, one := range batch {
		at := stream{one.region, one.events[0].OrgID}
		streams[at] = append(streams[at], one.events...)
	}
	for at, events := range streams {
		if !persist(ctx, g.Recorder.Journal, at.region, events) {
			g.metrics.auditsDropped.Add(float64(len(events)))
			g.Logger.Error("events of requests were dropped: they could not be recorded", "events", len(events))
		}
	}
}

func persist(ctx context.Context, journal recorder.Journal, region string, events []audit.Event) bool {
	for {
		attempt, cancel := context.WithTimeout(ctx, recordPatience)
		err := journal.Append(attempt, region, events...)
		cancel()
		if err == nil {
			return true
		}
		pause := time.NewTimer(auditRetry)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return false
		}
	}
}
