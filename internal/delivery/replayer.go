package delivery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// replayer runs one replay job. The lines are those of the live delivery, byte
// for byte; the cursor is the job's own.
type replayer struct {
	*Manager
	job    registry.ReplayJob // of whoever delivers
	stream journal.Stream
	logger *slog.Logger

	// Of whoever prepares.
	events  *journal.Follower
	last    journal.Position // of the job's events
	waiting []journal.Entry  // read, and not yet in a parcel
	ended   bool             // everything is read

	limit    sizeLimit
	suspects []refused // the last lines in a row that were refused alone
}

// failure is an error that ends the job: it is told to who asked for it.
type failure string

func (f failure) Error() string { return string(f) }

// run takes the job from wherever it stands to its end. The first write shows
// whether the job was read as its last owner left it.
func (r *replayer) run(ctx context.Context) error {
	if r.job.Status == registry.ReplayAccepted {
		r.job.Status, r.job.StartedAt = registry.ReplayPending, r.Now().UTC().Truncate(time.Millisecond)
		r.logger.Info("a replay job begins", "from", r.job.StartAt, "to", r.job.EndAt)
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	if !r.job.Counted() {
		if err := r.count(ctx); err != nil {
			return err
		}
	}
	if r.job.Events == 0 {
		return r.complete(ctx)
	}
	r.job.Status = registry.ReplayRunning
	if r.job.RunningAt.IsZero() {
		r.job.RunningAt = r.Now().UTC().Truncate(time.Millisecond)
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	err := r.sendAll(ctx)
	if reason, over := errors.AsType[failure](err); over {
		return r.fail(ctx, string(reason))
	}
	if err != nil {
		return err
	}
	return r.complete(ctx)
}

// count finds the events of the job's time and counts them. From then on the job
// goes by positions, which stay.
func (r *replayer) count(ctx context.Context) error {
	span, err := r.Journal.Span(ctx, r.stream, r.job.StartAt, r.job.EndAt)
	if err != nil || span.Events == 0 {
		return err
	}
	r.job.Events, r.job.Cursor, r.job.Last = span.Events, uint64(span.After), uint64(span.Last)
	return nil
}

// sendAll sends what is left of the job. While a parcel is on its way the next
// one is made ready, and no more than that.
func (r *replayer) sendAll(ctx context.Context) (err error) {
	r.limit.reset(r.MaxBytes)
	// Who counted the events may have been another process, which had been told
	// of more than this one.
	if err := r.Journal.CatchUp(ctx, r.stream); err != nil {
		return err
	}
	cursor := journal.Position(r.job.Cursor)
	if r.events, err = r.Journal.Follow(r.stream, cursor); err != nil {
		return err
	}
	r.last = journal.Position(r.job.Last)
	r.ended = cursor >= r.last
	next, err := r.prepare(ctx)
	for err == nil && len(next.entries) > 0 {
		next, err = r.turn(ctx, next)
	}
	if err != nil {
		return err
	}
	return r.settle(ctx)
}

// turn delivers a parcel while the next one is made ready, and returns that.
func (r *replayer) turn(ctx context.Context, p parcel) (next parcel, err error) {
	preparing, stop := context.WithCancel(ctx)
	defer stop()
	var ahead errgroup.Group
	ahead.Go(func() (err error) {
		next, err = r.prepare(preparing)
		return err
	})
	if err = r.deliver(ctx, p); err != nil {
		stop()
	}
	after := ahead.Wait()
	if err == nil {
		err = after
	}
	return next, err
}

// prepare reads the events that come next, and signs and compresses what one
// request holds of them. A parcel without entries says that there are no more.
func (r *replayer) prepare(ctx context.Context) (parcel, error) {
	size := 0
	for _, entry := range r.waiting {
		size += atLeast(&entry.Event)
	}
	for len(r.waiting) < r.MaxEvents && size < r.limit.bytes() && !r.ended {
		more, err := r.events.Ready(ctx, r.MaxEvents-len(r.waiting))
		if err != nil {
			return parcel{}, err
		}
		r.ended = len(more) == 0 // retention may have taken the last ones
		for _, entry := range more {
			if entry.Position <= r.last {
				r.waiting = append(r.waiting, entry)
				size += atLeast(&entry.Event)
			}
			r.ended = r.ended || entry.Position >= r.last
		}
	}
	if len(r.waiting) == 0 {
		return parcel{}, nil
	}
	var p parcel
	p, r.waiting = r.makeReady(r.setting(), r.waiting, r.limit.bytes())
	return p, nil
}

// complete ends the job when all was sent that could be.
func (r *replayer) complete(ctx context.Context) error {
	r.job.Status = registry.ReplayCompleted
	if err := r.save(ctx); err != nil {
		return err
	}
	r.replays.ended.WithLabelValues(string(r.job.Status)).Inc()
	r.logger.Info("a replay job is completed", "events", r.job.Sent, "refused", r.job.Refused)
	return nil
}

func (r *replayer) fail(ctx context.Context, reason string) error {
	r.job.Status, r.job.Reason = registry.ReplayFailed, reason
	if err := r.save(ctx); err != nil {
		return err
	}
	r.replays.ended.WithLabelValues(string(r.job.Status)).Inc()
	r.logger.Warn("a replay job has failed", "reason", reason, "sent", r.job.Sent, "refused", r.job.Refused, "events", r.job.Events)
	return nil
}

// save writes the job. It is written even if ctx is done since: what the endpoint
// has taken is not to be sent again.
func (r *replayer) save(ctx context.Context) error {
	saving, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	saved, err := r.Registry.SaveReplayJob(saving, r.job)
	if err == nil {
		r.job = saved
	}
	return err
}
