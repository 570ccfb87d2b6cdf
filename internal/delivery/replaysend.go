package delivery

import (
	"context"
	"fmt"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// The rule for lines that the endpoint refuses for what they hold (400, 413, 422)
// is the live delivery's, see narrow.go: smaller pieces in order, a line that is
// refused alone is a suspect, and a line after it that is taken tells that it was
// the line. A job holds nothing and has no second try, and what follows is known
// to come, so
//
//   - suspects are carried from one parcel to the next;
//   - mostSuspects in a row are looked at from the start: then the endpoint
//     refuses everything, and the job fails;
//   - at the end of the job fewer than leastSuspects pass for bad lines if
//     anything of the job was taken.
//
// The lines are counted, not set aside: live delivery has set them aside already
// if it met the same refusal, and they stay in the journal for another job.

// deliver sends the parcel, in smaller pieces where the endpoint refuses what it
// holds, until each of its lines was taken or is a suspect.
func (r *replayer) deliver(ctx context.Context, p parcel) error {
	size := len(p.entries)
	if len(r.suspects) > 0 {
		size = 1
	}
	for batch := p.entries; len(batch) > 0; {
		made, v, err := r.send(ctx, p, batch[:min(size, len(batch))])
		switch {
		case err != nil:
			return err
		case v.taken():
			if err := r.taken(ctx, batch[:made.sent]); err != nil {
				return err
			}
			batch, size = batch[made.sent:], min(2*size, len(p.entries))
		case !v.content():
			return refusal(v)
		case made.sent > 1:
			size = r.limit.smaller(made, v)
		default:
			r.suspects = append(r.suspects, refused{batch[0], v, r.Now()})
			if len(r.suspects) == mostSuspects {
				return r.refusedAll()
			}
			batch, size = batch[1:], 1
		}
	}
	return nil
}

// send posts as much of the batch as fits one request, by the retry rule, to the
// webhook as it is set up now, and again when it is set up otherwise meanwhile.
// The request is made as the live delivery makes it: the same lines, the same
// headers.
func (r *replayer) send(ctx context.Context, p parcel, batch []journal.Entry) (packed, verdict, error) {
	for ctx.Err() == nil {
		now := r.setting()
		if reason := r.unwanted(now); reason != "" {
			return packed{}, verdict{}, failure(reason)
		}
		made, err := r.packedNow(now, p, batch, &r.limit)
		if err != nil {
			return packed{}, verdict{}, failure(err.Error())
		}
		v := r.post(ctx, made.request, func() bool { return r.setting() != now }, func() bool { return true })
		if !v.interrupted {
			return made, v, nil
		}
	}
	return packed{}, verdict{}, ctx.Err()
}

// taken moves the cursor beyond the entries, which the endpoint has taken, and
// with them beyond the suspects before.
func (r *replayer) taken(ctx context.Context, entries []journal.Entry) error {
	r.job.Sent += uint64(len(entries))
	r.limit.ease()
	r.replays.events.WithLabelValues(replayTaken).Add(float64(len(entries)))
	return r.pass(ctx, entries[len(entries)-1].Position)
}

// settle decides on the suspects at the end of the job.
func (r *replayer) settle(ctx context.Context) error {
	switch n := len(r.suspects); {
	case n == 0:
		return nil
	case n >= leastSuspects || r.job.Sent == 0:
		return r.refusedAll()
	default:
		return r.pass(ctx, r.suspects[n-1].entry.Position)
	}
}

// pass counts the suspects as refused, and saves the job with the cursor at the
// position.
func (r *replayer) pass(ctx context.Context, cursor journal.Position) error {
	if n := len(r.suspects); n > 0 {
		r.job.Refused += uint64(n)
		r.replays.events.WithLabelValues(replayRefused).Add(float64(n))
		r.logger.Warn("a replay job passes over events: the endpoint refuses them alone and takes others",
			"events", n, "code", r.suspects[0].code, "message", r.suspects[0].message)
		r.suspects = nil
	}
	r.job.Cursor = uint64(cursor)
	return r.save(ctx)
}

// refusal is why the job fails when the endpoint does not take it for reasons
// other than what it holds.
func refusal(v verdict) failure {
	if v.code == 0 {
		return failure("there was no answer: " + v.message)
	}
	return failure(fmt.Sprintf("the endpoint answered %d %s", v.code, v.message))
}

// refusedAll is why the job fails when the endpoint refuses every line.
func (r *replayer) refusedAll() failure {
	n := len(r.suspects)
	if n == 1 {
		return refusal(r.suspects[0].verdict)
	}
	return refusal(r.suspects[n-1].verdict) + failure(fmt.Sprintf(" to each of %d lines in a row, sent alone", n))
}

// setting is how the webhook and its destination are set up at this moment.
func (r *replayer) setting() setting {
	return r.Manager.setting(registry.Scope(r.stream)) // not the job, which whoever delivers changes
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
