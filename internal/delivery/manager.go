// Package delivery sends what the journal holds to the webhooks' destinations.
//
// Each enabled webhook has a worker of its own, so that a slow endpoint holds
// up nobody else. A worker follows its organization's events in its region,
// gathers a batch, encodes and signs each event once, compresses and posts.
// The cursor moves when the endpoint has answered 2xx, and only then: after a
// crash the same batch goes out again, as the same bytes.
//
// Konnect gives a batch up after its retries. Here the webhook is reported
// inactive, as Konnect reports it, and the cursor stays: the same batch is
// tried again, with growing pauses, until it is taken.
package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// The limits of a batch: it leaves when the first of them is reached.
const (
	MaxBatchEvents = 1000
	MaxBatchBytes  = 1_000_000 // before compression; a single larger line goes alone
	MaxBatchWait   = 200 * time.Millisecond
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
	Client    *outbound.Client
	UserAgent string
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
	Now       func() time.Time
	// The pauses before a batch that was refused after all retries is tried
	// again: MinPause first, doubled each time up to MaxPause. Zero stands for
	// the defaults.
	MinPause, MaxPause time.Duration
}

// Manager keeps a worker running for each enabled webhook.
type Manager struct {
	Options
	states  *broker.Bucket[state]
	metrics metrics
}

// state is what delivery remembers of a webhook, under the webhook's id.
type state struct {
	Cursor        uint64    `json:"cursor"` // sequence of the last event that was taken
	LastAttemptAt time.Time `json:"last_attempt_at"`
	LastCode      int       `json:"last_code"` // 0: there was no answer
	LastMessage   string    `json:"last_message"`
	Failing       bool      `json:"failing"`
}

// Open reads where the webhooks stand.
func Open(ctx context.Context, o Options) (*Manager, error) {
	states, err := broker.OpenBucket[state](ctx, o.Broker, "deliveries")
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	o.MinPause = cmp.Or(o.MinPause, DefaultMinPause)
	o.MaxPause = cmp.Or(o.MaxPause, DefaultMaxPause)
	return &Manager{Options: o, states: states, metrics: newMetrics(o.Metrics)}, nil
}

// Close ends the watch of the states. Call it when Run has returned.
func (m *Manager) Close() { m.states.Close() }

// Run delivers until ctx is done, and returns when every worker has ended.
func (m *Manager) Run(ctx context.Context) {
	running := map[string]bool{} // by webhook id
	ended := make(chan string)
	for {
		changed := m.Registry.WebhooksChanged()
		hooks := m.Registry.Webhooks()
		for _, hook := range hooks {
			if hook.Enabled && !running[hook.ID] {
				running[hook.ID] = true
				go func() {
					m.work(ctx, hook)
					ended <- hook.ID
				}()
			}
		}
		m.forget(ctx, hooks)
		select {
		case <-changed:
		case id := <-ended: // it may have been enabled again meanwhile
			delete(running, id)
		case <-ctx.Done():
			for range running {
				<-ended
			}
			return
		}
	}
}

// forget drops the states of webhooks that are no more.
func (m *Manager) forget(ctx context.Context, hooks []registry.Webhook) {
	known := make(map[string]bool, len(hooks))
	for _, hook := range hooks {
		known[hook.ID] = true
	}
	for _, entry := range m.states.List("") {
		if known[entry.Key] {
			continue
		}
		if err := m.states.Delete(ctx, entry.Key, entry.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
			m.Logger.Warn("could not forget a deleted webhook; the next change tries again", "webhook", entry.Key, "error", err)
		}
	}
}
