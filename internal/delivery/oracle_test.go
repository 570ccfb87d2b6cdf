package delivery

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// misbehaviour is what a receiver does with one request.
type misbehaviour string

const (
	resetInBody   misbehaviour = "reset in the middle of the body"
	hangUp        misbehaviour = "hang up without an answer"
	keepAndHangUp misbehaviour = "take it and hang up without an answer"
	closeEarly    misbehaviour = "take it, say 200 and close in the middle of the answer"
	slowRead      misbehaviour = "read slowly, and take it"
	refuse        misbehaviour = "refuse connections for a while"
)

// script is what goes wrong, once each; numbers are the statuses of answers.
var script = []misbehaviour{
	resetInBody, hangUp, keepAndHangUp, closeEarly, slowRead, refuse,
	"429", "500", "502", "503", "501", "400", "401", "302", "413", "422", "403",
}

// erratic is a receiver that misbehaves by a seeded script, and refuses events
// whose numbers are multiples of poison whatever comes with them.
type erratic struct {
	*receiver
	address string

	mu     sync.Mutex
	random *rand.Rand
	left   []misbehaviour
	server *httptest.Server
}

const poison = 97

func newErratic(t *testing.T, seed uint64) *erratic {
	e := &erratic{receiver: &receiver{T: t, arrived: make(chan struct{})}, random: rand.New(rand.NewPCG(seed, seed))}
	e.left = slices.Clone(script)
	e.random.Shuffle(len(e.left), func(i, j int) { e.left[i], e.left[j] = e.left[j], e.left[i] })
	e.listen("127.0.0.1:0")
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.server.Close()
	})
	return e
}

func (e *erratic) listen(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		e.Error(err)
		return
	}
	e.address = listener.Addr().String()
	e.server = httptest.NewUnstartedServer(e)
	e.server.Listener.Close()
	e.server.Listener = listener
	e.server.Start()
}

func (e *erratic) next() misbehaviour {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.left) == 0 || e.random.IntN(2) == 0 {
		return ""
	}
	last := len(e.left) - 1
	next := e.left[last]
	e.left = e.left[:last]
	return next
}

func (e *erratic) done() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.left) == 0
}

// ServeHTTP misbehaves, or takes the request.
func (e *erratic) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	next := e.next()
	switch next {
	case resetInBody:
		one := make([]byte, 1)
		_, _ = request.Body.Read(one)
		connection := e.hijack(w)
		_ = connection.(*net.TCPConn).SetLinger(0) // a reset, not an end
		connection.Close()
		return
	case hangUp:
		e.hijack(w).Close()
		return
	case slowRead:
		one := make([]byte, 1)
		// A pause is what is tested here; nothing waits for it to be long enough.
		n, _ := request.Body.Read(one)
		<-time.After(100 * time.Millisecond)
		request.Body = &prefixed{one[:n], request.Body}
	case refuse:
		e.refuse(w)
		return
	}
	got := e.read(request)
	got.status = 200
	if status, err := strconv.Atoi(string(next)); err == nil {
		got.status = status
	} else if slices.ContainsFunc(got.events, func(n int) bool { return n%poison == 0 }) {
		got.status = 422
	}
	switch {
	case next == keepAndHangUp:
		got.status = 499 // not answered: it counts as not taken
		e.keep(got)
		e.hijack(w).Close()
		return
	case next == closeEarly && got.status == 200:
		e.keep(got)
		connection := e.hijack(w)
		fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ntak")
		connection.Close()
		return
	}
	e.keep(got)
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(got.status)
}

// refuse closes the address and opens it again a while later.
func (e *erratic) refuse(w http.ResponseWriter) {
	connection := e.hijack(w)
	e.mu.Lock()
	old := e.server
	old.Listener.Close()
	e.mu.Unlock()
	connection.Close()
	time.AfterFunc(300*time.Millisecond, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		old.CloseClientConnections()
		e.listen(e.address)
	})
}

func (e *erratic) hijack(w http.ResponseWriter) net.Conn {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return connection
}

// prefixed is a body of which the beginning was read.
type prefixed struct {
	begun []byte
	rest  interface {
		Read([]byte) (int, error)
		Close() error
	}
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.begun) > 0 {
		n := copy(b, p.begun)
		p.begun = p.begun[n:]
		return n, nil
	}
	return p.rest.Read(b)
}

func (p *prefixed) Close() error { return p.rest.Close() }

// TestEveryEventArrivesHoweverTheReceiverBehaves is an oracle test: every event
// that was recorded is an obligation. TRAILHOOK_ORACLE_SEED repeats a run.
func TestEveryEventArrivesHoweverTheReceiverBehaves(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if given := os.Getenv("TRAILHOOK_ORACLE_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("TRAILHOOK_ORACLE_SEED: %v", err)
		}
	}
	t.Logf("TRAILHOOK_ORACLE_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	small := func(o *Options) {
		o.MinPause, o.MaxPause, o.MaxEvents, o.MaxWait = 5*time.Millisecond, 50*time.Millisecond, 64, 5*time.Millisecond
	}
	dir := t.TempDir()
	e := newErratic(t, seed)
	p := start(t, dir, small)
	org := p.organization()
	destination, enabled := org.destination("http://"+e.address, audit.CEF, "key"), true
	org.change(changeOf(destination, enabled))
	for restarts := 0; !e.done(); {
		requests, _ := e.all()
		for range 5 {
			org.record(1 + random.IntN(40))
		}
		e.awaitRequests(len(requests) + 1 + random.IntN(3))
		if restarts == 0 || restarts < 3 && random.IntN(3) == 0 {
			restarts++
			p.stop()
			p = start(t, dir, small)
			org = org.after(p)
		}
	}
	org.record(1) // passes, so that the line before it can be told from a bad endpoint
	if org.recorded%poison == 0 {
		org.record(1)
	}
	org.awaitDone()
	e.check(org)
}

// check holds what has arrived and what is set aside against what was recorded.
func (e *erratic) check(org *tenant) {
	e.Helper()
	requests, _ := e.all()
	e.checkRepeats(requests)
	arrived, aside := taken(requests), org.aside()
	if !slices.IsSorted(arrived) {
		e.Errorf("out of order: %v", arrived)
	}
	for number := 1; number <= org.recorded; number++ {
		_, came := slices.BinarySearch(arrived, number)
		if !came && !slices.Contains(aside, number) {
			e.Errorf("event %d is lost", number)
		}
		if number%poison == 0 && !slices.Contains(aside, number) {
			e.Errorf("event %d is refused by all, and not set aside", number)
		}
	}
	if len(aside) > org.recorded/poison+8 {
		e.Errorf("%d of %d events are set aside: %v", len(aside), org.recorded, aside)
	}
	keys, err := org.registry.KeySet()
	if err != nil {
		e.Fatal(err)
	}
	for _, request := range requests {
		for _, line := range request.lines {
			if verdict, _ := keys.Verify([]byte(line)); verdict != audit.Valid {
				e.Errorf("signature %s: %s", verdict, line)
			}
		}
	}
	e.Logf("%d events in %d requests, set aside %v", org.recorded, len(requests), aside)
}
