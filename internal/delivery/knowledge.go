package delivery

import (
	"sync"

	"github.com/trailhook/trailhook/internal/journal"
)

// knowledge is what a worker knows of what waits for it without asking the
// journal for it: what it has read and is not rid of yet, and how many messages
// there are beyond, of which it takes that they hold as many events as those
// that it has read.
type knowledge struct {
	mu      sync.Mutex
	reading journal.Reading // of the last run that has read something
	before  uint64          // events that the worker was rid of when that run began
	next    uint64          // and when the present one did
	settled uint64          // and now
}

// begin says that events are read anew from where the cursor is.
func (k *knowledge) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = k.settled
}

func (k *knowledge) read(r journal.Reading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Events > 0 {
		k.reading, k.before = r, k.next
	}
}

// settle says how many events the webhook is rid of, ever: taken, set aside or
// lost.
func (k *knowledge) settle(events uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settled = events
}

// waiting estimates what waits, told being how many messages of the stream the
// journal has been told of. It is false before anything was read.
func (k *knowledge) waiting(told uint64) (events, bytes uint64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.reading
	if r.Events == 0 {
		return 0, 0, false
	}
	beyond := (r.Pending + told - r.Told) * r.Events / r.Messages
	events = r.Events + beyond - min(k.settled-k.before, r.Events)
	return events, events * r.Bytes / r.Events, true
}
