package console

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/seal"
	"github.com/trailhook/trailhook/internal/search/duckdb"
	"github.com/trailhook/trailhook/internal/sumo"
)

// stand is a whole SIEM behind one mux, with the console on it, as the server
// puts it together.
type stand struct {
	t       *testing.T
	catalog *collector.Catalog
	indexer *collector.Indexer
	alerts  *alert.Alerts
	mux     *http.ServeMux
	console *Console
	clock   *clock
	id, key string
}

// clock is the console's. It stands still but for what tests advance it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func start(t *testing.T) *stand {
	t.Helper()
	ctx, logger, dir := t.Context(), slog.New(slog.DiscardHandler), t.TempDir()
	s := &stand{t: t, mux: http.NewServeMux(), clock: &clock{at: time.Now()}}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := broker.Open(ctx, broker.Options{Dir: dir, Logger: logger})
	check(err)
	t.Cleanup(b.Close)
	s.catalog, err = collector.OpenCatalog(ctx, b)
	check(err)
	t.Cleanup(s.catalog.Close)
	store, err := duckdb.Open(ctx, filepath.Join(dir, "search.duckdb"), logger)
	check(err)
	t.Cleanup(func() { store.Close() })
	intake, err := collector.OpenIntake(ctx, b)
	check(err)
	metrics := collector.NewMetrics(prometheus.NewRegistry())
	s.indexer, err = collector.NewIndexer(ctx, intake, store, collector.NewKeys(outbound.New(outbound.Options{}), "", logger), metrics, logger)
	check(err)
	collector.NewReceiver(s.catalog, intake, metrics, logger).Routes(s.mux)
	client := outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}})
	t.Cleanup(client.CloseIdleConnections)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	check(err)
	forwarder, err := collector.OpenForwarder(ctx, collector.ForwarderOptions{
		Catalog: s.catalog, Indexer: s.indexer, Store: store, Broker: b, Client: client, Sealer: sealer, AllowHTTP: true,
		Logger: logger, Metrics: prometheus.NewRegistry(),
	})
	check(err)
	t.Cleanup(forwarder.Close)
	s.alerts, err = alert.Open(ctx, alert.Options{
		Broker: b, Store: sumo.Scoped(store), Settled: s.indexer.Settled, Client: client, Sealer: sealer, AllowHTTP: true,
		BaseURL: "http://siem.test", Logger: logger, Metrics: prometheus.NewRegistry(),
	})
	check(err)
	t.Cleanup(s.alerts.Close)
	api := sumo.New(sumo.Options{
		Catalog: s.catalog, Store: store, Feed: s.indexer.Feed(), Logger: logger, Metrics: prometheus.NewRegistry(),
		Forwarder: forwarder, Alerts: s.alerts, Statistics: collector.NewStatistics(s.catalog, metrics, logger),
		Recorder: recorder.New(recorder.Options{Journal: collector.NewOwn(intake, metrics), Now: time.Now}),
	})
	t.Cleanup(api.Close)
	api.Routes(s.mux)
	s.console, err = New(Options{SIEM: s.mux, SIEMURL: "http://siem.test", Logger: logger, Now: s.clock.now})
	check(err)
	t.Cleanup(s.console.Close)
	s.console.Routes(s.mux)
	k, secret, err := s.catalog.CreateAccessKey(ctx, "admin", collector.Administrator)
	check(err)
	s.id, s.key = k.ID, secret

	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.indexer.Run(running) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// send makes a collector and a source of these names and sends lines to it.
func (s *stand) send(collectorName, sourceName, lines string, header ...string) {
	s.t.Helper()
	c, err := s.catalog.CreateCollector(s.t.Context(), collector.Collector{Name: collectorName})
	if err != nil {
		s.t.Fatal(err)
	}
	source, err := s.catalog.CreateSource(s.t.Context(), collector.Source{CollectorID: c.ID, Name: sourceName})
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/receiver/v1/http/"+source.Code, strings.NewReader(lines))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if s.mux.ServeHTTP(w, r); w.Code != http.StatusOK {
		s.t.Fatalf("%d %s", w.Code, w.Body)
	}
	s.flush()
}

func (s *stand) flush() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.indexer.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// browser keeps cookies, as browsers do.
type browser struct {
	t       *testing.T
	handler http.Handler
	tls     bool
	cookies map[string]*http.Cookie
}

func (s *stand) browser() *browser {
	return &browser{t: s.t, handler: s.console.Over(s.mux), cookies: map[string]*http.Cookie{}}
}

// signedIn is a browser that has signed in with the admin's key.
func (s *stand) signedIn() *browser {
	s.t.Helper()
	b := s.browser()
	if w := b.signIn(url.Values{"id": {s.id}, "key": {s.key}}); w.Code != http.StatusSeeOther {
		s.t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return b
}

func (b *browser) do(method, address string, form url.Values, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	r.Host = "siem.test"
	if b.tls {
		r.TLS = &tls.ConnectionState{}
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

func (b *browser) get(address string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do("GET", address, nil, header...)
}

// search fetches the page of a query.
func (b *browser) search(query, from string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.get("/?" + url.Values{"query": {query}, "from": {from}}.Encode())
}

var tokenOnPage = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (b *browser) token(page string) string {
	b.t.Helper()
	found := tokenOnPage.FindStringSubmatch(b.get(page).Body.String())
	if found == nil {
		b.t.Fatalf("%s has no form with a token", page)
	}
	return found[1]
}

// post sends a form with the token of the page for signing in, which is the same
// as any other page's.
func (b *browser) post(address string, form url.Values, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form.Set("csrf", b.token("/signin"))
	return b.do("POST", address, form, header...)
}

func (b *browser) signIn(form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.post("/signin", form)
}

// session is the id that the browser has; empty for none.
func (b *browser) session() string {
	for _, name := range []string{sessionCookie, "__Host-" + sessionCookie} {
		if c := b.cookies[name]; c != nil {
			return c.Value
		}
	}
	return ""
}

func konnectLine(change func(*audit.Event)) string {
	e := &audit.Event{
		Kind: audit.Authorization, Time: time.Now(), Source: "127.0.0.6", OrgID: "o", PrincipalID: "id-of-p", PrincipalName: "Ann",
		TraceID: 1, Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
	if change != nil {
		change(e)
	}
	return string(audit.AppendUnsigned(nil, audit.CEF, e))
}

// holds reports each text that a page lacks.
func holds(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not hold %q:\n%s", text, page)
		}
	}
}
