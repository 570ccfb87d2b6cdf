package delivery

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// worker delivers one webhook's events.
type worker struct {
	*Manager
	hook   registry.Webhook // as it was when the worker began: its id and scope do not change
	state  state
	logger *slog.Logger
	oldest atomic.Int64 // when the oldest event that waits was recorded, or had come: Unix milliseconds

	known knowledge

	// Of whoever prepares.
	events  *journal.Follower
	waiting []journal.Entry // read, and not yet in a parcel

	limit   sizeLimit
	wait    time.Duration    // the next pause
	suspect int              // how many lines in a row may be refused alone before it is held against the endpoint
	batch   journal.Position // the last of a batch that was refused: it is tried again as it was; 0: none
	company bool             // what comes next was refused for what it holds: it is tried together with what follows

	// What the last run left.
	ended     outcome
	pause     time.Duration    // before the next one
	refusedAs setting          // how the webhook was set up
	refusedTo journal.Position // the last event that was refused
	unsettled bool             // few lines were refused, and nothing after them that could have been taken
	blind     bool             // the journal could not be read, which was logged

	// Of the round.
	lane      lane
	displaced bool // a request has failed, and there was no place to retry it: it waits for one
	pausing   bool
	pauses    int
	hurried   bool // the pause before was cut short by an event
	timer     *time.Timer
}

// outcome is why a worker has stopped running.
type outcome int

const (
	caughtUp outcome = iota // nothing is left to send, or nobody wants it
	yielded                 // others wait for its place
	holding                 // what comes next was refused, or could not be read: it is tried again after a pause
)

// turnTime is how long a worker keeps its place while others wait for one.
const turnTime = time.Second

// endless is after every event.
const endless journal.Position = math.MaxUint64

// readPause is the pause before the journal is read again that could not be.
const readPause = time.Second

func (m *Manager) newWorker(hook registry.Webhook, state state) *worker {
	w := &worker{
		Manager: m,
		hook:    hook,
		state:   state,
		logger:  m.loggerOf(hook.Scope()),
	}
	w.oldest.Store(m.Now().UnixMilli())
	w.limit.reset(m.MaxBytes)
	w.known.settle(state.settled())
	w.patience()
	return w
}

// run delivers the webhook's events until there are no more, or it is disabled
// or deleted, or ctx is done; until a batch is refused, or others want the
// place. It holds no events when it returns: they are read again.
//
// While a batch is on its way the next one is made ready, and no more than that.
func (w *worker) run(ctx context.Context) outcome {
	events, err := w.Journal.Follow(streamOf(w.hook), w.state.Cursor)
	if err != nil {
		return w.unreadable(ctx, err)
	}
	w.events = events
	w.known.begin()
	defer func() { w.events, w.waiting = nil, nil }()
	idle := make(chan struct{})
	close(idle)
	begun := time.Now()
	w.displaced = false
	next, err := w.begin(ctx, idle)
	for ctx.Err() == nil && w.enabled() {
		switch {
		case err != nil:
			return w.unreadable(ctx, err)
		case len(next.entries) == 0:
			w.passOver(ctx)
			return caughtUp
		case time.Since(begun) > turnTime && w.lanes.crowded(w):
			return yielded
		}
		var refused bool
		next, refused, err = w.turn(ctx, next)
		if refused {
			return holding
		}
		if w.displaced {
			return yielded
		}
		if err == nil && len(next.entries) == 0 {
			next, err = w.prepare(ctx, idle, endless) // there may be more by now
		}
	}
	return caughtUp
}

// begin prepares what a run begins with: after a refusal, what was refused.
func (w *worker) begin(ctx context.Context, idle <-chan struct{}) (parcel, error) {
	last, company := cmp.Or(w.batch, endless), w.company
	w.batch, w.company = 0, false
	if !company {
		return w.prepare(ctx, idle, last)
	}
	// One of those that follow may pass, if not in the same request.
	if err := w.gather(ctx, idle, last); err != nil {
		return parcel{}, err
	}
	w.known.read(w.events.Reading())
	n := min(len(w.waiting), w.MaxEvents)
	p := parcel{entries: w.waiting[:n:n]}
	w.waiting = slices.Clone(w.waiting[n:])
	return p, nil
}

// unreadable holds the cursor before what the journal cannot give.
func (w *worker) unreadable(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return caughtUp
	}
	w.pause, w.refusedAs, w.unsettled = readPause, w.setting(), false
	if errors.Is(err, broker.ErrUnavailable) {
		if !w.blind {
			w.logger.Warn("cannot read the journal; trying again until it can be read", "error", err)
		}
		w.blind = true
		return holding
	}
	w.pause = w.wait
	w.note(ctx, verdict{message: "the journal cannot be read: " + err.Error()}, true)
	w.wait = min(2*w.wait, w.MaxPause)
	return holding
}

// turn delivers a batch while the next one is made ready, and returns that.
func (w *worker) turn(ctx context.Context, p parcel) (next parcel, refused bool, err error) {
	type preparation struct {
		parcel
		err error
	}
	preparing, stop := context.WithCancel(ctx)
	defer stop()
	idle, ready := make(chan struct{}), make(chan preparation, 1)
	go func() {
		next, err := w.prepare(preparing, idle, endless)
		ready <- preparation{next, err}
	}()
	left, refused := w.deliver(ctx, p)
	close(idle)
	if refused {
		stop()
	}
	after := <-ready
	if refused || len(left) == 0 {
		return after.parcel, refused, after.err
	}
	w.waiting = slices.Concat(left, after.entries, w.waiting)
	return parcel{}, false, after.err // it is prepared from what waits
}

// passOver moves the cursor beyond events that the journal had and dropped
// before anybody could count them, so that they are not looked for again.
func (w *worker) passOver(ctx context.Context) {
	after := w.events.Position()
	if after <= w.state.Cursor || !w.Journal.Behind(streamOf(w.hook), w.state.Cursor) {
		return
	}
	w.logger.Error("the journal dropped events before the endpoint took them: how many is not known")
	w.state.Cursor = after
	w.save(ctx)
}

// setting is how the webhook and its destination are set up at one moment.
// Settings of two moments are equal when nobody changed either in between.
type setting struct {
	webhook            registry.Webhook // zero when it was deleted
	destinationUpdated time.Time
	key                string // that signs
}

func (m *Manager) setting(s registry.Scope) setting {
	// What is missing stays zero: request says what is wrong.
	webhook, _ := m.Registry.Webhook(s)
	destination, _ := m.Registry.Destination(webhook.OrgID, webhook.DestinationID)
	return setting{webhook, destination.UpdatedAt, m.Registry.SigningKeyID()}
}

func (w *worker) setting() setting { return w.Manager.setting(w.hook.Scope()) }

// enabled reports whether the worker's webhook still wants events: one that
// was set up anew is another webhook, with a worker of its own.
func (s setting) enabled(id string) bool { return s.webhook.ID == id && s.webhook.Enabled }

func (w *worker) enabled() bool { return w.setting().enabled(w.hook.ID) }

// deliver sends the batch until a part of it, or all, is taken or set aside, and
// returns the rest; or until it is refused.
func (w *worker) deliver(ctx context.Context, p parcel) (left []journal.Entry, refused bool) {
	batch := p.entries
	for {
		before := w.setting()
		if batch = w.unexpired(ctx, batch); len(batch) == 0 || ctx.Err() != nil || w.displaced || !before.enabled(w.hook.ID) {
			return nil, false // run looks at what it was
		}
		w.oldest.Store(batch[0].Stored.UnixMilli())
		w.blind = false
		cursor := w.state.Cursor
		rest, refusal := w.send(ctx, before, p, batch)
		if w.state.Cursor != cursor || len(rest) == 0 {
			return rest, false
		}
		if refusal.interrupted {
			w.patience()
			continue
		}
		w.refuse(before, batch, refusal)
		return nil, true
	}
}

// refuse has the batch tried again after a pause: as it was, or, when it was
// refused for what it holds, with the events that have come since, one of which
// may pass.
func (w *worker) refuse(before setting, batch []journal.Entry, refusal verdict) {
	w.pause, w.refusedAs = w.wait, before
	w.wait = min(2*w.wait, w.MaxPause)
	w.refusedTo = batch[len(batch)-1].Position
	w.batch, w.unsettled = w.refusedTo, false
	if refusal.content() {
		w.batch, w.company, w.unsettled = 0, true, len(batch) < leastSuspects
	}
}

// patience begins anew with the pauses and the suspicions.
func (w *worker) patience() { w.wait, w.suspect, w.hurried = w.MinPause, leastSuspects, false }

// size is how many bytes of lines a request may hold now.
func (w *worker) size() int { return min(w.limit.bytes(), w.lanes.share()) }

// send posts as much of the batch as fits one request, and smaller pieces of it
// when the endpoint refuses what it holds. It returns what was neither taken nor
// set aside, and the last word of the endpoint.
func (w *worker) send(ctx context.Context, before setting, p parcel, batch []journal.Entry) (rest []journal.Entry, v verdict) {
	made, err := w.packedNow(before, p, batch, &w.limit)
	if err != nil {
		w.note(ctx, verdict{message: err.Error()}, true)
		return batch, verdict{}
	}
	v = w.post(ctx, before, made.request)
	switch {
	case v.interrupted:
		return batch, v
	case v.taken():
		w.taken(ctx, batch[:made.sent], v)
		w.limit.ease()
		return batch[made.sent:], v
	case v.content():
		return w.narrow(ctx, before, batch, made, v)
	}
	w.note(ctx, v, true)
	return batch, v
}

// unexpired leaves out the events whose retention is over, counts them and moves
// the cursor beyond them: they are in the journal for a while yet, but nobody is
// owed them any more.
func (w *worker) unexpired(ctx context.Context, batch []journal.Entry) []journal.Entry {
	n := 0
	for n < len(batch) && w.Journal.Expired(batch[n], w.Now()) {
		n++
	}
	if n == 0 {
		return batch
	}
	w.logger.Error("retention took events before the endpoint did", "events", n, "oldest", batch[0].Stored)
	w.state.Lost += uint64(n)
	w.state.Cursor = batch[n-1].Position
	w.metrics.lost.Add(float64(n))
	w.save(ctx)
	return batch[n:]
}
