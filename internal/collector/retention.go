package collector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// DefaultRetentionDays is how long records of a source that says nothing else are
// kept.
const DefaultRetentionDays = 90

// retentionInterval is how often is looked for what has expired.
const retentionInterval = time.Hour

// Retention deletes from the search store what is older than its source keeps.
//
// It deletes whole days, in UTC and by the time of receipt, each of one source in
// one piece: a record is there for the days of its source at least, and for less
// than one more. Its space is used again.
type Retention struct {
	store   search.Store
	days    func(sourceID string) int
	metrics *Metrics
	logger  *slog.Logger
}

// NewRetention makes a Retention. days gives for how many days the records of a
// source are kept, by the id that they carry, also of sources that were deleted.
// Of what is less than 1, nothing expires.
func NewRetention(store search.Store, days func(sourceID string) int, metrics *Metrics, logger *slog.Logger) *Retention {
	return &Retention{store: store, days: days, metrics: metrics, logger: logger}
}

// Run looks every hour, beginning now, until ctx ends. An error is logged, and
// what it left is deleted an hour later.
func (r *Retention) Run(ctx context.Context) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		if err := r.expire(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.logger.Error("expired records are not deleted yet; this is tried again in an hour", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// expire deletes the days that are past, one after the other.
func (r *Retention) expire(ctx context.Context, now time.Time) error {
	for {
		sourceID, before, err := r.next(ctx, now)
		if err != nil || before.IsZero() {
			return err
		}
		removed, err := r.store.Expire(ctx, sourceID, before)
		if err == nil && removed == 0 {
			err = fmt.Errorf("the oldest records of source %s cannot be found", sourceID)
		}
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		r.metrics.expired.Add(float64(removed))
		r.logger.Info("expired records are deleted", "source_id", sourceID, "received_before", before, "records", removed)
	}
}

// next returns a source whose oldest day is past, and the end of that day; the
// zero time if there is none.
func (r *Retention) next(ctx context.Context, now time.Time) (sourceID string, before time.Time, err error) {
	const day = 24 * time.Hour // in UTC
	oldest, err := r.store.Oldest(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("retention: %w", err)
	}
	for sourceID, first := range oldest {
		days := r.days(sourceID)
		end := first.Truncate(day).Add(day)
		if days >= 1 && !end.After(now.UTC().Truncate(day).AddDate(0, 0, -days)) {
			return sourceID, end, nil
		}
	}
	return "", time.Time{}, nil
}
