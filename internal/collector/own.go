package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// OwnSource is the _source of the audit events of this half itself: who changed
// and read what. It is no source of the catalog: it has no address to which
// anybody could post, and nobody can change or delete it.
const OwnSource = "trailhook"

// ownCollector is its _collector, and ownSourceID the id that no other source has.
const (
	ownCollector = "Trailhook"
	ownSourceID  = 0
)

// Own takes the audit events of this half. They go the way of every line: through
// the intake into the store, as JSON. They carry no signature: this half
// has no signing key.
type Own struct {
	intake  *Intake
	metrics *Metrics
}

// NewOwn makes an Own on the intake.
func NewOwn(intake *Intake, metrics *Metrics) *Own { return &Own{intake, metrics} }

// Append returns when the events are on disk, or with an error that wraps
// [broker.ErrUnavailable]. There are no regions on this half.
func (o *Own) Append(ctx context.Context, _ string, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	var lines []byte
	for i := range events {
		if i > 0 {
			lines = append(lines, '\n')
		}
		lines = audit.AppendUnsigned(lines, audit.JSON, &events[i])
	}
	origin := Origin{SourceID: ownSourceID, Collector: ownCollector, Source: OwnSource, ReceivedAt: time.Now().UTC()}
	if err := o.intake.Append(ctx, origin, [][]byte{lines}); err != nil {
		return fmt.Errorf("record %d audit events: %w", len(events), err)
	}
	o.metrics.took(ownSourceID, len(events), origin.ReceivedAt)
	return nil
}
