package sumo

import (
	"context"
	"fmt"
	"net/http"
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
	feed  *collector.Feed
	turns chan struct{}
	once  sync.Once
	ended chan struct{} // closed when no tail may go on
}

func newTails(feed *collector.Feed) *tails {
	return &tails{feed: feed, turns: make(chan struct{}, maxTails), ended: make(chan struct{})}
}

func (t *tails) end() { t.once.Do(func() { close(t.ended) }) }

// enter lets one more tail begin, which calls leave when it has ended.
func (t *tails) enter() (leave func(), err error) {
	select {
	case <-t.ended:
		return nil, &problem{http.StatusServiceUnavailable, "unavailable", "the server is shutting down"}
	default:
	}
	select {
	case t.turns <- struct{}{}:
		return func() { <-t.turns }, nil
	default:
		return nil, &problem{http.StatusTooManyRequests, "too_many_tails", fmt.Sprintf("%d tails run already: end one of them, or search", maxTails)}
	}
}

// tail answers GET /trailhook/v1/tail?query=&timeZone= with server-sent events:
// each message that matches, as it is stored, as an object like that of a search,
// without a name of the event. The others have one: "dropped" tells by "count" how
// many messages a reader missed who was too slow, and "end" why the tail is over.
// Comments are signs of life.
//
// The query may have those stages that take one message at a time. Messages come
// in the order in which they were stored; a line that was sent twice may come
// twice.
func (a *API) tail(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r.URL.Query().Get("query"))
	if err != nil {
		return err
	}
	query.Filter = inScope(query.Filter)
	zone, err := parseZone(r.URL.Query().Get("timeZone"))
	if err != nil {
		return err
	}
	follow, err := search.NewTail(query, search.Setting{Now: time.Now(), Zone: zone})
	if err != nil {
		return badRequest("%v", err)
	}
	leave, err := a.tails.enter()
	if err != nil {
		return err
	}
	defer leave()
	subscription := a.tails.feed.Subscribe()
	defer subscription.Close()
	out := newEventWriter(w)
	if err := out.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	backlog := newBacklog()
	var filtering sync.WaitGroup
	filtering.Go(func() { backlog.fill(ctx, subscription, follow) })
	defer filtering.Wait()
	defer cancel()
	a.tails.send(ctx, out, backlog)
	return nil
}

// send sends what is ready until the reader is gone or the tails end.
func (t *tails) send(ctx context.Context, out *eventWriter, from *backlog) {
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-from.ready:
			messages, dropped := from.take()
			err = out.messages(messages, dropped)
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
