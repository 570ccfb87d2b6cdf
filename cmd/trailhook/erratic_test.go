package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/localca"
)

// misbehaviour is what an endpoint does with one request; a number is the
// status of its answer.
type misbehaviour string

const (
	behave        misbehaviour = ""
	resetInBody   misbehaviour = "reset in the middle of the body"
	hangUp        misbehaviour = "hang up without an answer"
	keepAndHangUp misbehaviour = "take it and hang up without an answer"
	hang          misbehaviour = "take it and never answer"
	throttle      misbehaviour = "429 with Retry-After"
	closeEarly    misbehaviour = "take it, say 200 and close in the middle of the answer"
	slowRead      misbehaviour = "read slowly, and take it"

	// These take the request, and are met by the next one, which needs another connection.
	refuse         misbehaviour = "refuse connections for a while"
	otherAuthority misbehaviour = "a certificate of another authority"
	otherHost      misbehaviour = "a certificate for another host"
	expired        misbehaviour = "an expired certificate"
)

// retried are the faults after which a delivery is tried again a second later,
// final the others.
var (
	retried = []misbehaviour{resetInBody, hangUp, keepAndHangUp, hang, refuse, "429", throttle, "500", "502", "503"}
	final   = []misbehaviour{closeEarly, slowRead, otherAuthority, otherHost, expired, "501", "400", "401", "403", "302", "413", "422"}
)

// scriptOf makes an endpoint's script: every fault once, and good behaviour in
// between. Two faults that are retried may follow each other, but seldom, and no
// more: it would prove nothing else, and take long, since the waits double.
func scriptOf(random *rand.Rand) []misbehaviour {
	isRetried := map[misbehaviour]bool{}
	for _, fault := range retried {
		isRetried[fault] = true
	}
	faults := append(append([]misbehaviour{}, retried...), final...)
	random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	var script []misbehaviour
	row := 0
	for _, fault := range faults {
		if random.IntN(3) > 0 || row == 2 && isRetried[fault] {
			for range 1 + random.IntN(3) {
				script = append(script, behave)
			}
			row = 0
		}
		if isRetried[fault] {
			row++
		}
		script = append(script, fault)
	}
	return script
}

// poison is of which numbers the multiples are events that the endpoint never takes.
const poison = 97

// unanswered is the status of a request that was read, and not answered.
const unanswered = 0

// delivery is a request that an endpoint has read to its end.
type delivery struct {
	status  int
	lines   []string
	numbers []int // of the lines' events; 0 for those that are not the test's
}

// refusedAlone reports whether the request was one line, and refused for it.
func (d delivery) refusedAlone() bool {
	return len(d.lines) == 1 && (d.status == 400 || d.status == 413 || d.status == 422)
}

// erratic is a SIEM's endpoint, over HTTP/1.1 and HTTP/2, that goes by a script.
type erratic struct {
	t            *testing.T
	authority    string // a PEM file
	address      string
	server       *http.Server
	certificates map[misbehaviour]tls.Certificate

	mu          sync.Mutex
	random      *rand.Rand
	script      []misbehaviour
	listener    net.Listener
	certificate misbehaviour // of the next connection
	distrusted  map[string]misbehaviour
	begun       int
	deliveries  []delivery
	closed      bool
}

func newErratic(t *testing.T, seed uint64) *erratic {
	e := &erratic{t: t, random: rand.New(rand.NewPCG(seed, 1)), distrusted: map[string]misbehaviour{}}
	e.script = scriptOf(e.random)
	e.issue(t.TempDir(), t.TempDir())
	e.server = &http.Server{
		Handler:   e,
		TLSConfig: &tls.Config{GetConfigForClient: e.configure},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	e.listen("127.0.0.1:" + freePort(t)) // and again there after each outage
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.closed = true
		e.server.Close()
	})
	return e
}

// issue makes the certificates: the expired one first, by an authority that is
// as old.
func (e *erratic) issue(dir, elsewhere string) {
	e.certificates = map[misbehaviour]tls.Certificate{}
	open := func(what misbehaviour, dir, host string, now time.Time) {
		ca, err := localca.Open(dir, []string{host}, func() time.Time { return now })
		if err != nil {
			e.t.Fatal(err)
		}
		e.certificates[what] = ca.Certificate()
		if what == behave {
			e.authority = ca.File()
		}
	}
	open(expired, dir, "127.0.0.1", time.Now().AddDate(-5, 0, 0))
	open(otherHost, dir, "siem.example.com", time.Now())
	open(behave, dir, "127.0.0.1", time.Now())
	open(otherAuthority, elsewhere, "127.0.0.1", time.Now())
}

// listen takes the address, again where it was given up: should something
// else have it meanwhile, the endpoint goes on refusing connections until it is free.
func (e *erratic) listen(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		time.AfterFunc(100*time.Millisecond, func() { e.listen(address) })
		return
	}
	e.listener, e.address = listener, listener.Addr().String()
	go e.server.ServeTLS(listener, "", "")
}

// configure chooses the certificate and the version of HTTP for a connection.
func (e *erratic) configure(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	config := &tls.Config{Certificates: []tls.Certificate{e.certificates[e.certificate]}, NextProtos: []string{"http/1.1"}}
	if e.random.IntN(2) == 0 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	if e.certificate != behave {
		e.distrusted[hello.Conn.RemoteAddr().String()] = e.certificate
	} else {
		delete(e.distrusted, hello.Conn.RemoteAddr().String())
	}
	e.certificate = behave
	return config, nil
}

// next is what happens to the request that has come.
func (e *erratic) next(from string) misbehaviour {
	e.mu.Lock()
	defer e.mu.Unlock()
	if certificate, ok := e.distrusted[from]; ok {
		e.t.Errorf("a delivery came although the endpoint has %s", certificate)
	}
	e.begun++
	if len(e.script) == 0 {
		return behave
	}
	next := e.script[0]
	e.script = e.script[1:]
	return next
}

// requests is how many have come, and whether the script is at its end.
func (e *erratic) requests() (begun int, done bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.begun, len(e.script) == 0 && e.certificate == behave
}

// read is what the endpoint has read to the end, in that order.
func (e *erratic) read() []delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.deliveries[:len(e.deliveries):len(e.deliveries)]
}

// ServeHTTP misbehaves, or takes the request.
func (e *erratic) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	next := e.next(request.RemoteAddr)
	switch next {
	case resetInBody:
		_, _ = request.Body.Read(make([]byte, 1))
		reset(w)
	case hangUp:
		panic(http.ErrAbortHandler)
	case slowRead:
		request.Body = slow{request.Body}
	}
	d, ok := e.decode(request.Body)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	e.answer(w, request, next, d)
}

// answer answers what was read to its end, or does not.
func (e *erratic) answer(w http.ResponseWriter, request *http.Request, next misbehaviour, d delivery) {
	if status, err := strconv.Atoi(string(next)); err == nil {
		d.status = status
	}
	switch next {
	case keepAndHangUp, hang:
		d.status = unanswered
	case throttle:
		d.status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1")
	case "302":
		w.Header().Set("Location", "/elsewhere")
	case refuse:
		e.refuseConnections()
		w.Header().Set("Connection", "close")
	case otherAuthority, otherHost, expired:
		e.mu.Lock()
		e.certificate = next
		e.mu.Unlock()
		w.Header().Set("Connection", "close")
	case closeEarly:
		w.Header().Set("Content-Length", "10")
	}
	e.mu.Lock()
	e.deliveries = append(e.deliveries, d)
	e.mu.Unlock()
	if next == hang {
		<-request.Context().Done()
	}
	if d.status == unanswered {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(d.status)
	if next == closeEarly {
		_, _ = io.WriteString(w, "tak")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// decode reads a request. It is not ok when the sender was killed meanwhile.
func (e *erratic) decode(body io.Reader) (d delivery, ok bool) {
	zipped, err := io.ReadAll(body)
	if err != nil {
		return d, false
	}
	unzip, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		e.t.Errorf("a body that is not gzip: %v", err)
		return d, false
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		e.t.Errorf("a body that is not gzip to its end: %v", err)
		return d, false
	}
	d.status = http.StatusOK
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		number := 0
		decoded, err := audit.Decode(line)
		if err != nil {
			e.t.Errorf("%v: %s", err, line)
		} else if decoded.Event.Service == "billing" {
			number = int(decoded.Event.TraceID)
		}
		if number > 0 && number%poison == 0 {
			d.status = http.StatusUnprocessableEntity
		}
		d.lines, d.numbers = append(d.lines, string(line)), append(d.numbers, number)
	}
	return d, true
}

// refuseConnections gives the address up, and takes it again a while later,
// but sooner than a delivery that was refused is retried.
func (e *erratic) refuseConnections() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listener.Close()
	address := e.address
	time.AfterFunc(700*time.Millisecond, func() { e.listen(address) })
}

// reset ends the connection with a reset. Over HTTP/2 it resets the stream.
func reset(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if connection, _, err := hijacker.Hijack(); err == nil {
			plain := connection.(*tls.Conn).NetConn()
			_ = plain.(*net.TCPConn).SetLinger(0)
			plain.Close()
		}
	}
	panic(http.ErrAbortHandler)
}

// slow is a body that is read in small pieces with pauses. They are what is
// tested; nothing waits for them to be long enough.
type slow struct{ io.ReadCloser }

func (s slow) Read(p []byte) (int, error) {
	<-time.After(5 * time.Millisecond)
	return s.ReadCloser.Read(p[:min(len(p), 200)])
}
