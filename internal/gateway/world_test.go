package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
)

// generous is how long anything may take that takes a moment.
const generous = 60 * time.Second

// world is a gateway on a real address, with a configuration that the test sets.
type world struct {
	t       testing.TB
	gateway *Gateway
	url     string
	journal *memory
	changes chan Configuration
	applied chan struct{}
	set     map[entity.Kind][]entity.Document
	ids     int
}

// memory is a journal that keeps events, unless it is told to refuse them.
type memory struct {
	mu     sync.Mutex
	events []audit.Event
	refuse func(audit.Event) bool
}

func (m *memory) Append(_ context.Context, _ string, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		if m.refuse != nil && m.refuse(e) {
			return errors.New("no room")
		}
		if err := e.Validate(); err != nil {
			return err
		}
	}
	m.events = append(m.events, events...)
	return nil
}

func (m *memory) all() []audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]audit.Event(nil), m.events...)
}

func (m *memory) refusing(refuse func(audit.Event) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
}

func newWorld(t testing.TB, options ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, journal: &memory{}, changes: make(chan Configuration), applied: make(chan struct{}), set: map[entity.Kind][]entity.Document{}}
	private := outbound.Policy{AllowPrivate: true}
	o := Options{
		Source: w, Client: outbound.New(outbound.Options{Policy: private}), Upstream: private, Version: "test",
		Recorder: recorder.New(recorder.Options{Journal: w.journal, Service: Service, Now: time.Now, PrincipalNames: true}),
		Logger:   slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}
	for _, option := range options {
		option(&o)
	}
	w.gateway = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.gateway.Run(ctx) }()
	server := httptest.NewUnstartedServer(w.gateway)
	server.Config.DisableGeneralOptionsHandler = true // as the data plane is served
	server.Start()
	w.url = server.URL
	t.Cleanup(func() { server.Close(); cancel(); <-ended })
	return w
}

// Follow implements [Source].
func (w *world) Follow(ctx context.Context, apply func(Configuration)) {
	for {
		select {
		case c := <-w.changes:
			apply(c)
			w.applied <- struct{}{}
		case <-ctx.Done():
			return
		}
	}
}

// add makes an entity, with an id that grows, and returns its reference.
func (w *world) add(kind entity.Kind, text string) map[string]any {
	w.t.Helper()
	var d entity.Document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	w.ids++
	d["id"] = "00000000-0000-4000-8000-" + strings.Repeat("0", 12-len(strconv.Itoa(w.ids))) + strconv.Itoa(w.ids)
	for _, field := range []string{"service", "route", "consumer"} {
		if id, ok := d[field].(string); ok {
			d[field] = entity.ReferenceTo(id)
		}
	}
	d, err := kind.Complete(d, int64(w.ids))
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	w.set[kind] = append(w.set[kind], d)
	return map[string]any{"id": d.ID()}
}

func (w *world) id(reference map[string]any) string { return reference["id"].(string) }

// apply has the gateway serve what was added.
func (w *world) apply() {
	w.t.Helper()
	w.changes <- Configuration{Entities: entity.NewSet(w.set), Organization: "11111111-1111-4111-8111-111111111111", Region: "us"}
	<-w.applied
}

// upstream starts a real server and a service that leads to it.
func (w *world) upstream(more string, handler http.HandlerFunc) (service string) {
	w.t.Helper()
	server := httptest.NewServer(handler)
	w.t.Cleanup(server.Close)
	return w.id(w.add(entity.Services, `{"url":"`+server.URL+`"`+more+`}`))
}

// told is what came back.
type told struct {
	*http.Response
	body string
}

func (w *world) get(path string, change ...func(*http.Request)) told {
	w.t.Helper()
	return w.ask("GET", path, "", change...)
}

func (w *world) ask(method, path, body string, change ...func(*http.Request)) told {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for _, c := range change {
		c(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return told{resp, string(text)}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"uri": r.RequestURI, "host": r.Host, "header": r.Header, "body": string(body), "method": r.Method})
}

type echoed struct {
	URI, Host, Body, Method string
	Header                  http.Header
}

func (a told) echoed(t *testing.T) (e echoed) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
	}
	return e
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(generous)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s still not: %s", generous, what)
		}
	}
}

func trusting(network string) func(*Options) {
	return func(o *Options) { o.Recorder.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(network)} }
}
