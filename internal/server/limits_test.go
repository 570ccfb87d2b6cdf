package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// generous is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const generous = 60 * time.Second

// startListener serves a free address until the test ends.
func startListener(t *testing.T, encryption *encryption, within limits, handler http.Handler) (address string) {
	t.Helper()
	s := &Server{logger: slog.New(slog.DiscardHandler), failed: make(chan error, 8), encryption: encryption}
	l, err := s.listen("127.0.0.1:0", "", true)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(l, handler, within)
	t.Cleanup(func() {
		if err := l.shutdown(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(generous)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// impatient are limits that a test does not have to wait for long.
var impatient = limits{
	connections: 100, header: 4 << 10,
	headerTime: 50 * time.Millisecond, requestTime: 100 * time.Millisecond, answerTime: generous, idleTime: 50 * time.Millisecond,
}

func TestAHeaderThatNeverEndsIsCutOff(t *testing.T) {
	address := startListener(t, &encryption{}, impatient, http.NotFoundHandler())
	conn, answer := dial(t, address)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	if got, err := io.ReadAll(answer); isTimeout(err) || strings.Contains(string(got), " 404 ") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAConnectionOnWhichNothingIsAskedIsCutOff(t *testing.T) {
	address := startListener(t, &encryption{}, impatient, http.NotFoundHandler())
	conn, answer := dial(t, address)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	got, err := io.ReadAll(answer)
	if isTimeout(err) || !strings.HasPrefix(string(got), "HTTP/1.1 404 ") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestATooLongHeaderIsAnsweredWith431(t *testing.T) {
	address := startListener(t, &encryption{}, defaults, http.NotFoundHandler())
	conn, answer := dial(t, address)
	go fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 2*defaults.header))
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestALongHeaderWithinTheLimitIsTaken(t *testing.T) {
	address := startListener(t, &encryption{}, defaults, http.NotFoundHandler())
	conn, answer := dial(t, address)
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", defaults.header-1000))
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestABodyThatNeverEndsIsCutOff(t *testing.T) {
	read := make(chan error, 1)
	address := startListener(t, &encryption{}, impatient, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		w.WriteHeader(http.StatusBadRequest)
	}))
	conn, answer := dial(t, address)
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nthe beginning")
	select {
	case err := <-read:
		if !isTimeout(err) {
			t.Errorf("the body ended with %v", err)
		}
	case <-time.After(generous):
		t.Fatal("the handler still waits for the body")
	}
	if _, err := io.ReadAll(answer); isTimeout(err) {
		t.Error("the connection stays open")
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func TestWhoComesToAFullListenerWaitsUntilSomebodyLeaves(t *testing.T) {
	var left atomic.Bool
	two := defaults
	two.connections = 2
	address := startListener(t, &encryption{}, two, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/third" && !left.Load() {
			t.Error("a third connection was served while two were open")
		}
	}))
	var conns []net.Conn
	for _, path := range []string{"/first", "/second"} {
		conn, answer := dial(t, address)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		if _, err := http.ReadResponse(answer, nil); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	third, answer := dial(t, address)
	fmt.Fprint(third, "GET /third HTTP/1.1\r\nHost: localhost\r\n\r\n")
	left.Store(true)
	conns[0].Close()
	if response, err := http.ReadResponse(answer, nil); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the third: %v, %v", response, err)
	}
}
