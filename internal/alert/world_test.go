package alert

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

// generous is how long anything may take that takes a moment.
const generous = 60 * time.Second

// world is alerts on their real engines, and a receiver of their posts. Time is
// the test's: what is settled is what was received before now.
type world struct {
	t        *testing.T
	broker   *broker.Broker
	store    search.Store
	intake   *collector.Intake
	indexer  *collector.Indexer
	alerts   *Alerts
	metrics  *prometheus.Registry
	receiver *receiver
	options  Options

	now     time.Time
	settled error // in place of now
}

func start(t *testing.T) *world {
	t.Helper()
	dir, logger := t.TempDir(), slog.New(slog.DiscardHandler)
	w := &world{t: t, broker: brokertest.Embedded(t, dir), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), receiver: newReceiver(t)}
	var err error
	if w.store, err = duckdb.Open(t.Context(), filepath.Join(dir, "search.duckdb"), logger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.intake, err = collector.OpenIntake(t.Context(), w.broker); err != nil {
		t.Fatal(err)
	}
	client := outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}})
	t.Cleanup(client.CloseIdleConnections)
	w.indexer, err = collector.NewIndexer(t.Context(), w.intake, w.store, collector.NewKeys(client, "", logger), collector.NewMetrics(prometheus.NewRegistry()), logger)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.options = Options{
		Broker: w.broker, Store: w.store, Client: client, Sealer: sealer, AllowHTTP: true, BaseURL: "https://siem.example/", Logger: logger,
		MinPause: time.Millisecond, MaxPause: 10 * time.Millisecond,
		Settled: func(ctx context.Context) (time.Time, error) {
			if w.settled != nil {
				return time.Time{}, w.settled
			}
			return w.now, w.indexer.Flush(ctx)
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.indexer.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	w.metrics = prometheus.NewRegistry()
	w.options.Metrics = w.metrics
	var err error
	if w.alerts, err = Open(w.t.Context(), w.options); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.alerts.Close)
}

// reopen is what a crash and a new start are to alerts.
func (w *world) reopen() {
	w.t.Helper()
	w.alerts.Close()
	w.open()
}

// receive has lines received now.
func (w *world) receive(lines ...string) {
	w.t.Helper()
	origin := collector.Origin{SourceID: 1, Collector: "Konnect", Source: "Konnect", ReceivedAt: w.now}
	if err := w.intake.Append(w.t.Context(), origin, [][]byte{[]byte(strings.Join(lines, "\n"))}); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(time.Millisecond)
}

// create makes a search with an alert that is enabled.
func (w *world) create(query, condition string) Search {
	w.t.Helper()
	s, err := w.alerts.Create(w.t.Context(), Setting{Name: query + condition, Query: query, Alert: &AlertSetting{
		Enabled: true, Condition: condition, Webhook: &WebhookSetting{URL: w.receiver.URL},
	}}, "su1")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// update changes what the function changes of a search's setting.
func (w *world) update(s Search, how func(*Setting)) Search {
	w.t.Helper()
	s, err := w.alerts.Search(s.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	given := Setting{Name: s.Name, Query: s.Query, Range: s.Range, Alert: &AlertSetting{
		Enabled: s.Alert.Enabled, Condition: s.Alert.Condition, Every: FormatSpan(s.Alert.Every),
	}}
	if s.Alert.Webhook != nil {
		given.Alert.Webhook = &WebhookSetting{URL: s.Alert.Webhook.URL}
	}
	how(&given)
	if s, err = w.alerts.Update(w.t.Context(), s, given); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// step evaluates an alert after a time, and sends what comes of it.
func (w *world) step(after time.Duration, s Search) []notification {
	w.t.Helper()
	w.now = w.now.Add(after)
	w.alerts.step(w.t.Context(), s.ID)
	return w.send(s)
}

// send sends what waits, until nothing does that is due.
func (w *world) send(s Search) []notification {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), generous)
	defer cancel()
	w.alerts.sendAll(ctx, s.ID)
	if ctx.Err() != nil {
		w.t.Fatal("not all was sent")
	}
	return w.receiver.take()
}

// expect compares what was told with STATE GROUP VALUE of each, in order.
func (w *world) expect(told []notification, want ...string) {
	w.t.Helper()
	var got []string
	for _, n := range told {
		text := n.State
		for _, name := range sortedKeys(n.Group) {
			if value := n.Group[name]; value == nil {
				text += " no " + name
			} else {
				text += " " + name + "=" + *value
			}
		}
		if n.Value != nil {
			text += " " + formatNumber(*n.Value)
		}
		got = append(got, text)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// receiver takes posts.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	refuse  []int // the statuses of the next answers
	judge   func(notification) int
	posts   []notification
	headers []http.Header
	refused int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var n notification
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	if err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers = append(r.headers, req.Header)
	status := http.StatusOK
	if r.judge != nil {
		status = r.judge(n)
	}
	if len(r.refuse) > 0 {
		status, r.refuse = r.refuse[0], r.refuse[1:]
	}
	if status != http.StatusOK {
		r.refused++
		w.WriteHeader(status)
		return
	}
	r.posts = append(r.posts, n)
}

func (r *receiver) take() []notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	posts := r.posts
	r.posts = nil
	return posts
}
