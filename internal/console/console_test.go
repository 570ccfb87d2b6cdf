package console

import (
	"compress/gzip"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/search/duckdb"
	"github.com/trailhook/trailhook/internal/sumo"
)

// siem is a whole SIEM behind one mux, as the server puts it together.
type siem struct {
	t       *testing.T
	catalog *collector.Catalog
	indexer *collector.Indexer
	mux     *http.ServeMux
	id, key string
}

func start(t *testing.T) *siem {
	t.Helper()
	ctx, logger, dir := t.Context(), slog.New(slog.DiscardHandler), t.TempDir()
	s := &siem{t: t, mux: http.NewServeMux()}
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
	sumo.New(sumo.Options{
		Catalog: s.catalog, Store: store, Logger: logger, Metrics: prometheus.NewRegistry(),
		Recorder: recorder.New(recorder.Options{Journal: collector.NewOwn(intake, metrics), Now: time.Now}),
	}).Routes(s.mux)
	pages, err := New(s.mux, logger)
	check(err)
	pages.Routes(s.mux)
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
func (s *siem) send(collectorName, sourceName, lines string, header ...string) {
	s.t.Helper()
	c, err := s.catalog.CreateCollector(s.t.Context(), collector.Collector{Name: collectorName})
	if err != nil {
		s.t.Fatal(err)
	}
	source, err := s.catalog.CreateSource(s.t.Context(), collector.Source{CollectorID: c.ID, Name: sourceName})
	if err != nil {
		s.t.Fatal(err)
	}
	if w := s.do("POST", "/receiver/v1/http/"+source.Code, lines, header...); w.Code != http.StatusOK {
		s.t.Fatalf("%d %s", w.Code, w.Body)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.indexer.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
}

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

// page fetches the page of a query.
func (s *siem) page(query, from string) *httptest.ResponseRecorder {
	return s.do("GET", "/?"+url.Values{"query": {query}, "from": {from}}.Encode(), "")
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

func TestAFoundLineIsShownWithWhatMatters(t *testing.T) {
	s := start(t)
	listed := konnectLine(nil)
	s.send("Konnect", "Konnect", strings.Join([]string{
		listed,
		konnectLine(func(e *audit.Event) { e.Action, e.Granted = "delete", false }),
		konnectLine(func(e *audit.Event) {
			e.Kind, e.AuthType, e.Outcome = audit.Authentication, audit.AuthPAT, audit.OutcomeTokenExpired
		}),
		konnectLine(func(e *audit.Event) {
			e.Kind, e.Method, e.Request, e.Status = audit.Access, "POST", "/v2/control-planes", 201
		}),
	}, "\n"))
	w := s.page("_source=Konnect", "-24h")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, want := range []string{
		"4 records", "Authz.control-planes", "list, granted", "delete, denied", "sign in, token expired", "POST /v2/control-planes, 201",
		"Ann", "127.0.0.6", `class="badge unsigned">unsigned`, listed[:20], `value="_source=Konnect"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if strings.Contains(s.page("action=delete", "-15m").Body.String(), "list, granted") {
		t.Error("the query changes nothing")
	}
}

func TestWithoutAKeyThePageAsksForOne(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", "a secret line")
	for _, authorization := range []string{"", "Basic ???", "Bearer " + s.key} {
		w := s.do("GET", "/", "", "Authorization", authorization)
		if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic realm=") ||
			!strings.Contains(w.Body.String(), "Sign in") || strings.Contains(w.Body.String(), "a secret line") {
			t.Errorf("%q: %d %s", authorization, w.Code, w.Body)
		}
	}
}

func TestAQueryErrorIsShownAtItsPlace(t *testing.T) {
	s := start(t)
	w := s.page(`action="open`, "-24h")
	body := w.Body.String()
	if w.Code != http.StatusBadRequest || !strings.Contains(body, `id="problem" class="problem" role="alert">1:`) ||
		!strings.Contains(body, `aria-describedby="problem"`) || !strings.Contains(body, `value="action=&#34;open"`) {
		t.Errorf("%d %s", w.Code, body)
	}
}

func TestAnEmptyResultSaysWhatToDoNext(t *testing.T) {
	s := start(t)
	if body := s.page("", "").Body.String(); !strings.Contains(body, "Nothing was received") || !strings.Contains(body, "curl") {
		t.Error(body)
	}
	if body := s.page("action=nothing", "-7d").Body.String(); !strings.Contains(body, "Nothing found") ||
		!strings.Contains(body, `<option value="-7d" selected>`) {
		t.Error(body)
	}
}

func TestAResultThatDoesNotFitSaysSo(t *testing.T) {
	s := start(t)
	var lines strings.Builder
	for i := range limit + 1 {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	s.send("Konnect", "Konnect", lines.String())
	if body := s.page("line", "-24h").Body.String(); !strings.Contains(body, "These are the newest 100") {
		t.Error("a limit that was reached is not told")
	}
	lines.Reset()
	compressed := gzip.NewWriter(&lines)
	for i := range 9 {
		fmt.Fprintf(compressed, "huge %d %s\n", i, strings.Repeat("x", 1<<20-100))
	}
	compressed.Close()
	s.send("huge", "huge", lines.String(), "Content-Encoding", "gzip")
	body := s.page("huge", "-24h").Body.String()
	if !strings.Contains(body, "More was found than the page can hold") || len(body) > maxAnswer+1<<20 || strings.Count(body, "huge ") < 4 {
		t.Errorf("a page of %d bytes does not tell what it leaves out", len(body))
	}
}

// markup would be an element, an attribute or an entity wherever it is not escaped.
const markup = `"><script>alert(1)</script><img src=x onerror='alert(2)' x="&lt;b&gt;{{.}}`

func TestNothingOfALineIsEverMarkup(t *testing.T) {
	s := start(t)
	hostile := func(change func(*audit.Event)) string {
		return konnectLine(func(e *audit.Event) {
			e.Source, e.OrgID, e.PrincipalID, e.PrincipalName, e.ActorID, e.UserAgent = markup, markup, markup, markup, markup, markup
			e.Service, e.Resource, e.Action, e.Request, e.Query, e.Method = markup, markup, markup, markup, markup, markup
			change(e)
		})
	}
	lines := []string{
		hostile(func(*audit.Event) {}),
		hostile(func(e *audit.Event) { e.PrincipalName = "" }),
		hostile(func(e *audit.Event) { e.Kind, e.Status = audit.Access, 200 }),
		hostile(func(e *audit.Event) {
			e.Kind, e.Outcome, e.AuthType = audit.Authentication, audit.Outcome(markup), audit.AuthType(markup)
		}),
		`CEF:0|` + markup + `|` + markup + `|1|` + markup + `|` + markup + `|` + markup + `|act=` + markup + ` suser=` + markup,
		`CEF:0|KongInc|Konnect|1.0|konnect|Authz.` + markup + `|1|rt=` + markup, // with a parse error that quotes it
		markup,
	}
	s.send(markup, markup, strings.Join(lines, "\n"), "X-Sumo-Name", markup, "X-Sumo-Host", markup, "X-Sumo-Category", markup, "X-Sumo-Fields", "a="+markup)
	plain := elements(t, s.page("nothing", "-24h").Body.String())
	for _, query := range []string{"", `"script"`, markup, markup + `"`, `NOT "` + strings.ReplaceAll(markup, `"`, ``) + `"`} {
		w := s.page(query, markup)
		body := w.Body.String()
		if strings.Contains(body, "<script") || strings.Contains(body, "<img") {
			t.Errorf("query %q: markup came out: %s", query, body)
		}
		for _, e := range elements(t, body) {
			if !slices.Contains(plain, e) && !slices.Contains(resultElements(), e) {
				t.Errorf("query %q: an element that is not ours: %s", query, e)
			}
		}
		if query == "" && strings.Count(body, "&lt;script&gt;alert(1)") < 3*len(lines) {
			t.Errorf("the lines are not all shown: %s", body)
		}
	}
}

// resultElements are those that only a page with results or a problem has.
func resultElements() []string {
	return []string{
		"table", "caption", "thead", "tbody", "tr", "tr class", "th scope", "td data-label", "td colspan", "time datetime", "span class",
		"details", "summary", "p class", "p class role", "p id class role", "pre tabindex",
		"input id name type value placeholder autofocus autocomplete autocapitalize spellcheck maxlength aria-invalid aria-describedby",
	}
}

// elements lists the elements of a page, each with its attributes' names.
func elements(t *testing.T, page string) []string {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var list []string
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		if start, ok := token.(xml.StartElement); ok {
			e := start.Name.Local
			for _, attribute := range start.Attr {
				e += " " + attribute.Name.Local
			}
			list = append(list, e)
		}
	}
}

func TestEveryAnswerCarriesTheHeadersThatShutThePageIn(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/", "/?query=(", "/static/console.css", "/static/icon.svg", "/static/nothing.css"} {
		h := s.do("GET", path, "").Header()
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
	}
	if page := s.page("", "").Body.String(); strings.Contains(page, "style=") || strings.Contains(page, "<style") || strings.Contains(page, "<script") {
		t.Error("the page has inline styles or scripts, which its policy forbids")
	}
}

func TestThePathsOfTheConsoleAreItsOwnOnly(t *testing.T) {
	s := start(t)
	for path, want := range map[string]int{
		"/": 200, "/static/console.css": 200, "/static/": 404, "/static/x": 404, "/nothing": 404, "/api/v1/collectors": 200,
	} {
		if w := s.do("GET", path, ""); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
	if w := s.do("POST", "/", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %d", w.Code)
	}
	if w := s.do("HEAD", "/", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD /: %d", w.Code)
	}
}
