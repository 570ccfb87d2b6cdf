package ingest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/ingest"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// world is the platform with the endpoint on it, behind a real HTTP server.
type world struct {
	tb       testing.TB
	clock    *clock
	broker   *broker.Broker
	registry *registry.Registry
	journal  *journal.Journal
	url      string
	ours     organization
	theirs   organization
	statuses map[string]any // that the OpenAPI document tells of
}

type organization struct {
	id     string
	writer string // token of a system account that may record events
	system registry.SystemAccount
	admin  string
	viewer string // may look at audit logs
}

// clock is the endpoint's time, which tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// now is the time at which the tests' events happen.
var now = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb, clock: &clock{now: now}}
	logger, dir := slog.New(slog.DiscardHandler), tb.TempDir()
	var err error
	if w.broker, err = broker.Open(tb.Context(), broker.Options{Dir: dir, Logger: logger}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.broker.Close)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		tb.Fatal(err)
	}
	if w.registry, err = registry.Open(tb.Context(), w.broker, registry.Options{Sealer: sealer, Now: time.Now}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.registry.Close)
	if w.journal, err = journal.Open(tb.Context(), w.broker, journal.Options{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.journal.Close)
	w.url = w.serve(w.journal)
	w.statuses = w.documented()
	w.ours, w.theirs = w.newOrganization("ours"), w.newOrganization("theirs")
	return w
}

// serve starts a server whose endpoint records to j, and the API to the journal.
func (w *world) serve(j ingest.Journal) (url string) {
	api := konnect.New(konnect.Options{
		Registry: w.registry, Recorder: recorder.New(recorder.Options{Journal: w.journal, Now: time.Now}), Journal: w.journal,
		Logger: slog.New(slog.DiscardHandler), Region: "us", Version: "test",
	})
	ingest.New(ingest.Options{
		Journal: j, Retention: journal.DefaultRetention, Logger: slog.New(slog.DiscardHandler), Now: w.clock.Now,
	}).Mount(api)
	server := httptest.NewServer(api)
	w.tb.Cleanup(server.Close)
	return server.URL
}

func (w *world) newOrganization(name string) (o organization) {
	w.tb.Helper()
	ctx := w.tb.Context()
	org, err := w.registry.CreateOrganization(ctx, name)
	if err != nil {
		w.tb.Fatal(err)
	}
	o.id = org.ID
	o.system, err = w.registry.CreateSystemAccount(ctx, registry.SystemAccount{OrgID: o.id, Name: "billing"}, registry.AuditEventsWriter)
	if err != nil {
		w.tb.Fatal(err)
	}
	if o.writer, _, err = w.registry.CreateSystemToken(ctx, o.system, "t", time.Time{}); err != nil {
		w.tb.Fatal(err)
	}
	o.admin, o.viewer = w.newUser(o.id, registry.OrganizationAdmin), w.newUser(o.id, registry.AuditLogsViewer)
	return o
}

func (w *world) newUser(organization string, role registry.Role) (token string) {
	w.tb.Helper()
	user, err := w.registry.CreateUser(w.tb.Context(), registry.User{OrgID: organization, Email: string(role) + "@example.com", FullName: "user"}, role)
	if err != nil {
		w.tb.Fatal(err)
	}
	if token, _, err = w.registry.CreateToken(w.tb.Context(), user, "t", time.Time{}); err != nil {
		w.tb.Fatal(err)
	}
	return token
}

// answered is what came back.
type answered struct {
	status  int
	header  http.Header
	body    string
	problem konnect.Problem // where it is one
}

// send posts a body as ours does; more are header fields, name and value.
func (w *world) send(body string, more ...string) answered {
	w.tb.Helper()
	return w.sendTo(w.url, body, more...)
}

func (w *world) sendTo(url, body string, more ...string) answered {
	w.tb.Helper()
	r, err := http.NewRequestWithContext(w.tb.Context(), http.MethodPost, url+ingest.Path, strings.NewReader(body))
	if err != nil {
		w.tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.ours.writer)
	for i := 0; i < len(more); i += 2 {
		if more[i] == "Host" {
			r.Host = more[i+1]
		}
		r.Header.Set(more[i], more[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.tb.Fatal(err)
	}
	a := answered{status: response.StatusCode, header: response.Header, body: string(data)}
	if w.statuses[strconv.Itoa(a.status)] == nil {
		w.tb.Errorf("status %d is not in the OpenAPI document", a.status)
	}
	if a.header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(data, &a.problem); err != nil {
			w.tb.Fatalf("%v\n%s", err, data)
		}
		if want := "kong:trace:" + a.header.Get("X-Request-Id"); a.problem.Status != a.status || a.problem.Instance != want || a.problem.Detail == "" {
			w.tb.Errorf("problem %+v of status %d, want instance %s", a.problem, a.status, want)
		}
	}
	return a
}

// documented are the statuses that the OpenAPI document tells of.
func (w *world) documented() map[string]any {
	w.tb.Helper()
	response, err := http.Get(w.url + "/openapi.json")
	if err != nil {
		w.tb.Fatal(err)
	}
	defer response.Body.Close()
	var document struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		w.tb.Fatal(err)
	}
	return document.Paths[ingest.Path]["post"].Responses
}

func as(token string) []string { return []string{"Authorization", "Bearer " + token} }

// recorded returns what the journal holds of our organization: the ingested
// events, and those of the calls of the API.
func (w *world) recorded() (ingested, calls []audit.Event) { return w.recordedIn("us", w.ours) }

func (w *world) recordedIn(region string, o organization) (ingested, calls []audit.Event) {
	w.tb.Helper()
	last := journal.Position(0)
	for {
		entries, err := w.journal.Range(w.tb.Context(), journal.Query{Region: region, Organization: o.id, After: last, Limit: 30_000})
		if err != nil {
			w.tb.Fatal(err)
		}
		if len(entries) == 0 {
			return ingested, calls
		}
		for _, entry := range entries {
			last = entry.Position
			if entry.Event.UserAgent == "Go-http-client/1.1" {
				calls = append(calls, entry.Event)
			} else {
				ingested = append(ingested, entry.Event)
			}
		}
	}
}

// event is one of another service.
func event(n int) audit.Event {
	return audit.Event{
		Kind: audit.Access, Time: now, Product: audit.ProductKonnect, Source: "192.0.2.7", PrincipalID: "someone",
		TraceID: uint64(n + 1), UserAgent: "browser/1", Request: "/invoices", Method: "POST", Query: "a=1", Status: 201,
	}
}

func events(n int) []audit.Event {
	list := make([]audit.Event, n)
	for i := range list {
		list[i] = event(i)
	}
	return list
}

func array(list []audit.Event) string { return "[" + join(list, ",") + "]" }
func lines(list []audit.Event) string { return join(list, "\n") + "\n" }

func join(list []audit.Event, separator string) string {
	var body []byte
	for i := range list {
		if i > 0 {
			body = append(body, separator...)
		}
		body = audit.AppendPull(body, &list[i])
	}
	return string(body)
}

func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	writer, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := writer.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
