package delivery

import (
	"context"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
)

// The rule for a batch that the endpoint refuses for what it holds (400, 413,
// 422). Smaller pieces of it are sent, in order: after a refusal half of the
// piece (for 413, half of its bytes), after a success twice as much. A line that
// is refused alone is a suspect, and the next one is tried.
//
// Suspects are set aside when a line after them is taken, or when they are the
// last of the batch, few, and something before them was taken in the same go.
// So it takes a line that passes to tell that it was the line and not the
// endpoint. When nothing passes, the endpoint refuses everything: the cursor is
// held, as for any other refusal, and with the next try go the events that have
// come since, one of which may pass.
//
// How many suspects in a row are looked at bounds the requests that an endpoint
// which refuses everything is bothered with, and the lines that are set aside
// when it changes its mind in between: leastSuspects, doubled with each try up
// to mostSuspects. With the halving before it this makes at most 20 requests the
// first time for 1,000 events, and 76 later.
const (
	leastSuspects = 8
	mostSuspects  = 64
)

// narrow goes on after made, the beginning of the batch, was refused for what it
// holds. It returns what was neither taken nor set aside, and the endpoint's last
// word.
func (w *worker) narrow(ctx context.Context, before setting, batch []journal.Entry, made packed, v verdict) ([]journal.Entry, verdict) {
	var (
		suspects []refused
		passed   bool
		at       int // in the batch, of what is sent next
		size     = made.sent
	)
	for {
		switch {
		case v.interrupted:
			return batch[at-len(suspects):], v
		case v.taken():
			if err := w.setAside(ctx, suspects); err != nil {
				return w.cannotSetAside(ctx, batch[at-len(suspects):], err)
			}
			w.taken(ctx, batch[at:at+made.sent], v)
			w.limit.ease()
			at += made.sent
			passed, suspects, size = true, nil, min(2*max(size, 1), len(batch))
		case !v.content():
			w.note(ctx, v, true)
			return batch[at-len(suspects):], v
		case made.sent > 1:
			size = w.limit.smaller(made, v)
		default:
			suspects = append(suspects, refused{batch[at], v, w.Now()})
			at, size = at+1, 1
		}
		if at == len(batch) || len(suspects) >= w.suspect {
			return w.conclude(ctx, batch[at-len(suspects):], suspects, passed && at == len(batch), v)
		}
		if ctx.Err() != nil || w.setting() != before {
			return batch[at-len(suspects):], verdict{interrupted: true}
		}
		var err error
		if made, err = w.pack(before.webhook, batch[at:min(at+size, len(batch))], w.size()); err != nil {
			w.note(ctx, verdict{message: err.Error()}, true)
			return batch[at-len(suspects):], verdict{}
		}
		v = w.post(ctx, before, made.request)
	}
}

// conclude decides on the suspects at the end of a go, which rest begins with.
func (w *worker) conclude(ctx context.Context, rest []journal.Entry, suspects []refused, passed bool, v verdict) ([]journal.Entry, verdict) {
	if len(suspects) == 0 {
		return rest, v
	}
	if passed && len(suspects) < leastSuspects {
		if err := w.setAside(ctx, suspects); err != nil {
			return w.cannotSetAside(ctx, rest, err)
		}
		w.state.Cursor = suspects[len(suspects)-1].entry.Position
		w.save(ctx)
		return rest[len(suspects):], v
	}
	// It is the endpoint, not the lines.
	w.limit.reset(w.MaxBytes)
	w.suspect = min(2*w.suspect, mostSuspects)
	w.note(ctx, v, true)
	return rest, v
}

// cannotSetAside holds the cursor before lines that could not be made durable
// elsewhere. Those after them go out again.
func (w *worker) cannotSetAside(ctx context.Context, rest []journal.Entry, err error) ([]journal.Entry, verdict) {
	w.note(ctx, verdict{message: err.Error()}, true)
	return rest, verdict{}
}

// refused is a line that the endpoint refused alone.
type refused struct {
	entry journal.Entry
	verdict
	at time.Time
}
