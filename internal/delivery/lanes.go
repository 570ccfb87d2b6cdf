package delivery

import "sync"

// maxWorkers is how many webhooks are served at a time, in each lane.
const maxWorkers = 256

// What the workers hold of lines before compression, in bytes: inHand is shared
// among those that run, but none gets less than leastInHand for a batch.
const (
	inHand      = 32 << 20
	leastInHand = 64 << 10
)

// lane is one of the two queues for a place to work in. A webhook whose
// endpoint fails waits and works in a lane of its own, so that endpoints that
// hang, however many, leave the others all of theirs.
type lane int

const (
	well lane = iota
	troubled
	laneCount
)

// lanes bounds how many workers run, and with them goroutines, connections and
// memory. Whoever waits gets its turn in the order in which it came.
type lanes struct {
	most int // in each

	mu      sync.Mutex
	running [laneCount]int
	waiting [laneCount][]*worker
}

// queue has the worker wait for a place.
func (l *lanes) queue(w *worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.lane = well
	if w.state.Failing || w.displaced {
		w.lane = troubled
	}
	l.waiting[w.lane] = append(l.waiting[w.lane], w)
}

// next gives a place to the one that has waited longest; nil when there is none
// to give, or nobody waits.
func (l *lanes) next() *worker {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.waiting {
		if len(l.waiting[n]) > 0 && l.running[n] < l.most {
			w := l.waiting[n][0]
			l.waiting[n][0] = nil
			l.waiting[n] = l.waiting[n][1:]
			l.running[n]++
			return w
		}
	}
	return nil
}

// leave gives the worker's place back.
func (l *lanes) leave(w *worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[w.lane]--
}

// inTrouble moves a worker whose request has failed into the other lane, since
// its retries take a while. It is false when there is no room: then the worker
// has to wait for a place there.
func (l *lanes) inTrouble(w *worker) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.lane == troubled {
		return true
	}
	if l.running[troubled] == l.most {
		return false
	}
	l.running[well]--
	l.running[troubled]++
	w.lane = troubled
	return true
}

// crowded reports whether others wait for the worker's place.
func (l *lanes) crowded(w *worker) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting[w.lane]) > 0
}

// share is how many bytes of lines a batch may hold now.
func (l *lanes) share() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(inHand/max(l.running[well]+l.running[troubled], 1), leastInHand)
}

// counts returns how many workers run in each lane.
func (l *lanes) counts() [laneCount]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}
