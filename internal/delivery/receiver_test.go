package delivery

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// receiver is a SIEM's endpoint that keeps what it is sent.
type receiver struct {
	*testing.T
	*httptest.Server

	mu       sync.Mutex
	requests []received
	arrived  chan struct{} // closed and replaced at each request
}

// received is a request and the status that it was answered with.
type received struct {
	header http.Header
	body   []byte // as it came
	lines  []string
	events []int // the lines' events, as numbered by tenant.record
	at     time.Time
	status int
}

// taking answers every request alike.
func taking(status int) func(int) int { return func(int) int { return status } }

// receive starts a receiver that answers the nth request, from 1, with the
// status that answer gives for n. A request counts as arrived once it is
// answered.
func receive(t *testing.T, answer func(n int) int) *receiver {
	t.Helper()
	r := &receiver{T: t, arrived: make(chan struct{})}
	begun := 0
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		got := r.read(request)
		r.mu.Lock()
		begun++
		n := begun
		r.mu.Unlock()
		got.status = answer(n)
		r.keep(got)
		if got.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1") // the least: four retries take 4 seconds instead of 15
		}
		w.WriteHeader(got.status)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

func (r *receiver) read(request *http.Request) received {
	got := received{header: request.Header, at: time.Now()}
	var err error
	if got.body, err = io.ReadAll(request.Body); err != nil {
		r.Error(err)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(got.body))
	if err != nil {
		r.Error(err)
		return got
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		r.Error(err)
	}
	got.lines = strings.Split(string(text), "\n")
	for _, line := range got.lines {
		decoded, err := audit.Decode([]byte(line))
		if err != nil {
			r.Errorf("line %q: %v", line, err)
		}
		got.events = append(got.events, int(decoded.Event.TraceID))
	}
	return got
}

func (r *receiver) keep(got received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, got)
	close(r.arrived)
	r.arrived = make(chan struct{})
}

// all returns what has arrived, and a channel that is closed at the next.
func (r *receiver) all() ([]received, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[:len(r.requests):len(r.requests)], r.arrived
}

// await waits until what has arrived is as the test wants it.
func (r *receiver) await(reached func([]received) bool) []received {
	r.Helper()
	limit := time.After(patience)
	for {
		requests, arrived := r.all()
		if reached(requests) {
			return requests
		}
		select {
		case <-arrived:
		case <-limit:
			r.Fatalf("still waiting after %d requests; taken were the events %v", len(requests), taken(requests))
		}
	}
}

// awaitRequests waits for n requests, whatever they were answered.
func (r *receiver) awaitRequests(n int) []received {
	r.Helper()
	return r.await(func(requests []received) bool { return len(requests) >= n })
}

// awaitEvents waits until the events from first to last were taken, checks
// that they were in order, and that nothing else arrived.
func (r *receiver) awaitEvents(first, last int) []received {
	r.Helper()
	requests := r.await(func(requests []received) bool {
		events := taken(requests)
		return len(events) > 0 && events[len(events)-1] >= last
	})
	events := taken(requests)
	for i, number := range events {
		if number != first+i {
			r.Fatalf("events %d to %d were wanted, each once; taken were %v", first, last, events)
		}
	}
	if len(events) != last-first+1 {
		r.Fatalf("events %d to %d were wanted; taken were %v", first, last, events)
	}
	return requests
}

// taken are the events of the requests that were answered with success, in
// the order in which each came for the first time.
func taken(requests []received) []int {
	var events []int
	known := map[int]bool{}
	for _, request := range requests {
		if request.status > 299 {
			continue
		}
		for _, number := range request.events {
			if !known[number] {
				known[number] = true
				events = append(events, number)
			}
		}
	}
	return events
}

// checkRepeats checks that each event came as the same bytes every time.
func (r *receiver) checkRepeats(requests []received) {
	r.Helper()
	lines := map[int]string{}
	for _, request := range requests {
		for i, number := range request.events {
			if first, ok := lines[number]; ok && first != request.lines[i] {
				r.Fatalf("event %d came as %q and as %q", number, first, request.lines[i])
			}
			lines[number] = request.lines[i]
		}
	}
}

// sizes are the numbers of events of the requests.
func sizes(requests []received) []int {
	sizes := make([]int, len(requests))
	for i, request := range requests {
		sizes[i] = len(request.lines)
	}
	return sizes
}

// hangingReceiver answers nothing until it is released.
type hangingReceiver struct {
	*receiver
	begun chan struct{} // closed when a request has come
}

func hang(t *testing.T, status int) (r hangingReceiver, release func()) {
	t.Helper()
	r.begun = make(chan struct{})
	begin := sync.OnceFunc(func() { close(r.begun) })
	held := make(chan struct{})
	release = sync.OnceFunc(func() { close(held) })
	r.receiver = receive(t, func(int) int {
		begin()
		<-held
		return status
	})
	t.Cleanup(release)
	return r, release
}
