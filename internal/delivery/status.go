package delivery

import (
	"context"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// The values of a webhook's status.
const (
	Active       = "active"   // the last delivery succeeded, or none was tried yet
	Inactive     = "inactive" // the last delivery failed, retries included; its events are held
	Unconfigured = "unconfigured"
)

// Status is how a webhook's delivery stands.
type Status struct {
	Webhook       string    // one of the values above
	LastAttemptAt time.Time // zero: there was none
	LastCode      int       // of the last answer; 0: there was none
	LastMessage   string
	LastPhase     string    // of package outbound, in which the last attempt failed; empty: it did not, or nothing was sent
	NextAttemptAt time.Time // zero: it is not waiting to try again
	FailingSince  time.Time // of the first of the deliveries that failed in a row; zero while it is not inactive
	FailedInARow  uint64
	Sent          uint64 // events that the endpoint took
	Failed        uint64 // deliveries that failed, retries included
	Lost          uint64 // events that retention took before the endpoint did
	SetAside      uint64 // events that were set aside, ever
}

// Status returns how the webhook's delivery stands.
func (m *Manager) Status(hook registry.Webhook) Status {
	entry, err := m.states.Get(hook.ID)
	if err != nil {
		return Status{Webhook: Active}
	}
	status := Status{
		Webhook:       Active,
		LastAttemptAt: entry.Value.LastAttemptAt,
		LastCode:      entry.Value.LastCode,
		LastMessage:   entry.Value.LastMessage,
		LastPhase:     entry.Value.LastPhase,
		NextAttemptAt: entry.Value.NextAttemptAt,
		FailingSince:  entry.Value.FailingSince,
		FailedInARow:  entry.Value.FailedInARow,
		Sent:          entry.Value.Sent,
		Failed:        entry.Value.Failed,
		Lost:          entry.Value.Lost,
		SetAside:      entry.Value.SetAside,
	}
	if entry.Value.Failing {
		status.Webhook = Inactive
	}
	return status
}

// Backlog returns what waits to be delivered. A webhook that was never enabled
// has none: it begins with what comes once it is.
func (m *Manager) Backlog(ctx context.Context, hook registry.Webhook) (journal.Backlog, error) {
	if !hook.WasEnabled {
		return journal.Backlog{}, nil
	}
	return m.Journal.Backlog(ctx, streamOf(hook), m.stateOf(hook).Cursor)
}
