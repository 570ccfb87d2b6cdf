package konnect

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// world is the whole platform in a temporary folder, with two organizations.
type world struct {
	tb       testing.TB
	api      *API
	broker   *broker.Broker
	journal  *journal.Journal
	appended *journal.Watcher
	registry *registry.Registry
	delivery *delivery.Manager
	ours     organization
	theirs   organization
}

// organization is a tenant with a user, and a token, of every role.
type organization struct {
	id      string
	users   map[registry.Role]registry.User
	tokens  map[registry.Role]string
	nobody  string // token of a user without roles
	expired string // token of the organization's admin
}

func (o organization) admin() string { return o.tokens[registry.OrganizationAdmin] }

var roles = []registry.Role{
	registry.OrganizationAdmin, registry.AuditLogsAdmin, registry.AuditLogsViewer,
	registry.ControlPlaneAdmin, registry.ControlPlaneViewer,
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb}
	logger := slog.New(slog.DiscardHandler)
	dir := tb.TempDir()
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
	w.appended = w.journal.Watch()
	tb.Cleanup(w.appended.Close)
	w.delivery, err = delivery.Open(tb.Context(), delivery.Options{
		Registry: w.registry, Journal: w.journal, Broker: w.broker,
		Client: outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}}),
		Logger: logger, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.delivery.Close)
	w.api = w.apiOn(w.journal)
	w.ours, w.theirs = w.newOrganization("ours"), w.newOrganization("theirs")
	return w
}

// apiOn makes the API with another place to record to.
func (w *world) apiOn(j recorder.Journal) *API {
	return New(Options{
		Registry: w.registry, Recorder: recorder.New(recorder.Options{Journal: j, Now: time.Now}), Journal: w.journal, Delivery: w.delivery,
		Logger: slog.New(slog.DiscardHandler), Region: "us", BaseURL: "https://us.api.trailhook.example", Version: "test",
	})
}

func (w *world) newOrganization(name string) organization {
	w.tb.Helper()
	ctx := w.tb.Context()
	org, err := w.registry.CreateOrganization(ctx, name)
	if err != nil {
		w.tb.Fatal(err)
	}
	o := organization{id: org.ID, users: map[registry.Role]registry.User{}, tokens: map[registry.Role]string{}}
	newToken := func(expiry time.Time, role ...registry.Role) (registry.User, string) {
		user, err := w.registry.CreateUser(ctx, registry.User{OrgID: org.ID, Email: rand.Text() + "@example.com", FullName: "user"}, role...)
		if err != nil {
			w.tb.Fatal(err)
		}
		token, _, err := w.registry.CreateToken(ctx, user, "token", expiry)
		if err != nil {
			w.tb.Fatal(err)
		}
		return user, token
	}
	for _, role := range roles {
		o.users[role], o.tokens[role] = newToken(time.Time{}, role)
	}
	_, o.nobody = newToken(time.Time{})
	_, o.expired = newToken(time.Now().Add(-time.Second), registry.OrganizationAdmin)
	return o
}

// newDestination makes a destination of the organization.
func (w *world) newDestination(o organization, name string) string {
	w.tb.Helper()
	d, err := w.registry.CreateDestination(w.tb.Context(), registry.Destination{
		OrgID: o.id, Name: name, Endpoint: "https://siem.example/logs", LogFormat: audit.CEF,
	}, "key")
	if err != nil {
		w.tb.Fatal(err)
	}
	return d.ID
}

// newControlPlane makes a control plane of the organization in region us.
func (w *world) newControlPlane(o organization, name string) string {
	w.tb.Helper()
	cp, err := w.registry.CreateControlPlane(w.tb.Context(), registry.ControlPlane{OrgID: o.id, Region: "us", Name: name})
	if err != nil {
		w.tb.Fatal(err)
	}
	return cp.ID
}

// request is one call of the API. A body is sent as application/json unless
// the header says otherwise.
type request struct {
	method, target string
	host           string // "": localhost:8080, which names no region
	token          string // "": no Authorization header but what header holds
	header         http.Header
	body           string
}

func (q request) String() string { return q.method + " " + q.target }

// answered is what came back, and what the journal took because of it.
type answered struct {
	status int
	header http.Header
	body   string
	events []recorded
}

type recorded struct {
	region, organization string
	position             journal.Position
	audit.Event
}

func (q request) build(tb testing.TB) *http.Request {
	tb.Helper()
	target, err := url.ParseRequestURI(q.target)
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequest(q.method, "/", strings.NewReader(q.body)).WithContext(context.Background())
	r.URL, r.RequestURI, r.Host = target, q.target, q.host
	if q.host == "" {
		r.Host = "localhost:8080"
	}
	r.Header = q.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if q.body != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	return r
}

// send makes the call on a handler and looks at nothing but the answer, which
// must be as the OpenAPI document says.
func send(tb testing.TB, handler http.Handler, q request) answered {
	tb.Helper()
	a := serve(handler, q.build(tb))
	if api, ok := handler.(*API); ok {
		if wrong := api.undocumented(q.build(tb), a); wrong != "" {
			tb.Errorf("%s: %s", q, wrong)
		}
	}
	return a
}

func serve(handler http.Handler, r *http.Request) answered {
	writer := httptest.NewRecorder()
	handler.ServeHTTP(writer, r)
	return answered{status: writer.Code, header: writer.Header(), body: writer.Body.String()}
}

// call makes the call and gathers its events. Whatever was recorded meanwhile
// must carry the trace id that the answer told.
func (w *world) call(q request) answered {
	w.tb.Helper()
	before := w.last()
	a := send(w.tb, w.api, q)
	a.events = w.eventsAfter(before)
	for _, e := range a.events {
		if id := strconv.FormatUint(e.TraceID, 10); id != a.header.Get("X-Request-Id") {
			w.tb.Errorf("%s: an event has trace id %s, the answer X-Request-Id %s", q, id, a.header.Get("X-Request-Id"))
		}
	}
	return a
}

func (w *world) last() journal.Position {
	w.tb.Helper()
	last, err := w.journal.Last(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	w.appended.Take() // what was until now
	return last
}

// eventsAfter reads what the journal took since last was called, whomever an
// event belongs to.
func (w *world) eventsAfter(before journal.Position) []recorded {
	w.tb.Helper()
	var events []recorded
	read := map[journal.Stream]bool{} // an organization's streams are read together
	for _, stream := range w.appended.Take() {
		stream.Portal = ""
		if read[stream] {
			continue
		}
		read[stream] = true
		entries, err := w.journal.Range(w.tb.Context(), journal.Query{
			Region: stream.Region, Organization: stream.Organization, After: before, Limit: 100,
		})
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, e := range entries {
			events = append(events, recorded{stream.Region, stream.Organization, e.Position, e.Event})
		}
	}
	slices.SortFunc(events, func(a, b recorded) int { return cmp.Compare(a.position, b.position) })
	return events
}

// problem reads the answer as a problem, and checks all of it that does not
// depend on what went wrong.
func (a answered) problem(tb testing.TB) Problem {
	tb.Helper()
	var p Problem
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		tb.Fatalf("status %d: not a problem: %v\n%s", a.status, err, a.body)
	}
	want := Problem{
		Status: a.status, Title: http.StatusText(a.status), Type: "https://httpstatuses.com/" + strconv.Itoa(a.status),
		Instance: "kong:trace:" + a.header.Get("X-Request-Id"), Detail: p.Detail, InvalidParameters: p.InvalidParameters,
	}
	if p.Status != want.Status || p.Title != want.Title || p.Type != want.Type || p.Instance != want.Instance || p.Detail == "" {
		tb.Errorf("problem: %+v, want %+v", p, want)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("Content-Type of a problem: %q", got)
	}
	if a.header.Get("X-Request-Id") == "" {
		tb.Error("the answer has no X-Request-Id")
	}
	return p
}
