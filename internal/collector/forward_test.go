package collector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
)

// startForwarding opens a collector in dir, with a forwarder.
func startForwarding(t *testing.T, dir string, client outbound.Options) (*system, *Forwarder) {
	t.Helper()
	y := start(t, dir, setup{idle: true})
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	client.Policy.AllowPrivate = true
	f, err := OpenForwarder(t.Context(), ForwarderOptions{
		Catalog: y.catalog, Indexer: y.indexer, Store: y.store, Broker: y.broker, Client: outbound.New(client), Sealer: sealer,
		AllowHTTP: true, Logger: y.indexer.logger, Metrics: y.registry, MinPause: time.Millisecond, MaxPause: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	y.closers = append(y.closers, f.Close, func() { cancel(); <-done })
	y.run()
	return y, f
}

// forward has a source forward to an endpoint, as of now.
func (y *system) forward(t *testing.T, f *Forwarder, id int64, given ForwardingSetting) {
	t.Helper()
	source, err := y.catalog.Source(id)
	if err != nil {
		t.Fatal(err)
	}
	if source.Forwarding, err = f.Prepare(t.Context(), source.Forwarding, given); err != nil {
		t.Fatal(err)
	}
	if _, err := y.catalog.UpdateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
}

// indexed waits until all that was received is stored.
func (y *system) indexed(t *testing.T) { y.find(t, "nothing has this in it") }

// endpoint takes lines as its script says.
type endpoint struct {
	*httptest.Server
	script func(request int) int // status; 0: the lines are taken, and the connection is cut

	mu       sync.Mutex
	requests int
	header   http.Header
	lines    []string // that were taken, twice if so
}

func newEndpoint(t *testing.T, script func(int) int) *endpoint {
	e := &endpoint{script: script}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	text, _ := io.ReadAll(body)
	e.mu.Lock()
	request := e.requests
	e.requests++
	e.header = r.Header
	e.mu.Unlock()
	status := e.script(request)
	if status == 0 || status == http.StatusOK {
		e.mu.Lock()
		e.lines = append(e.lines, strings.Split(string(text), "\n")...)
		e.mu.Unlock()
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// arrived returns the lines, each where it came first.
func (e *endpoint) arrived() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var first []string
	seen := map[string]bool{}
	for _, line := range e.lines {
		if !seen[line] {
			first = append(first, line)
		}
		seen[line] = true
	}
	return first
}

func always(status int) func(int) int { return func(int) int { return status } }

func TestEveryLineIsForwardedInOrderWhateverTheEndpointDoes(t *testing.T) {
	dir := t.TempDir()
	y, f := startForwarding(t, dir, outbound.Options{})
	e := newEndpoint(t, func(request int) int {
		switch {
		case request == 3:
			return http.StatusServiceUnavailable
		case request == 11:
			return 0
		case request%3 == 0:
			return http.StatusNotFound
		case request%7 == 0:
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusOK
	})
	y.take(t, "from before")
	y.indexed(t)
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: e.URL + "/in"})
	var want []string
	for batch := range 40 {
		var lines []string
		for i := range 25 {
			lines = append(lines, fmt.Sprintf("line %d of batch %d", i, batch))
		}
		want = append(want, lines...)
		y.take(t, strings.Join(lines, "\n"))
		switch batch {
		case 13, 27: // the process is stopped while lines are on their way
			y.close()
			y, f = startForwarding(t, dir, outbound.Options{})
		case 20:
			waitFor(t, "some lines", func() bool { return len(e.arrived()) > 100 })
		}
	}
	waitFor(t, "all lines", func() bool { return len(e.arrived()) >= len(want) })
	if diff := cmp.Diff(want, e.arrived()); diff != "" {
		t.Error(diff)
	}
	source, err := y.catalog.Source(y.source.ID)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the status", func() bool {
		status := f.Status(source)
		return status.Status == "active" && !status.Behind && status.Forwarded >= uint64(len(want))
	})
	if y.counter(t, "trailhook_forward_lines_total", "") == 0 || y.counter(t, "trailhook_forward_attempts_total", "2xx") == 0 {
		t.Error("nothing was counted")
	}
}

func TestAForwardedLineIsSentAsItCame(t *testing.T) {
	y, f := startForwarding(t, t.TempDir(), outbound.Options{})
	e := newEndpoint(t, always(200))
	authorization := "Splunk s3cret"
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: e.URL, Authorization: &authorization})
	line, _ := signedLine(t, "r")
	sent := []string{line, `{"a": 1}`, " spaces  stay ", "caf\xe9", strings.Repeat("x", 100_000)}
	y.take(t, strings.Join(sent, "\n"))
	waitFor(t, "the lines", func() bool { return len(e.arrived()) == len(sent) })
	if diff := cmp.Diff(sent, e.arrived()); diff != "" {
		t.Error(diff)
	}
	if got := e.header.Get("Authorization"); got != authorization || e.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%v", e.header)
	}
	source, err := y.catalog.Source(y.source.ID)
	if err != nil || bytes.Contains(source.Forwarding.Authorization, []byte("s3cret")) {
		t.Errorf("%+v, %v", source, err)
	}
}

func TestAStuckForwardHoldsUpNobody(t *testing.T) {
	y, f := startForwarding(t, t.TempDir(), outbound.Options{})
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	stuck := newEndpoint(t, func(int) int { <-release; return 200 })
	t.Cleanup(free)
	good := newEndpoint(t, always(200))
	other, err := y.catalog.CreateSource(t.Context(), Source{CollectorID: y.source.CollectorID, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: stuck.URL})
	y.forward(t, f, other.ID, ForwardingSetting{Endpoint: good.URL})
	var want []string
	for i := range 20 {
		line := fmt.Sprint("line ", i)
		y.take(t, line)
		if w := y.do("POST", "/receiver/v1/http/"+other.Code, []byte(line)); w.Code != 200 {
			t.Fatal(w.Code)
		}
		want = append(want, line)
	}
	if found := y.find(t, "_source=Konnect"); len(found) != len(want) {
		t.Errorf("%d lines are found", len(found))
	}
	waitFor(t, "the other source's lines", func() bool { return slices.Equal(good.arrived(), want) })
	if len(stuck.arrived()) > 0 {
		t.Error("the stuck endpoint has taken lines")
	}
	free()
	waitFor(t, "the held lines", func() bool { return slices.Equal(stuck.arrived(), want) })
}

func TestAChangeOfTheSettingIsTriedAtOnceAndLosesNothing(t *testing.T) {
	y, f := startForwarding(t, t.TempDir(), outbound.Options{})
	f.MinPause, f.MaxPause = time.Hour, time.Hour // from the next worker on
	bad, good := newEndpoint(t, always(403)), newEndpoint(t, always(200))
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: bad.URL})
	y.take(t, "held")
	source, err := y.catalog.Source(y.source.ID)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the refusal", func() bool { return f.Status(source).Status == "inactive" })
	if status := f.Status(source); status.LastError != "the endpoint answered 403 Forbidden" || !status.Behind {
		t.Errorf("%+v", status)
	}
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: good.URL})
	waitFor(t, "the held line", func() bool { return slices.Equal(good.arrived(), []string{"held"}) })
	y.set(t, func(s *Source) { s.Forwarding = nil })
	waitFor(t, "the cursor's end", func() bool { return len(f.states.List("")) == 0 })
	y.take(t, "not forwarded")
	y.indexed(t)
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: good.URL})
	y.take(t, "forwarded again")
	waitFor(t, "the line of the second time", func() bool { return slices.Equal(good.arrived(), []string{"held", "forwarded again"}) })
}

func TestACursorBeyondTheStoresLastRecordIsSetBack(t *testing.T) {
	dir := t.TempDir()
	y, f := startForwarding(t, dir, outbound.Options{})
	e := newEndpoint(t, always(200))
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: e.URL})
	y.set(t, func(s *Source) {
		forwarding := *s.Forwarding
		forwarding.After = 1 << 40 // as if what was stored had been deleted since
		s.Forwarding = &forwarding
	})
	y.close()
	y, _ = startForwarding(t, dir, outbound.Options{})
	y.take(t, "new")
	waitFor(t, "the line", func() bool { return slices.Equal(e.arrived(), []string{"new"}) })
}

func TestAuthorizationsAreSealedAnew(t *testing.T) {
	dir := t.TempDir()
	y, f := startForwarding(t, dir, outbound.Options{})
	authorization := "s3cret"
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: "https://siem.example", Authorization: &authorization})
	other, err := seal.OpenFile(filepath.Join(dir, "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	for want := range []int{1, 0} {
		n, err := y.catalog.Reseal(t.Context(), f.Sealer, other, other)
		if err != nil || n != 1-want {
			t.Errorf("%d sealed, %v", n, err)
		}
	}
	source, err := y.catalog.Source(y.source.ID)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := other.Open(source.Forwarding.Authorization, source.Forwarding.sealContext()); string(value) != authorization {
		t.Errorf("%q, %v", value, err)
	}
}
