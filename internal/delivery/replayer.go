package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// replayer runs one replay job. The lines are those of the live delivery, byte
// for byte; the cursor is the job's own.
type replayer struct {
	*Manager
	job    registry.ReplayJob
	logger *slog.Logger
}

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
	if err := r.save(ctx); err != nil {
		return err
	}
	return r.sendAll(ctx)
}

// count finds the first event of the job's time and the last, and counts what is
// there between them. From then on the job goes by positions, which stay.
func (r *replayer) count(ctx context.Context) error {
	edge := journal.Query{
		Region: r.job.Region, Organization: r.job.OrgID, Since: r.job.StartAt, Until: r.job.EndAt, Limit: 1,
	}
	first, err := r.Journal.Range(ctx, edge)
	if err != nil || len(first) == 0 {
		return err
	}
	edge.Descending = true
	last, err := r.Journal.Range(ctx, edge)
	if err != nil || len(last) == 0 {
		return err
	}
	cursor := first[0].Position - 1 // between it and the one before
	events, err := r.follow(cursor, last[0].Position)
	if err != nil {
		return err
	}
	r.job.Events = 0
	for {
		batch, err := events.next(ctx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			break
		}
		r.job.Events += uint64(len(batch))
	}
	r.job.Cursor, r.job.Last = uint64(cursor), uint64(last[0].Position)
	return nil
}

// sendAll sends what is left of the job, and saves the position after each
// request that was taken.
func (r *replayer) sendAll(ctx context.Context) error {
	events, err := r.follow(journal.Position(r.job.Cursor), journal.Position(r.job.Last))
	if err != nil {
		return err
	}
	for {
		batch, err := events.next(ctx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return r.complete(ctx)
		}
		for len(batch) > 0 {
			sent, failure, err := r.send(ctx, batch)
			if err != nil {
				return err
			}
			if failure != "" {
				return r.fail(ctx, failure)
			}
			r.job.Sent += uint64(sent)
			r.job.Cursor = uint64(batch[sent-1].Position)
			if err := r.save(ctx); err != nil {
				return err
			}
			batch = batch[sent:]
		}
	}
}

// send posts as much of the batch as fits one request, by the retry rule, to the
// webhook as it is set up now, and again when it is set up otherwise meanwhile.
// The request is made as the live delivery makes it: the same lines, the same
// headers. It returns how many events were taken, or why the job is over, or an error when
// the process must not go on.
func (r *replayer) send(ctx context.Context, batch []journal.Entry) (sent int, failure string, err error) {
	for ctx.Err() == nil {
		before := r.setting()
		if failure := r.unwanted(before); failure != "" {
			return 0, failure, nil
		}
		request, sent, err := r.request(before.webhook, batch)
		if err != nil {
			return 0, err.Error(), nil
		}
		sending, cancel := outlive(ctx, shutdownGrace)
		response, err := r.Client.PostRetrying(sending, request, func(a outbound.Attempt) {
			r.metrics.attempted(a)
			if ctx.Err() != nil || r.setting() != before {
				cancel()
			}
		})
		given := err != nil && sending.Err() != nil
		cancel()
		code, message := outbound.Describe(response, err)
		switch {
		case given: // without a word on the endpoint
		case err != nil:
			return 0, "there was no answer: " + message, nil
		case code >= 200 && code <= 299:
			return sent, "", nil
		case code == http.StatusRequestEntityTooLarge && sent > 1:
			batch = batch[:sent/2]
		default:
			return 0, fmt.Sprintf("the endpoint answered %d %s", code, message), nil
		}
	}
	return 0, "", ctx.Err()
}

// setting is how the webhook and its destination are set up at this moment.
func (r *replayer) setting() setting {
	webhook, _ := r.Registry.Webhook(r.job.OrgID, r.job.Region) // missing: zero
	destination, _ := r.Registry.Destination(webhook.OrgID, webhook.DestinationID)
	return setting{webhook: webhook, destinationUpdated: destination.UpdatedAt}
}

// unwanted says why nothing more is to be sent; "" while there is no reason. A
// webhook that was set up anew is another one than the job was asked for.
func (r *replayer) unwanted(s setting) string {
	switch {
	case s.webhook.ID != r.job.WebhookID:
		return "the webhook was deleted"
	case !s.webhook.Enabled:
		return "the webhook was disabled"
	}
	return ""
}

func (r *replayer) complete(ctx context.Context) error {
	r.job.Status = registry.ReplayCompleted
	if err := r.save(ctx); err != nil {
		return err
	}
	r.logger.Info("a replay job is completed", "events", r.job.Sent)
	return nil
}

func (r *replayer) fail(ctx context.Context, reason string) error {
	r.job.Status, r.job.Reason = registry.ReplayFailed, reason
	if err := r.save(ctx); err != nil {
		return err
	}
	r.logger.Warn("a replay job has failed", "reason", reason, "sent", r.job.Sent, "events", r.job.Events)
	return nil
}

// save writes the job. It is written even if ctx is done since: what the endpoint
// has taken is not to be sent again.
func (r *replayer) save(ctx context.Context) (err error) {
	saving, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	r.job, err = r.Registry.SaveReplayJob(saving, r.job)
	return err
}

// replayed are the events of a job that are left to read.
type replayed struct {
	*Manager
	events *journal.Follower
	last   journal.Position
	ended  bool
}

func (r *replayer) follow(after, last journal.Position) (*replayed, error) {
	events, err := r.Journal.Follow(r.job.Region, r.job.OrgID, after)
	return &replayed{Manager: r.Manager, events: events, last: last, ended: after >= last}, err
}

// next returns the events that come next, about as many as one request holds;
// none when there are no more.
func (e *replayed) next(ctx context.Context) (batch []journal.Entry, err error) {
	for size := 0; len(batch) < e.MaxEvents && size < e.MaxBytes && !e.ended; {
		more, err := e.events.Ready(ctx, e.MaxEvents-len(batch))
		if err != nil {
			return nil, err
		}
		e.ended = len(more) == 0 // retention may have taken the last ones
		for _, entry := range more {
			if entry.Position <= e.last {
				batch = append(batch, entry)
				size += atLeast(&entry.Event)
			}
			e.ended = e.ended || entry.Position >= e.last
		}
	}
	return batch, nil
}
