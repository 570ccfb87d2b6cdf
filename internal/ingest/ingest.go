// Package ingest is the endpoint by which other services record audit events of
// their own: POST /trailhook/v1/events.
//
// The body is a JSON array of events, or one event a line, each of the form of
// Konnect's pull API ([audit.DecodePull]): what was pulled can be ingested. It
// may be compressed by gzip. An event without org_id belongs to the caller's
// organization; one of another's is refused. One with portal_id goes to the webhook
// of that portal, and to no other. The journal keeps all of an event; a delivered
// line has the fields that its format has.
//
// A body is recorded whole or not at all. 201 means that all of it is on disk.
// After any other answer, and after none, none of it was recorded, with two
// exceptions: after a 503, and where the connection broke, it may have been. A
// client that sends an Idempotency-Key can repeat the request then, for 24 hours,
// and is answered as the first time. A repeat is held against the rules like any
// request, so it must come while its events are not too old to be recorded.
package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/konnect"
)

// Where the endpoint stands, and the resource on which its callers must be
// allowed to create.
const (
	Path     = "/trailhook/v1/events"
	Resource = "audit-events"
)

// MaxBody is the largest body in bytes, as sent and as decompressed.
const MaxBody = 5 << 20

// maxInWork bounds the bodies, decompressed, that are worked on at the same
// time. Each takes about five times its size in memory.
const maxInWork = 32 << 20

// Journal is where events become durable: internal/journal in the product.
type Journal interface {
	// Append returns when all events are on disk, or an error when none (or not
	// surely any) is.
	Append(ctx context.Context, region string, events ...audit.Event) error
	// AppendOnce is an Append that happens once for an organization's key within
	// 24 hours. Afterwards it writes nothing and returns the first one's receipt.
	AppendOnce(ctx context.Context, region, key string, receipt []byte, events ...audit.Event) (first []byte, err error)
}

// Options are what the endpoint needs.
type Options struct {
	Journal   Journal
	Retention time.Duration // how old an event may be
	Logger    *slog.Logger
	Now       func() time.Time
}

// Handler is the endpoint. It is to be mounted on the API, which says who may
// call it.
type Handler struct {
	Options
	inWork  *semaphore.Weighted // bytes
	workers int                 // goroutines that decode one body
}

// New makes the endpoint.
func New(o Options) *Handler {
	return &Handler{Options: o, inWork: semaphore.NewWeighted(maxInWork), workers: runtime.GOMAXPROCS(0)}
}

// refusal is an answer to what is the client's mistake.
type refusal struct {
	status     int
	detail     string
	parameters []konnect.InvalidParameter
}

func (r *refusal) Error() string { return r.detail }

// invalid refuses a request because of one of its values.
func invalid(source, field, reason string) error {
	return &refusal{http.StatusBadRequest, "Invalid Parameters", []konnect.InvalidParameter{
		{Field: field, Rule: "invalid", Reason: reason, Source: source},
	}}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, replayed, err := h.record(r)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		if refused.status == http.StatusUnsupportedMediaType {
			w.Header().Set("Accept-Encoding", "gzip, identity")
		}
		konnect.WriteProblem(w, r, refused.status, refused.detail, refused.parameters...)
		return
	case err != nil:
		h.Logger.Error("cannot record ingested events; answering 503", "trace_id", w.Header().Get("X-Request-Id"), "error", err)
		konnect.WriteProblem(w, r, http.StatusServiceUnavailable, "The audit journal cannot take events now. Try again later, with an Idempotency-Key")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if replayed {
		w.Header().Set("Idempotent-Replay", "true")
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // into an answer's buffer, which takes everything
}

// record makes the request's events durable and returns what to answer; replayed
// says that an earlier request with the same key did so.
func (h *Handler) record(r *http.Request) (a answer, replayed bool, err error) {
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return a, false, err
	}
	sent, err := receive(r)
	if err != nil {
		return a, false, err
	}
	weight := int64(sent.atMost())
	if err := h.inWork.Acquire(r.Context(), weight); err != nil {
		return a, false, fmt.Errorf("wait for room: %w", err)
	}
	defer h.inWork.Release(weight)
	body, err := sent.decompress()
	if err != nil {
		return a, false, err
	}
	organization, region := konnect.Caller(r.Context())
	events, err := h.decode(body, organization)
	if err != nil {
		return a, false, err
	}
	a = recorded(len(events))
	if key == "" {
		return a, false, tooLarge(h.Journal.Append(r.Context(), region, events...))
	}
	made := receipt{Request: requestHash(region, body), Answer: a}
	first, err := h.Journal.AppendOnce(r.Context(), region, key, made.encode(), events...)
	if err != nil || first == nil {
		return a, false, tooLarge(err)
	}
	a, err = made.replay(first)
	return a, true, err
}

// answer is how a request was answered that recorded its events.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

func recorded(events int) answer {
	return answer{http.StatusCreated, fmt.Appendf(nil, `{"recorded":%d}`, events)}
}

// tooLarge names the event that the journal has no room for. All else that it
// refuses events for has been checked before.
func tooLarge(err error) error {
	var event *journal.EventError
	if errors.As(err, &event) {
		return invalid("body", place(event.Index, ""), strings.TrimPrefix(event.Err.Error(), "it "))
	}
	return err
}
