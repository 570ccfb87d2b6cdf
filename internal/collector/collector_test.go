package collector

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

// system is a collector on its real engines.
type system struct {
	broker     *broker.Broker
	catalog    *Catalog
	intake     *Intake
	store      search.Store
	indexer    *Indexer
	registry   *prometheus.Registry
	metrics    *Metrics
	statistics *Statistics // once keepStatistics was called
	receiver   *Receiver
	udp        string // address of syslog

	frameTime, idleTime time.Duration // of syslog connections; 0: as always
	mux                 *http.ServeMux
	source              Source
	closers             []func()
}

type setup struct {
	jwks  string
	store func(search.Store) search.Store // wraps the store
	idle  bool                            // the indexer does not run
	purge func(context.Context, uint64) error
}

// start opens a collector in dir, with one collector and one source "Konnect".
func start(t *testing.T, dir string, s setup) *system {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	y := &system{registry: prometheus.NewRegistry(), mux: http.NewServeMux()}
	t.Cleanup(y.close)
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	y.broker, err = broker.Open(t.Context(), broker.Options{Dir: dir, Logger: logger})
	check()
	y.closers = append(y.closers, y.broker.Close)
	y.catalog, err = OpenCatalog(t.Context(), y.broker)
	check()
	y.closers = append(y.closers, y.catalog.Close)
	y.intake, err = OpenIntake(t.Context(), y.broker)
	check()
	y.store, err = duckdb.Open(t.Context(), filepath.Join(dir, "search.duckdb"), logger)
	check()
	y.closers = append(y.closers, func() { y.store.Close() })
	if s.store != nil {
		y.store = s.store(y.store)
	}
	metrics := NewMetrics(y.registry)
	y.metrics = metrics
	keys := NewKeys(outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}}), s.jwks, logger)
	y.indexer, err = NewIndexer(t.Context(), y.intake, y.store, keys, metrics, logger)
	check()
	if s.purge != nil {
		y.indexer.purge = s.purge
	}
	y.receiver = NewReceiver(y.catalog, y.intake, metrics, logger)
	y.receiver.Routes(y.mux)
	y.makeSource(t)
	if !s.idle {
		y.run()
	}
	return y
}

// makeSource makes the source "Konnect", or finds it after a restart.
func (y *system) makeSource(t *testing.T) {
	t.Helper()
	for _, c := range y.catalog.Collectors() {
		y.source = y.catalog.Sources(c.ID)[0]
		return
	}
	c, err := y.catalog.CreateCollector(t.Context(), Collector{Name: "Konnect", Category: "audit"})
	if err != nil {
		t.Fatal(err)
	}
	y.source, err = y.catalog.CreateSource(t.Context(), Source{CollectorID: c.ID, Name: "Konnect"})
	if err != nil {
		t.Fatal(err)
	}
}

// run starts the indexer; close stops it and waits for it.
func (y *system) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		y.indexer.Run(ctx)
	}()
	y.closers = append(y.closers, func() { cancel(); <-done })
}

func (y *system) close() {
	for len(y.closers) > 0 {
		last := len(y.closers) - 1
		y.closers[last]()
		y.closers = y.closers[:last]
	}
}

func (y *system) path() string { return "/receiver/v1/http/" + y.source.Code }

// post sends a body to the source with headers given as name, value, name, value.
func (y *system) post(body []byte, header ...string) *httptest.ResponseRecorder {
	return y.do(http.MethodPost, y.path(), body, header...)
}

func (y *system) do(method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	y.mux.ServeHTTP(w, r)
	return w
}

// take posts a body that must be taken.
func (y *system) take(t *testing.T, body string, header ...string) {
	t.Helper()
	if w := y.post([]byte(body), header...); w.Code != http.StatusOK {
		t.Fatalf("POST: %d %s", w.Code, w.Body)
	}
}

// find waits until all that was received is searchable, then searches.
func (y *system) find(t *testing.T, query string) []search.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := y.indexer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	parsed, err := search.Parse(query)
	if err != nil {
		t.Fatal(err)
	}
	var found []search.Record
	for record, err := range y.store.Search(ctx, search.Request{Query: parsed}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, record)
	}
	return found
}

// raws returns the lines of records.
func raws(records []search.Record) map[string]int {
	lines := map[string]int{}
	for _, r := range records {
		lines[r.Raw]++
	}
	return lines
}

// counter returns the value of a counter, of one label value if it has labels.
func (y *system) counter(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := y.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && (label == "" || metric.GetLabel()[0].GetValue() == label) {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// waitFor returns when the condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
