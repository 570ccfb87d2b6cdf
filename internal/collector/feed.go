package collector

import (
	"sync"
	"sync/atomic"

	"github.com/trailhook/trailhook/internal/search"
)

// feedRoom is how many inserts a subscriber may be behind.
const feedRoom = 64

// Feed hands records that were just stored to whoever subscribes. Nobody holds up
// the indexer: who does not keep up misses records, and can tell how many.
type Feed struct {
	mu          sync.Mutex
	subscribers map[*Subscription]struct{}
}

func newFeed() *Feed { return &Feed{subscribers: map[*Subscription]struct{}{}} }

// Subscription is one subscriber's end of a Feed.
type Subscription struct {
	// Records are those of one insert, and are not to be changed. A line that was
	// received twice may be among them twice, as only the store knows it again.
	Records <-chan []search.Record

	feed   *Feed
	send   chan []search.Record
	missed atomic.Int64
}

// Subscribe gives every record that is stored from now on, until Close.
func (f *Feed) Subscribe() *Subscription {
	records := make(chan []search.Record, feedRoom)
	s := &Subscription{Records: records, feed: f, send: records}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers[s] = struct{}{}
	return s
}

// Missed returns how many records there was no room for since the last call.
func (s *Subscription) Missed() int { return int(s.missed.Swap(0)) }

// Close ends the subscription. Records stays open, with nothing more to come.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subscribers, s)
}

func (f *Feed) publish(records []search.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subscribers {
		select {
		case s.send <- records:
		default:
			s.missed.Add(int64(len(records)))
		}
	}
}
