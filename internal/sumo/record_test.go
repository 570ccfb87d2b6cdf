package sumo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/recorder"
)

// own returns what this half recorded of itself, oldest first, as short texts.
func (s *siem) own(query string) []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.indexer.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
	w := s.do("GET", "/trailhook/v1/search?limit=1000&query="+url.QueryEscape("_source=trailhook "+query), "")
	if w.Code != 200 {
		s.t.Fatalf("search: %d %s", w.Code, w.Body)
	}
	var events []string
	for _, r := range records(s.t, w.Body) {
		if r["_collector"] != "Trailhook" || r["_parse_error"] != "" {
			s.t.Errorf("a record of our own: %v", r)
		}
		words := []string{r["kind"]}
		for _, name := range []string{"name", "action", "granted", "act", "status", "request", "query", "principal_name"} {
			if r[name] != "" && !(name == "request" && r["kind"] != "access") {
				words = append(words, r[name])
			}
		}
		events = append(events, strings.Join(words, " "))
	}
	slices.Sort(events)
	return events
}

func TestEveryCallThatManagesIsFoundUnderTrailhook(t *testing.T) {
	s := start(t, nil)
	s.call(201, "POST", "/api/v1/collectors", `{"collector":{"name":"n"}}`, "collector")
	s.call(200, "GET", "/api/v1/collectors/1?x=y", "", "collector")
	s.call(412, "DELETE", "/api/v1/collectors/1", "", "", "If-Match", `"0"`)
	s.call(404, "GET", "/api/v1/nothing", "", "")
	s.as(collector.Analyst).call(403, "DELETE", "/api/v1/collectors/1", "", "")
	s.do("GET", "/trailhook/v1/search?query=needle", "")
	s.do("GET", "/trailhook/v1/search?limit=0", "")
	s.as(collector.Sender).call(403, "GET", "/trailhook/v1/search", "", "")
	s.call(401, "POST", "/api/v1/accessKeys", `{}`, "", "Authorization", "Bearer x")
	s.do("GET", "/api/v1/collectors", "", "Authorization", "") // tries nothing
	want := []string{
		"access Ingress DELETE 403 /api/v1/collectors/1 analyst",
		"access Ingress DELETE 412 /api/v1/collectors/1 admin",
		"access Ingress GET 200 /trailhook/v1/search query=needle admin",
		"access Ingress GET 400 /trailhook/v1/search limit=0 admin",
		"access Ingress POST 201 /api/v1/collectors admin",
		"access Ingress POST 401 /api/v1/accessKeys",
		"authentication AUTHENTICATION_OUTCOME_INVALID",
		"authentication AUTHENTICATION_OUTCOME_SUCCESS admin", // the one of a path where nothing is, too
		"authentication AUTHENTICATION_OUTCOME_SUCCESS admin",
		"authentication AUTHENTICATION_OUTCOME_SUCCESS admin",
		"authentication AUTHENTICATION_OUTCOME_SUCCESS admin",
		"authentication AUTHENTICATION_OUTCOME_SUCCESS analyst",
		"authentication AUTHENTICATION_OUTCOME_SUCCESS sender",
		"authorization Authz.collectors create true admin",
		"authorization Authz.collectors/1 delete false analyst",
		"authorization Authz.collectors/1 delete true admin",
		"authorization Authz.collectors/1 retrieve true admin",
		"authorization Authz.search list false sender",
	}
	if diff := cmp.Diff(want, s.own("")); diff != "" {
		t.Error(diff)
	}
	if found := s.own("class=trailhook granted=false"); len(found) != 2 {
		t.Errorf("the refusals: %q", found)
	}
}

func TestAFailedAuthenticationTellsWhy(t *testing.T) {
	s := start(t, nil)
	old := s.as(collector.Administrator)
	s.call(200, "PUT", "/api/v1/accessKeys/"+old.id, `{"disabled":true}`, "")
	old.call(401, "GET", "/api/v1/collectors", "", "")
	wrong := *s
	wrong.key = "wrong"
	wrong.call(401, "GET", "/api/v1/collectors", "", "")
	wrong.id = "su0"
	wrong.call(401, "GET", "/api/v1/collectors", "", "")
	want := []string{
		"authentication AUTHENTICATION_OUTCOME_DISABLED administrator",
		"authentication AUTHENTICATION_OUTCOME_INVALID_PASSWORD admin",
		"authentication AUTHENTICATION_OUTCOME_NOT_FOUND",
	}
	if diff := cmp.Diff(want, s.own("class=AUTHENTICATION_TYPE_BASIC success=false")); diff != "" {
		t.Error(diff)
	}
}

func TestASearchThatNamesNoSourceDoesNotFindWhatTellsOfSearches(t *testing.T) {
	s := start(t, nil)
	path := s.addSource()
	s.send(path, "a needle")
	for range 3 {
		s.send(path, "more hay")
		w := s.do("GET", "/trailhook/v1/search?query=needle", "")
		if found := records(t, w.Body); len(found) != 1 || found[0]["_raw"] != "a needle" {
			t.Fatalf("found %v", found)
		}
	}
	s.own("") // waits for all of it
	if _, found := s.search("query=" + url.QueryEscape("needle | count")); len(found) != 1 || found[0]["_count"] != "1" {
		t.Errorf("counted %v, want 1", found)
	}
	for query, want := range map[string]int{
		"_source=trailhook needle": 3, "_SOURCE=TrailHook needle": 3, "needle (_source=Konnect OR _source=trailhook)": 4, "_collector=Trailhook needle": 0,
	} {
		if _, found := s.search("query=" + url.QueryEscape(query)); len(found) < want || want == 0 && len(found) > 0 {
			t.Errorf("%s: found %v, want %d", query, found, want)
		}
	}
}

// refusing is a journal that does not take one kind of event.
type refusing struct {
	recorder.Journal
	kind audit.Kind
}

func (j refusing) Append(ctx context.Context, region string, events ...audit.Event) error {
	if slices.ContainsFunc(events, func(e audit.Event) bool { return e.Kind == j.kind }) {
		return errors.New("no room")
	}
	return nil
}

// on returns the SIEM with an API that records to another journal.
func (s *siem) on(journal recorder.Journal) *siem {
	other := *s
	other.mux = http.NewServeMux()
	o := s.options
	o.Recorder = recorder.New(recorder.Options{Journal: journal, Service: Service, Now: time.Now})
	o.Metrics = prometheus.NewRegistry()
	New(o).Routes(other.mux)
	return &other
}

func TestWhatCannotBeRecordedIsNotDoneOrNotTold(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), "secret")
	for _, kind := range []audit.Kind{audit.Authentication, audit.Authorization} {
		refused := s.on(refusing{kind: kind})
		refused.call(503, "POST", "/api/v1/collectors", `{"collector":{"name":"new"}}`, "")
		refused.call(503, "DELETE", "/api/v1/collectors/1", "", "")
		refused.call(503, "GET", "/api/v1/collectors", "", "")
	}
	if list := s.catalog.Collectors(); len(list) != 1 {
		t.Errorf("done all the same: %v", list)
	}
	s.on(refusing{kind: audit.Authentication}).call(503, "GET", "/api/v1/collectors", "", "", "Authorization", "Basic eDp5")
	refused := s.on(refusing{kind: audit.Access})
	w := refused.do("GET", "/trailhook/v1/search", "")
	if w.Code != 503 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"code":"unavailable"`) {
		t.Errorf("a search: %d %s", w.Code, w.Body)
	}
	w = refused.do("POST", "/api/v1/accessKeys", `{"label":"l"}`)
	if w.Code != 503 || strings.Contains(w.Body.String(), `"key"`) {
		t.Errorf("a key: %d %s", w.Code, w.Body)
	}
	refused.call(200, "GET", "/api/v1/collectors", "", "") // makes no access event
}

func TestAFloodOfFailuresIsCountedNotRecorded(t *testing.T) {
	s := start(t, nil)
	const flood = 5 * failureBurst
	for range flood {
		s.call(401, "GET", "/api/v1/collectors", "", "", "Authorization", "Basic eDp5")
	}
	recorded := len(s.own("success=false"))
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0.0
	for _, family := range families {
		if family.GetName() == "trailhook_siem_failed_authentications_unrecorded_total" {
			counted = family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if recorded < failureBurst || recorded+int(counted) != flood {
		t.Errorf("%d recorded, %v counted, of %d", recorded, counted, flood)
	}
	s.call(200, "GET", "/api/v1/collectors", "", "") // good keys get through
}

func TestAChangeGoesOnWhenTheClientHangsUp(t *testing.T) {
	s := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/collectors", strings.NewReader(`{"collector":{"name":"n"}}`))
	r.SetBasicAuth(s.id, s.key)
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if w.Code != 201 || len(s.catalog.Collectors()) != 1 || len(s.own("status=201")) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
