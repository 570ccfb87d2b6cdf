package sumo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/seal"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/duckdb"
	"github.com/trailhook/trailhook/internal/search/parquet"
)

// siem is the API and the receiver on their real engines, behind one mux.
type siem struct {
	t       *testing.T
	broker  *broker.Broker
	catalog *collector.Catalog
	indexer *collector.Indexer
	mux     *http.ServeMux
	metrics *prometheus.Registry
	options Options // of the API
	api     *API
	id, key string
}

func start(t *testing.T, wrap func(search.Store) search.Store) *siem {
	t.Helper()
	s := &siem{t: t, mux: http.NewServeMux(), metrics: prometheus.NewRegistry()}
	ctx, logger, dir := t.Context(), slog.New(slog.DiscardHandler), t.TempDir()
	var err error
	if s.broker, err = broker.Open(ctx, broker.Options{Dir: dir, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.broker.Close)
	if s.catalog, err = collector.OpenCatalog(ctx, s.broker); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.catalog.Close)
	var store search.Store
	if store, err = duckdb.Open(ctx, filepath.Join(dir, "search.duckdb"), logger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if wrap != nil {
		store = wrap(store)
	}
	s.serve(store, filepath.Join(dir, "master.key"), logger)
	k, secret, err := s.catalog.CreateAccessKey(ctx, "admin", collector.Administrator)
	if err != nil {
		t.Fatal(err)
	}
	s.id, s.key = k.ID, secret
	return s
}

// serve starts what takes lines, what forwards them, and the API.
func (s *siem) serve(store search.Store, masterKey string, logger *slog.Logger) {
	s.t.Helper()
	intake, err := collector.OpenIntake(s.t.Context(), s.broker)
	if err != nil {
		s.t.Fatal(err)
	}
	metrics := collector.NewMetrics(s.metrics)
	client := outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}})
	keys := collector.NewKeys(client, "", logger)
	if s.indexer, err = collector.NewIndexer(s.t.Context(), intake, store, keys, metrics, logger); err != nil {
		s.t.Fatal(err)
	}
	sealer, err := seal.OpenFile(masterKey)
	if err != nil {
		s.t.Fatal(err)
	}
	forwarder, err := collector.OpenForwarder(s.t.Context(), collector.ForwarderOptions{
		Catalog: s.catalog, Indexer: s.indexer, Store: store, Broker: s.broker, Client: client, Sealer: sealer,
		Logger: logger, Metrics: s.metrics, MinPause: time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(forwarder.Close)
	alerts, err := alert.Open(s.t.Context(), alert.Options{
		Broker: s.broker, Store: Scoped(store), Settled: s.indexer.Settled, Client: client, Sealer: sealer, AllowHTTP: true,
		BaseURL: "https://siem.example", Logger: logger, Metrics: s.metrics, MinPause: time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(alerts.Close)
	collector.NewReceiver(s.catalog, intake, metrics, logger).Routes(s.mux)
	exports, err := parquet.Open(filepath.Join(s.t.TempDir(), "exports"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.options = Options{
		Catalog: s.catalog, Forwarder: forwarder, Alerts: alerts, Store: store, Feed: s.indexer.Feed(), Exports: exports,
		Statistics: collector.NewStatistics(s.catalog, metrics, logger), Logger: logger, Metrics: s.metrics, BaseURL: "https://siem.example/",
		Recorder: recorder.New(recorder.Options{Journal: collector.NewOwn(intake, metrics), Service: Service, Now: time.Now, PrincipalNames: true}),
	}
	s.api = New(s.options)
	s.t.Cleanup(s.api.Close)
	s.api.Routes(s.mux)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.indexer.Run(ctx) })
	running.Go(func() { forwarder.Run(ctx) })
	running.Go(func() { alerts.Run(ctx) })
	s.t.Cleanup(func() { cancel(); running.Wait() })
}

// do makes a request with the first access key, or with the header given.
func (s *siem) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth(s.id, s.key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// call makes a request that must be answered with status, and returns the
// member of the answer.
func (s *siem) call(status int, method, path, body, member string, header ...string) map[string]any {
	s.t.Helper()
	w := s.do(method, path, body, header...)
	if w.Code != status {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if member == "" {
		return nil
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		s.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	inner, ok := answer[member].(map[string]any)
	if !ok {
		s.t.Fatalf("%s %s: no %s in %s", method, path, member, w.Body)
	}
	return inner
}

// addSource makes a collector and a source, both "Konnect", and returns the
// path that takes lines.
func (s *siem) addSource() string {
	s.t.Helper()
	s.call(201, "POST", "/api/v1/collectors", `{"collector":{"collectorType":"Hosted","name":"Konnect"}}`, "collector")
	source := s.call(201, "POST", "/api/v1/collectors/1/sources", `{"source":{"sourceType":"HTTP","name":"Konnect"}}`, "source")
	return strings.TrimPrefix(source["url"].(string), "https://siem.example")
}

// send posts lines to a source and waits until they are searchable.
func (s *siem) send(path, lines string) {
	s.t.Helper()
	if w := s.do("POST", path, lines); w.Code != http.StatusOK {
		s.t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.indexer.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// records reads a stream of JSON lines.
func records(t *testing.T, stream *bytes.Buffer) []map[string]string {
	t.Helper()
	var list []map[string]string
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var record map[string]string
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		list = append(list, record)
	}
	return list
}

func TestNothingIsToldWithoutAnAccessKey(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	k, secret, err := s.catalog.CreateAccessKey(t.Context(), "old", collector.Administrator)
	if err != nil {
		t.Fatal(err)
	}
	k.Disabled = true
	if _, err := s.catalog.UpdateAccessKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	good := httptest.NewRequest("GET", "/", nil)
	basic := func(id, secret string) string {
		good.SetBasicAuth(id, secret)
		return good.Header.Get("Authorization")
	}
	for _, authorization := range []string{
		"", "Bearer " + s.key, s.key, basic(s.id, "wrong"), basic("wrong", s.key), basic(s.id, ""), basic("", ""), basic(k.ID, secret), "Basic ???",
	} {
		for _, path := range []string{"/api/v1/collectors", "/api/v1/collectors/1", "/api/v1/collectors/99", "/api/v1/nothing", "/trailhook/v1/search"} {
			w := s.do("GET", path, "", "Authorization", authorization)
			var answer struct {
				Status            int
				ID, Code, Message string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if w.Code != 401 || answer.Status != 401 || answer.Code != "unauthorized" || len(answer.ID) != 17 || answer.Message == "" ||
				!strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s with %q: %d %s", path, authorization, w.Code, w.Body)
			}
		}
	}
}

func TestErrorsHaveSumoLogicsShape(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	collectorOf := func(members string) string { return `{"collector":{` + members + `}}` }
	sourceOf := func(members string) string { return `{"source":{"name":"n",` + members + `}}` }
	for _, test := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"GET", "/api/v1/nothing", "", 404, "nothing"},
		{"PATCH", "/api/v1/collectors", "", 405, "GET, POST"},
		{"POST", "/trailhook/v1/search", "", 405, "GET"},
		{"GET", "/api/v1/collectors/99", "", 404, "no such object"},
		{"GET", "/api/v1/collectors/x", "", 404, "no such object"},
		{"PUT", "/api/v1/collectors/99", collectorOf(`"name":"n"`), 404, "no such object"},
		{"PUT", "/api/v1/collectors/1", collectorOf(`"name":"n"`), 428, "If-Match"},
		{"PUT", "/api/v1/collectors/1/sources/2", sourceOf(`"sourceType":"HTTP"`), 428, "If-Match"},
		{"GET", "/api/v1/collectors/1/sources/99", "", 404, "no such object"},
		{"GET", "/api/v1/collectors/99/sources", "", 404, "no such object"},
		{"GET", "/api/v1/collectors/99/sources/2", "", 404, "no such object"},
		{"POST", "/api/v1/collectors/99/sources", sourceOf(`"sourceType":"HTTP"`), 404, "no such object"},
		{"DELETE", "/api/v1/accessKeys/su0", "", 404, "no such object"},
		{"GET", "/api/v1/collectors?limit=0", "", 400, "limit"},
		{"GET", "/api/v1/collectors?offset=x", "", 400, "offset"},
		{"POST", "/api/v1/collectors", "", 400, "not the JSON"},
		{"POST", "/api/v1/collectors", "{", 400, "not the JSON"},
		{"POST", "/api/v1/collectors", "[]", 400, "not the JSON"},
		{"POST", "/api/v1/collectors", `{}`, 400, "the body must be"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":"n"`) + "{}", 400, "more than one"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":1`), 400, "name"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":""`), 400, "name must not be empty"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":"Konnect"`), 400, "the name is in use"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":"n","collectorType":"Installable"`), 400, "only Hosted"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":"` + strings.Repeat("n", maxBody) + `"`), 413, "more than"},
		{"POST", "/api/v1/collectors/1/sources", `{"source":{"name":"Konnect"}}`, 400, "the name is in use"},
		{"POST", "/api/v1/collectors/1/sources", sourceOf(`"sourceType":"Syslog"`), 400, "only HTTP"},
		{"POST", "/api/v1/collectors/1/sources", sourceOf(`"messagePerRequest":true`), 400, "messagePerRequest"},
		{"POST", "/api/v1/collectors/1/sources", sourceOf(`"filters":[{"name":"f"}]`), 400, "filters"},
		{"POST", "/api/v1/collectors", collectorOf(`"name":"TrailHook"`), 400, "is kept for"},
		{"POST", "/api/v1/collectors/1/sources", `{"source":{"name":"TRAILHOOK"}}`, 400, "is kept for"},
		{"POST", "/api/v1/collectors/1/sources", `{"source":{"name":"Konnect (Quarantine)"}}`, 400, "is kept for"},
		{"POST", "/api/v1/accessKeys", `{}`, 400, "label"},
		{"POST", "/api/v1/accessKeys", `{"label":"l","role":"king"}`, 400, "role must be"},
		{"POST", "/api/v1/accessKeys", `{"label":"l","corsHeaders":["https://x"]}`, 400, "corsHeaders"},
	} {
		w := s.do(test.method, test.path, test.body)
		var answer struct {
			Status            int
			ID, Code, Message string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: %v: %s", test.method, test.path, err, w.Body)
		}
		if w.Code != test.status || answer.Status != test.status || answer.ID == "" || answer.Code == "" || !strings.Contains(answer.Message, test.message) {
			t.Errorf("%s %s %.60s: %d %+v, want %d with %q", test.method, test.path, test.body, w.Code, answer, test.status, test.message)
		}
		if w.Code == 405 && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", test.method, test.path)
		}
	}
}

func TestAChangeThatCannotBeMadeDurableIsRefused(t *testing.T) {
	s := start(t, nil)
	s.broker.Close()
	w := s.do("POST", "/api/v1/collectors", `{"collector":{"name":"n"}}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
