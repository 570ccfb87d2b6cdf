package sumo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/search"
)

type jobState struct {
	State            string
	MessageCount     int
	RecordCount      int
	HistogramBuckets []bucket
	PendingErrors    []string
	PendingWarnings  []string
}

// startJob starts a search job over all that there is, and returns its path.
func (s *siem) startJob(query string, members ...string) string {
	s.t.Helper()
	text, err := json.Marshal(query)
	if err != nil {
		s.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"query":%s,"from":0,"to":%d,"timeZone":"UTC","autoParsingMode":"intelligent"%s}`,
		text, time.Now().Add(time.Hour).UnixMilli(), strings.Join(members, ""))
	w := s.do("POST", "/api/v1/search/jobs", body)
	var answer struct {
		ID   string
		Link struct{ Rel, Href string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		s.t.Fatal(err)
	}
	if w.Code != http.StatusAccepted || answer.ID == "" || answer.Link.Rel != "self" || w.Header().Get("Location") != answer.Link.Href {
		s.t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	path, ok := strings.CutPrefix(answer.Link.Href, "https://siem.example")
	if !ok || path != "/api/v1/search/jobs/"+answer.ID {
		s.t.Fatalf("link %s", answer.Link.Href)
	}
	return path
}

func (s *siem) get(path string, into any) {
	s.t.Helper()
	w := s.do("GET", path, "")
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("GET %s: %d %v %s", path, w.Code, err, w.Body)
	}
}

// awaitJob looks at a job until it has the state.
func (s *siem) awaitJob(path, state string) (job jobState) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if s.get(path, &job); job.State == state {
			return job
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %+v, want %s", path, job, state)
		}
	}
}

const threeLines = `{"who":"ann","ms":5,"_source":"forged"}
{"who":"bob","ms":7}
{"who":"ann","ms":12.5,"odd \"name\"":"<x>"}`

func TestASearchJobGivesItsMessagesAsSumoLogicDoes(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), threeLines+"\n\xffplain")
	job := s.startJob("_source=Konnect")
	state := s.awaitJob(job, "DONE GATHERING RESULTS")
	if state.MessageCount != 4 || state.RecordCount != 0 || len(state.PendingErrors)+len(state.PendingWarnings) != 0 ||
		len(state.HistogramBuckets) != 1 || state.HistogramBuckets[0].Count != 4 {
		t.Errorf("%+v", state)
	}
	var page struct {
		Fields   []shownField
		Messages []shownRow
	}
	s.get(job+"/messages?offset=0&limit=10", &page)
	if len(page.Messages) != 4 {
		t.Fatalf("%d messages", len(page.Messages))
	}
	types := map[string]string{}
	for _, f := range page.Fields {
		if _, twice := types[f.Name]; twice || f.KeyField {
			t.Errorf("field %+v", f)
		}
		types[f.Name] = f.Type
	}
	for name, want := range map[string]string{
		"_messageid": "long", "_messagetime": "long", "_receipttime": "long", "_size": "long", "_raw": "string",
		"_source": "string", "_sourcename": "string", "_collector": "string", "who": "string", "ms": "string", `odd "name"`: "string",
	} {
		if types[name] != want {
			t.Errorf("field %s: %q, want %q", name, types[name], want)
		}
	}
	ids := map[string]bool{}
	for _, m := range page.Messages {
		ids[m.Map["_messageid"]] = true
		if m.Map["_source"] != "Konnect" || m.Map["_size"] != strconv.Itoa(len(m.Map["_raw"])) && m.Map["who"] != "" {
			t.Errorf("%v", m.Map)
		}
		if ms, err := strconv.ParseInt(m.Map["_messagetime"], 10, 64); err != nil || time.Since(time.UnixMilli(ms)) > time.Hour {
			t.Errorf("_messagetime %q", m.Map["_messagetime"])
		}
	}
	if len(ids) != 4 {
		t.Errorf("ids: %v", ids)
	}
	for parameters, want := range map[string]int{"": 4, "?offset=3": 1, "?offset=4": 0, "?limit=2": 2, "?offset=1&limit=2": 2} {
		if s.get(job+"/messages"+parameters, &page); len(page.Messages) != want {
			t.Errorf("%q: %d messages, want %d", parameters, len(page.Messages), want)
		}
	}
}

func TestASearchJobThatAggregatesGivesRecords(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), threeLines)
	job := s.startJob("who=* | count, avg(ms) as mean by who, _sourceCategory | sort by who")
	if state := s.awaitJob(job, "DONE GATHERING RESULTS"); state.MessageCount != 3 || state.RecordCount != 2 {
		t.Errorf("%+v", state)
	}
	w := s.do("GET", job+"/records?offset=0&limit=10", "")
	want := `{"fields":[{"name":"who","fieldType":"string","keyField":true},{"name":"_sourcecategory","fieldType":"string","keyField":true},` +
		`{"name":"_count","fieldType":"int","keyField":false},{"name":"mean","fieldType":"double","keyField":false}],` +
		`"records":[{"map":{"_count":"1","_sourcecategory":"","mean":"7","who":"bob"}},{"map":{"_count":"2","_sourcecategory":"","mean":"8.75","who":"ann"}}]}`
	if diff := cmp.Diff(want, strings.TrimSpace(w.Body.String())); diff != "" || w.Code != 200 {
		t.Errorf("%d %s", w.Code, diff)
	}
	var page struct{ Messages []shownRow }
	if s.get(job+"/messages?limit=10", &page); len(page.Messages) != 3 {
		t.Errorf("%d messages", len(page.Messages))
	}
}

func TestTheTimesOfASearchJobAreRead(t *testing.T) {
	s := start(t, nil)
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	s.send(s.addSource(), fmt.Sprintf(`{"rt":%d}`, at.UnixMilli()))
	for times, want := range map[string]int{
		`"from":"2026-03-01T09:00:00Z","to":"2026-03-01T10:00:00Z"`:                                    1,
		`"from":"2026-03-01T09:00:00","to":"2026-03-01T10:00:00"`:                                      1,
		`"from":"2026-03-01T09:00:00","to":"2026-03-01T10:00:00","timeZone":"UTC"`:                     1,
		`"from":"2026-03-01T15:00:00","to":"2026-03-01T15:01:00","timeZone":"IST"`:                     1,
		`"from":"2026-03-01T10:30:00.000","to":"2026-03-01T10:30:00.001","timeZone":"Europe/Berlin"`:   1,
		`"from":"2026-03-01T09:00:00","to":"2026-03-01T10:00:00","timeZone":"Europe/Berlin"`:           0,
		`"from":"2026-03-01","to":"2026-03-02"`:                                                        1,
		fmt.Sprintf(`"from":%d,"to":%d`, at.UnixMilli(), at.UnixMilli()+1):                             1,
		fmt.Sprintf(`"from":"%d","to":"%d"`, at.UnixMilli()-1, at.UnixMilli()):                         0,
		`"from":"2026-03-01T09:00:00Z","to":"2026-03-01T10:00:00Z","byReceiptTime":true`:               0,
		`"from":"-1h","to":"now","byReceiptTime":true`:                                                 1,
		`"from":"2026-03-01T09:00:00Z","to":"2026-03-01T10:00:00Z","requiresRawMessages":true,"x":[1]`: 1,
	} {
		w := s.do("POST", "/api/v1/search/jobs", `{"query":"*",`+times+`}`)
		path := strings.TrimPrefix(w.Header().Get("Location"), "https://siem.example")
		if w.Code != 202 {
			t.Errorf("%s: %d %s", times, w.Code, w.Body)
			continue
		}
		if state := s.awaitJob(path, "DONE GATHERING RESULTS"); state.MessageCount != want {
			t.Errorf("%s: %d messages, want %d", times, state.MessageCount, want)
		}
	}
}

func TestASearchJobThatCannotBeIsRefused(t *testing.T) {
	s := start(t, nil)
	job := s.startJob("*")
	times := `,"from":0,"to":1}`
	for _, test := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"POST", "/api/v1/search/jobs", `{"query":"a | limit x"` + times, 400, "1:11: expected a whole number"},
		{"POST", "/api/v1/search/jobs", `{"query":"a\n| cuont"` + times, 400, "2:3: "},
		{"POST", "/api/v1/search/jobs", `{"query":"a'); DROP TABLE records; --"` + times, 400, "1:"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","to":1}`, 400, "from"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","from":0}`, 400, "to"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","from":1,"to":1}`, 400, "before"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","from":"0001-01-01T00:00:00Z","to":1}`, 400, "not a time"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","from":true,"to":1}`, 400, "not a time"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","timeZone":"Middle/Earth"` + times, 400, "timeZone"},
		{"POST", "/api/v1/search/jobs", `{"query":"*","timeZone":"../../etc/passwd"` + times, 400, "timeZone"},
		{"POST", "/api/v1/search/jobs", `{`, 400, "not the JSON"},
		{"GET", "/api/v1/search/jobs", "", 405, "POST"},
		{"GET", "/api/v1/search/jobs/0000000000000000", "", 404, "no such object"},
		{"DELETE", "/api/v1/search/jobs/0000000000000000", "", 404, "no such object"},
		{"GET", "/api/v1/search/jobs/0000000000000000/messages", "", 404, "no such object"},
		{"GET", "/api/v1/search/jobs/0000000000000000/records", "", 404, "no such object"},
		{"GET", job + "/messages?limit=10001", "", 400, "limit"},
		{"GET", job + "/messages?offset=-1", "", 400, "offset"},
		{"GET", job + "/records?limit=0", "", 400, "limit"},
	} {
		w := s.do(test.method, test.path, test.body)
		var answer struct {
			Status            int
			ID, Code, Message string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != test.status || answer.Status != test.status ||
			answer.Code == "" || !strings.Contains(answer.Message, test.message) {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, w.Code, w.Body)
		}
	}
}

// waitingStore searches until it is told to stop.
type waitingStore struct {
	search.Store
	began   chan struct{} // closed when a search begins, unless it is nil
	stopped chan error
}

func (s *waitingStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return search.GroupRecords(g, s.Search(ctx, g.Request))
}

func (s *waitingStore) Search(ctx context.Context, _ search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		if s.began != nil {
			close(s.began)
		}
		<-ctx.Done()
		s.stopped <- context.Cause(ctx)
		yield(search.Record{}, ctx.Err())
	}
}

func TestADeletedSearchJobStopsTheEngine(t *testing.T) {
	waiting := &waitingStore{stopped: make(chan error, 1)}
	s := start(t, func(store search.Store) search.Store { waiting.Store = store; return waiting })
	job := s.startJob("*")
	s.awaitJob(job, "GATHERING RESULTS")
	if w := s.do("DELETE", job, ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	<-waiting.stopped
	if state := s.awaitJob(job, "CANCELLED"); len(state.PendingErrors) != 0 {
		t.Errorf("%+v", state)
	}
}

func TestASearchJobIsItsOwnersAlone(t *testing.T) {
	s := start(t, nil)
	job := s.startJob("*")
	s.awaitJob(job, "DONE GATHERING RESULTS")
	other, secret, err := s.catalog.CreateAccessKey(t.Context(), "other", collector.Analyst)
	if err != nil {
		t.Fatal(err)
	}
	s.id, s.key = other.ID, secret
	for _, call := range [][2]string{{"GET", job}, {"GET", job + "/messages"}, {"GET", job + "/records"}, {"DELETE", job}} {
		if w := s.do(call[0], call[1], ""); w.Code != 404 {
			t.Errorf("%s %s: %d", call[0], call[1], w.Code)
		}
	}
}

func TestASearchWhoseCallerHangsUpStopsTheEngine(t *testing.T) {
	waiting := &waitingStore{stopped: make(chan error, 1)}
	s := start(t, func(store search.Store) search.Store { waiting.Store = store; return waiting })
	server := httptest.NewServer(s.mux)
	defer server.Close()
	for _, format := range []string{"ndjson", "csv"} {
		ctx, hangUp := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/trailhook/v1/search?format="+format, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(s.id, s.key)
		waiting.began = make(chan struct{})
		go func() { <-waiting.began; hangUp() }()
		if response, err := http.DefaultClient.Do(request); err == nil {
			t.Errorf("%s: %s", format, response.Status)
			response.Body.Close()
		}
		if cause := <-waiting.stopped; !errors.Is(cause, context.Canceled) {
			t.Errorf("%s: %v", format, cause)
		}
	}
}

func TestASearchMayHaveStages(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), threeLines)
	for query, want := range map[string]string{
		"who=* | sort by ms | fields who, ms":          "ann 12.5,bob 7,ann 5,",
		"ms>=7 | where who = \"bob\" | fields who, ms": "bob 7,",
		"who=* | limit 2 | count":                      "2",
	} {
		status, found := s.search("query=" + url.QueryEscape(query))
		got := ""
		for _, r := range found {
			if r["_count"] != "" {
				got += r["_count"]
				continue
			}
			got += r["who"] + " " + r["ms"] + ","
		}
		if status != 200 || got != want {
			t.Errorf("%s: %d, %q, want %q", query, status, got, want)
		}
	}
	w := s.do("GET", "/trailhook/v1/search?query="+url.QueryEscape("* | count, max(none) by who | limit 1"), "")
	if w.Body.String() != `{"who":"ann","_count":"2","_max":null}`+"\n" {
		t.Errorf("a row: %s", w.Body)
	}
}

func TestASearchCanBeCSV(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), threeLines+"\na \"quoted\", line")
	query := "/trailhook/v1/search?query=" + url.QueryEscape("* | sort by ms asc | fields who, ms")
	for _, header := range [][]string{{"Accept", "text/csv;q=0.9, */*"}, nil} {
		path := query
		if header == nil {
			path += "&format=csv"
		}
		w := s.do("GET", path, "", header...)
		lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || len(lines) != 5 ||
			!strings.HasPrefix(lines[0], "_time,_receipttime,") || !strings.HasSuffix(lines[0], ",_raw,ms,who") ||
			!strings.HasSuffix(lines[1], `,"a ""quoted"", line",,`) || !strings.HasSuffix(lines[2], ",5,ann") {
			t.Errorf("%v: %s", header, w.Body)
		}
	}
	w := s.do("GET", "/trailhook/v1/search?format=csv&query="+url.QueryEscape("* | count by who"), "")
	if w.Body.String() != "who,_count\n,1\nann,2\nbob,1\n" {
		t.Errorf("a table: %s", w.Body)
	}
	if w := s.do("GET", "/trailhook/v1/search?format=xml", ""); w.Code != 400 {
		t.Errorf("xml: %d", w.Code)
	}
	if w := s.do("GET", "/trailhook/v1/search?format=csv&query=(", ""); w.Code != 400 {
		t.Errorf("a wrong query: %d %s", w.Code, w.Body)
	}
}
