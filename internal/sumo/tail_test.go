package sumo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// event is one server-sent event.
type event struct{ name, data string }

// reader reads the events of a tail.
type reader struct {
	t       *testing.T
	scanner *bufio.Scanner
	body    io.ReadCloser
	id      string // the last
}

func (s *siem) serveTails() *httptest.Server {
	server := httptest.NewServer(s.mux)
	s.t.Cleanup(server.Close)
	return server
}

func (s *siem) tail(client *http.Client, server *httptest.Server, query string, header ...string) *reader {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), "GET", server.URL+"/trailhook/v1/tail?query="+url.QueryEscape(query), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(s.id, s.key)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(response.Body)
		s.t.Fatalf("%s: %s", response.Status, body)
	}
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(nil, 1<<20)
	return &reader{t: s.t, scanner: scanner, body: response.Body}
}

// next returns the next event that is no comment; false when the tail is over.
func (r *reader) next() (e event, ok bool) {
	for r.scanner.Scan() {
		line := r.scanner.Text()
		switch name, value, _ := strings.Cut(line, ": "); {
		case line == "" && e.data != "":
			return e, true
		case name == "id":
			r.id = value
		case name == "event":
			e.name = value
		case name == "data":
			e.data = value
		}
	}
	return e, false
}

func (r *reader) message() map[string]string {
	r.t.Helper()
	e, ok := r.next()
	var message map[string]string
	if err := json.Unmarshal([]byte(e.data), &message); !ok || e.name != "" || err != nil {
		r.t.Fatalf("%+v: %v %v", e, err, r.scanner.Err())
	}
	return message
}

func TestATailShowsWhatMatchesAsItIsStored(t *testing.T) {
	s := start(t, nil)
	source := s.addSource()
	s.send(source, `{"who":"before"}`)
	tail := s.tail(http.DefaultClient, s.serveTails(), `who=* NOT bob | where n > 1 | n * 2 as twice`)
	s.send(source, `{"who":"ann","n":1}`+"\n"+`{"who":"ann","n":2}`+"\n"+`{"who":"bob","n":3}`)
	if m := tail.message(); m["who"] != "ann" || m["twice"] != "4" || m["_source"] != "Konnect" || m["_raw"] != `{"who":"ann","n":2}` {
		t.Errorf("got %v", m)
	}
}

func TestATailOutlivesTheTimeThatOtherCallsHave(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			t.Parallel()
			const limit = 600 * time.Millisecond
			s := start(t, nil)
			source := s.addSource()
			server := httptest.NewUnstartedServer(s.mux)
			server.EnableHTTP2 = version == 2
			server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
			server.StartTLS()
			t.Cleanup(server.Close)
			tail := s.tail(server.Client(), server, "*")
			began := time.Now()
			for i := 0; time.Since(began) < 3*limit; i++ {
				s.send(source, fmt.Sprintf("line %d", i))
				if m := tail.message(); m["_raw"] != fmt.Sprintf("line %d", i) {
					t.Fatalf("message %d: %v", i, m)
				}
			}
		})
	}
}

// pipeListener is a listener for connections in memory.
type pipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestAReaderWhoIsTooSlowIsToldWhatIsMissing(t *testing.T) {
	s := start(t, nil)
	source := s.addSource()
	// A connection in memory holds nothing: what is not read cannot be written.
	pipe := &pipeListener{connections: make(chan net.Conn), closed: make(chan struct{})}
	server := httptest.NewUnstartedServer(s.mux)
	server.Listener.Close()
	server.Listener = pipe
	server.Start()
	t.Cleanup(server.Close)
	tail := s.tail(&http.Client{Transport: &http.Transport{DialContext: pipe.dial}}, server, "*")
	const posts, lines = 4, 1000
	for i := range posts {
		var body strings.Builder
		for j := range lines {
			fmt.Fprintf(&body, "%d/%d %s\n", i, j, strings.Repeat("x", 100))
		}
		s.send(source, body.String())
	}
	s.send(source, "the last line") // is dropped too, unless there is room again
	received, dropped := 0, 0
	for received+dropped < posts*lines+1 {
		e, ok := tail.next()
		if !ok {
			t.Fatalf("the tail ended after %d lines, %d dropped: %v", received, dropped, tail.scanner.Err())
		}
		if e.name != "dropped" {
			received++
			continue
		}
		var told struct{ Count int }
		if err := json.Unmarshal([]byte(e.data), &told); err != nil {
			t.Fatal(err)
		}
		dropped += told.Count
	}
	if dropped == 0 || received == 0 || received+dropped != posts*lines+1 {
		t.Errorf("%d received, %d dropped", received, dropped)
	}
}

func TestABacklogIsBoundedAndInOrder(t *testing.T) {
	b := newBacklog()
	for i := range tailMessages + 5 {
		b.add(search.Record{Raw: fmt.Sprint(i)})
	}
	if messages, dropped := b.take(); len(messages) != tailMessages || dropped != 5 || messages[tailMessages-1].Raw != fmt.Sprint(tailMessages-1) {
		t.Errorf("%d messages, %d dropped", len(messages), dropped)
	}
	b.add(search.Record{Raw: strings.Repeat("x", 2*tailBytes)}) // one is always taken
	b.add(search.Record{Raw: "small"})
	if messages, dropped := b.take(); len(messages) != 1 || dropped != 1 {
		t.Errorf("%d messages, %d dropped", len(messages), dropped)
	}
}

func TestTailsEndAndNoMoreBegin(t *testing.T) {
	s := start(t, nil)
	server := s.serveTails()
	tail := s.tail(http.DefaultClient, server, "")
	s.api.EndTails()
	if e, ok := tail.next(); !ok || e.name != "end" || e.data != `{"reason":"the server is shutting down"}` {
		t.Errorf("%+v", e)
	}
	if e, ok := tail.next(); ok {
		t.Errorf("after the end: %+v", e)
	}
	if w := s.do("GET", "/trailhook/v1/tail", ""); w.Code != 503 {
		t.Errorf("another: %d", w.Code)
	}
}

func TestATailThatCannotBeIsRefused(t *testing.T) {
	s := start(t, nil)
	for query, message := range map[string]string{
		"* | count":       "needs more than one message",
		"* | sort by a":   "needs more than one message",
		"* | limit 5":     "needs more than one message",
		"* | where":       "1:10: ",
		"'; DROP TABLE (": "1:",
	} {
		w := s.do("GET", "/trailhook/v1/tail?query="+url.QueryEscape(query), "")
		if w.Code != 400 || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	server := s.serveTails()
	for range maxTails {
		s.tail(http.DefaultClient, server, "*")
	}
	if w := s.do("GET", "/trailhook/v1/tail", ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("one more: %d", w.Code)
	}
}
