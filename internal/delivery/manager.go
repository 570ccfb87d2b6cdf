// Package delivery sends what the journal holds to the webhooks' destinations.
//
// A webhook with something to send has a worker of its own, so that a slow
// endpoint holds up nobody else; one with nothing to send has none, and one that
// waits to try again costs a timer. However many webhooks there are, a bounded
// number of workers runs at a time, and they share a bounded amount of memory.
// A worker follows the events of its webhook's scope, an organization's own or a
// portal's, gathers a batch,
// encodes and signs each event once, compresses and posts. The cursor moves when
// the endpoint has answered 2xx, and only then: after a crash the same batch
// goes out again, as the same bytes.
//
// Konnect gives a batch up after its retries. Here the webhook is reported
// inactive, as Konnect reports it, and the cursor stays: the same batch is
// tried again, with growing pauses, until it is taken. Lines that are refused
// for what they hold, while others of their batch pass, are set aside for
// [Manager.Resend], and the rest goes on.
package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// The limits of a batch that Options leaves at zero: it leaves when the first of
// them is reached.
const (
	MaxBatchEvents = 1000
	MaxBatchBytes  = 1_000_000 // before compression; a single larger line goes alone
	MaxBatchWait   = 200 * time.Millisecond
)

// The values of Options.ContentEncoding. Konnect's documents say
// application/gzip, which most receivers do not understand.
const (
	Gzip            = "gzip"
	ApplicationGzip = "application/gzip"
	Identity        = "identity" // not compressed, and no header
)

// The pauses that Options leaves at zero.
const (
	DefaultMinPause = 30 * time.Second
	DefaultMaxPause = 10 * time.Minute
)

// shutdownGrace is how long a request on its way may take to be answered once
// the process is to end. What is cut off is sent again at the next start.
const shutdownGrace = 3 * time.Second

// Options are what a Manager needs.
type Options struct {
	Registry  *registry.Registry
	Journal   *journal.Journal
	Broker    *broker.Broker
	Shared    bool // other processes deliver from this broker too
	Client    *outbound.Client
	UserAgent string
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
	Now       func() time.Time
	// The pauses before a batch that was refused after all retries is tried
	// again: MinPause first, doubled each time up to MaxPause. Zero stands for
	// the defaults.
	MinPause, MaxPause time.Duration
	// The limits of a batch; zero stands for MaxBatchEvents and the others.
	MaxEvents       int
	MaxBytes        int           // of the lines, before compression
	MaxWait         time.Duration // for more events after the first
	ContentEncoding string        // empty: Gzip
	MaxWorkers      int           // webhooks served at a time, and as many that fail; zero: 256
}

// Manager delivers the events of all enabled webhooks.
type Manager struct {
	Options
	states    *broker.Bucket[state]
	shards    *shards
	lanes     *lanes
	busy      busy
	histories histories
	metrics   metrics
	replays   replayMetrics
	asides    *asides

	resending sync.Map // the streams whose lines are being sent again
}

// state is what delivery remembers of a webhook, under the webhook's id.
type state struct {
	// Cursor is the position of the last event that was taken, or that was lost.
	Cursor journal.Position `json:"cursor"`
	// Lost counts events that retention took before the endpoint did.
	Lost uint64 `json:"lost"`
	// SetAside counts events that were set aside, ever.
	SetAside      uint64    `json:"set_aside,omitempty"`
	Sent          uint64    `json:"sent"`            // events that the endpoint took
	Failed        uint64    `json:"failed"`          // deliveries that failed, retries included
	NextAttemptAt time.Time `json:"next_attempt_at"` // zero: not waiting
	LastAttemptAt time.Time `json:"last_attempt_at"`
	LastCode      int       `json:"last_code"` // 0: there was no answer
	LastMessage   string    `json:"last_message"`
	LastPhase     string    `json:"last_phase,omitempty"` // in which it failed; empty if it did not, or nothing was sent
	Failing       bool      `json:"failing"`
	FailingSince  time.Time `json:"failing_since,omitzero"`    // zero: it is not, or began before this was kept
	FailedInARow  uint64    `json:"failed_in_a_row,omitempty"` // deliveries since
}

// settled is how many events the webhook is rid of, ever.
func (s *state) settled() uint64 { return s.Sent + s.Lost + s.SetAside }

// Open reads where the webhooks stand.
func Open(ctx context.Context, o Options) (*Manager, error) {
	states, err := broker.OpenBucket[state](ctx, o.Broker, "deliveries")
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	m := &Manager{Options: o, states: states, busy: busy{workers: map[string]*worker{}}, histories: histories{each: map[string]*history{}}}
	if m.shards, err = openShards(ctx, o, m.catchUp); err != nil {
		states.Close()
		return nil, fmt.Errorf("delivery: %w", err)
	}
	if m.asides, err = openAsides(ctx, o); err != nil {
		m.Close()
		return nil, fmt.Errorf("delivery: %w", err)
	}
	m.MaxEvents, m.MaxBytes = cmp.Or(o.MaxEvents, MaxBatchEvents), cmp.Or(o.MaxBytes, MaxBatchBytes)
	m.MaxWait, m.ContentEncoding = cmp.Or(o.MaxWait, MaxBatchWait), cmp.Or(o.ContentEncoding, Gzip)
	m.MinPause = cmp.Or(o.MinPause, DefaultMinPause)
	m.MaxPause = cmp.Or(o.MaxPause, DefaultMaxPause)
	m.lanes = &lanes{most: cmp.Or(o.MaxWorkers, maxWorkers)}
	m.metrics, m.replays = newMetrics(o.Metrics), newReplayMetrics(o.Metrics)
	o.Metrics.MustRegister(collector{m})
	return m, nil
}

// loggerOf names the scope in what is logged.
func (m *Manager) loggerOf(s registry.Scope) *slog.Logger {
	logger := m.Logger.With("organization", s.Organization, "region", s.Region)
	if s.Portal != "" {
		logger = logger.With("portal", s.Portal)
	}
	return logger
}

// barrier is a key that no webhook has. A write is seen by this process when it
// returns, and with it all that was written before, by whomever.
const barrier = "barrier"

func (m *Manager) catchUp(ctx context.Context) error { return m.states.Put(ctx, barrier, state{}) }

// Close ends the watch of the states. Call it when Run has returned.
func (m *Manager) Close() {
	m.states.Close()
	m.shards.close()
}

// stateOf returns where the webhook stands.
func (m *Manager) stateOf(hook registry.Webhook) state {
	saved, err := m.states.Get(hook.ID)
	if err != nil {
		return state{Cursor: journal.Position(hook.EnabledAfter)}
	}
	return saved.Value
}

// forget drops the states of webhooks that are no more.
func (m *Manager) forget(ctx context.Context, hooks []registry.Webhook) {
	known := make(map[string]bool, len(hooks))
	for _, hook := range hooks {
		known[hook.ID] = true
	}
	m.histories.forget(known)
	for _, entry := range m.states.List("") {
		if known[entry.Key] || entry.Key == barrier {
			continue
		}
		if err := m.states.Delete(ctx, entry.Key, entry.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
			m.Logger.Warn("could not forget a deleted webhook; the next change tries again", "webhook", entry.Key, "error", err)
		}
	}
}
