package sumo

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/search"
)

const (
	maxTails = 20 // at a time, of all callers together

	// What a tail has ready for a reader who does not keep up. Beyond, messages
	// are dropped and the reader is told how many.
	tailMessages = 1000
	tailBytes    = 2 << 20

	heartbeat = 15 * time.Second // between signs of life
)

// tails are the tails that run.
type tails struct {
	feed    *collector.Feed
	turns   *turns
	metrics *searchMetrics
	once    sync.Once
	ended   chan struct{} // closed when no tail may go on

	maxMissed int
}

func newTails(feed *collector.Feed, metrics *searchMetrics) *tails {
	return &tails{
		feed: feed, metrics: metrics, ended: make(chan struct{}), maxMissed: maxMissed,
		turns: newTurns(maxTails, 0, "too_many_tails", "%d tails run already: end one of them, or search"),
	}
}

func (t *tails) end() { t.once.Do(func() { close(t.ended) }) }

// enter lets one more tail begin, which calls leave when it has ended.
func (t *tails) enter(ctx context.Context) (leave func(), err error) {
	select {
	case <-t.ended:
		return nil, &problem{http.StatusServiceUnavailable, "unavailable", "the server is shutting down"}
	default:
	}
	leave, err = t.turns.take(ctx)
	if err != nil {
		t.metrics.refuse(tailSearch)
	}
	return leave, err
}

// tail answers GET /trailhook/v1/tail?query=&timeZone= with server-sent events:
// each message that matches, as it is stored, as an object like that of a search,
// without a name of the event. The others have one: "dropped" tells by "count" how
// many messages a reader missed who was too slow, "gap" that more was missed than
// is sent, and "end" why the tail is over. Comments are signs of life.
//
// The query may have those stages that take one message at a time. Messages come
// in the order in which they were stored; a line that was sent twice may come
// twice.
//
// A request with Last-Event-ID goes on where that event was: what was stored since
// comes first, by when it was received, and a few seconds of what came before.
func (a *API) tail(w http.ResponseWriter, r *http.Request) error {
	asked, err := parseTail(r)
	if err != nil {
		return err
	}
	leave, err := a.tails.enter(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	subscription := a.tails.feed.Subscribe()
	defer subscription.Close()
	ctx, cancel := context.WithCancel(r.Context())
	backlog := newBacklog()
	var filtering sync.WaitGroup
	filtering.Go(func() { backlog.fill(ctx, subscription, asked.tail) })
	defer filtering.Wait()
	defer cancel()
	var before *missed
	if asked.goesOn {
		// The limit for sending a request would otherwise end it, though it was sent.
		http.NewResponseController(w).SetReadDeadline(time.Time{})
		if before, err = a.missedSince(ctx, asked); isGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	out := newEventWriter(w, asked.at)
	if err := out.begin(); err != nil {
		return err
	}
	a.tails.send(ctx, out, before, backlog)
	return nil
}

// tailRequest is what a request for a tail asks for.
type tailRequest struct {
	query   search.Query
	setting search.Setting
	tail    *search.Tail

	at     place
	goesOn bool // from there, rather than begins
}

func parseTail(r *http.Request) (asked tailRequest, err error) {
	if asked.query, err = parseQuery(r.URL.Query().Get("query")); err != nil {
		return asked, err
	}
	asked.query.Filter = inScope(asked.query.Filter)
	asked.setting.Now = time.Now()
	if asked.setting.Zone, err = parseZone(r.URL.Query().Get("timeZone")); err != nil {
		return asked, err
	}
	if asked.tail, err = search.NewTail(asked.query, asked.setting); err != nil {
		return asked, badRequest("%v", err)
	}
	asked.at, asked.goesOn, err = resumed(r)
	return asked, err
}

// send sends what was missed before, and then what is ready until the reader is
// gone or the tails end.
func (t *tails) send(ctx context.Context, out *eventWriter, before *missed, from *backlog) {
	if before != nil && t.missed(out, before) != nil {
		return
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-from.ready:
			messages, dropped := from.take()
			err = t.messages(out, slices.DeleteFunc(messages, before.sent), dropped)
		case <-alive.C:
			err = out.comment("alive")
		case <-t.ended:
			out.end("the server is shutting down")
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// missed sends what was missed, in parts for each of which the reader has time.
func (t *tails) missed(out *eventWriter, before *missed) error {
	if before.gap {
		if err := out.gap(); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(before.messages, tailMessages) {
		if err := t.messages(out, part, 0); err != nil {
			return err
		}
	}
	return nil
}

func (t *tails) messages(out *eventWriter, messages []search.Record, dropped int) error {
	t.metrics.tailDropped.Add(float64(dropped))
	if err := out.messages(messages, dropped); err != nil {
		return err
	}
	t.metrics.tailEvents.Add(float64(len(messages)))
	return nil
}

// backlog is what is ready for a reader.
type backlog struct {
	ready chan struct{} // has an element if there is something to take

	mu       sync.Mutex
	messages []search.Record
	bytes    int
	dropped  int // after the messages
}

func newBacklog() *backlog { return &backlog{ready: make(chan struct{}, 1)} }

// fill puts in what matches until ctx ends. It never waits for the reader, and so
// keeps up with the feed unless the machine does not; what it then misses counts as
// dropped, whether it would have matched or not.
func (b *backlog) fill(ctx context.Context, from *collector.Subscription, follow *search.Tail) {
	for {
		select {
		case records := <-from.Records:
			for _, r := range records {
				if message, ok := follow.Next(r); ok {
					b.add(message)
				}
			}
			if missed := from.Missed(); missed > 0 {
				b.drop(missed)
			}
		case <-ctx.Done():
			return
		}
	}
}

// add drops a message that there is no room for, and all after it until the reader
// has taken those before: what he gets is in order, with the gap where it is told.
func (b *backlog) add(message search.Record) {
	size := messageSize(&message)
	b.mu.Lock()
	defer b.mu.Unlock()
	full := len(b.messages) >= tailMessages || b.bytes+size > tailBytes && len(b.messages) > 0
	if full || b.dropped > 0 {
		b.dropped++
	} else {
		b.messages = append(b.messages, message)
		b.bytes += size
	}
	b.wake()
}

func (b *backlog) drop(count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped += count
	b.wake()
}

func (b *backlog) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns what is ready, and how many messages were dropped after it.
func (b *backlog) take() (messages []search.Record, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages, dropped = b.messages, b.dropped
	b.messages, b.bytes, b.dropped = nil, 0, 0
	return messages, dropped
}

func messageSize(r *search.Record) int {
	size := 512 + len(r.Raw)
	for _, f := range r.Fields {
		size += len(f.Name) + len(f.Value) + 64
	}
	return size
}
