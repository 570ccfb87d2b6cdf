package sumo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/collector"
)

const searchesPath = "/trailhook/v1/searches"

// saved decodes the answer of a call that must be answered with status.
func (s *siem) saved(status int, method, path, body string, header ...string) map[string]any {
	s.t.Helper()
	w := s.do(method, path, body, header...)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != status {
		s.t.Fatalf("%s %s: %d, want %d: %v %s", method, path, w.Code, status, err, w.Body)
	}
	return answer
}

func TestASavedSearchIsMadeReadChangedAndDeleted(t *testing.T) {
	s := start(t, nil)
	w := s.do("POST", searchesPath, `{"name":"deletions","query":"action=delete","alert":{"condition":"count>20 in 600s by principal_id",
		"webhook":{"url":"https://hooks.example/secret","authorization":"Bearer s3cret"}}}`)
	var made map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 201 || w.Header().Get("ETag") == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	path := searchesPath + "/" + made["id"].(string)
	if w.Header().Get("Location") != "https://siem.example"+path {
		t.Error(w.Header())
	}
	if strings.Contains(w.Body.String(), "s3cret") {
		t.Errorf("the authorization is shown: %s", w.Body)
	}
	state := map[string]any{"status": "off", "durationMs": 0.0, "firingCount": 0.0, "omittedGroups": 0.0, "deferredGroups": 0.0, "pendingCount": 0.0}
	want := map[string]any{
		"id": made["id"], "name": "deletions", "description": "", "query": "action=delete", "range": "-24h", "timeZone": "", "owner": s.id,
		"createdAt": made["createdAt"], "updatedAt": made["updatedAt"],
		"alert": map[string]any{
			"enabled": false, "condition": "count > 20 in 10m by principal_id", "every": "2m",
			"webhook": map[string]any{"url": "https://hooks.example/secret", "hasAuthorization": true}, "state": state,
		},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	if shown := s.as(collector.Analyst).saved(200, "GET", path, ""); shown["alert"].(map[string]any)["webhook"].(map[string]any)["url"] != "https://hooks.example" {
		t.Errorf("an analyst sees %v", shown)
	}

	// What was read can be sent back.
	made["timeZone"], made["range"] = "PST", "-7d"
	body, _ := json.Marshal(made)
	s.saved(428, "PUT", path, string(body))
	s.saved(412, "PUT", path, string(body), "If-Match", `"1"`)
	changed := s.saved(200, "PUT", path, string(body), "If-Match", w.Header().Get("ETag"))
	if changed["timeZone"] != "America/Los_Angeles" || changed["range"] != "-7d" ||
		changed["alert"].(map[string]any)["webhook"].(map[string]any)["hasAuthorization"] != true {
		t.Errorf("%v", changed)
	}
	if list := s.saved(200, "GET", searchesPath+"?limit=1000", "")["data"].([]any); len(list) != 9 {
		t.Errorf("%d are listed", len(list))
	}
	s.saved(412, "DELETE", path, "", "If-Match", w.Header().Get("ETag"))
	if w := s.do("DELETE", path, ""); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.saved(404, "GET", path, "")
}

func TestAMistakeInASavedSearchIsToldWithItsPlace(t *testing.T) {
	s := start(t, nil)
	alert := func(members string) string { return `{"name":"n","query":"*","alert":{` + members + `}}` }
	for _, test := range []struct{ body, code, message string }{
		{`{`, "invalid_request", "not the JSON"},
		{`[]`, "invalid_request", "not the JSON"},
		{`{"name":"n","query":"*"}{}`, "invalid_request", "more than one"},
		{`{"name":"n","query":"*","limit":5}`, "invalid_request", "limit"},
		{`{"name":" ","query":"*"}`, "invalid_request", "name must not be empty"},
		{`{"name":"Konnect: denied","query":"*"}`, "invalid_request", "the name is in use"},
		{`{"name":"` + strings.Repeat("n", 129) + `","query":"*"}`, "invalid_request", "at most 128 bytes"},
		{`{"name":"n","query":"a=","range":"-1h"}`, "invalid_query", "1:3: expected a value"},
		{`{"name":"n","query":"*","range":"24h"}`, "invalid_request", "range must be"},
		{`{"name":"n","query":"*","timeZone":"Mars"}`, "invalid_request", "timeZone"},
		{alert(`"condition":"count > in 5m"`), "invalid_condition", "1:9: expected a number"},
		{alert(`"condition":"count > 1 in 5m","every":"10m"`), "invalid_request", "must not be longer"},
		{alert(`"condition":"count > 1 in 5m","every":"30s"`), "invalid_request", "from 1m to 1d"},
		{alert(`"condition":"count > 1 in 5m","every":"x"`), "invalid_request", "alert.every"},
		{alert(`"condition":"count > 1 in 5m","enabled":true`), "invalid_request", "needs alert.webhook"},
		{alert(`"condition":"count > 1 in 5m","webhook":{"url":"ftp://x"}`), "invalid_request", "alert.webhook.url must be"},
		{alert(`"condition":"count > 1 in 5m","webhook":{"url":"https://u:p@x"}`), "invalid_request", "must not have a user name"},
		{alert(`"condition":"count > 1 in 5m","webhook":{"url":"https://x","authorization":"a\nb"}`), "invalid_request", "line breaks"},
	} {
		got := s.saved(400, "POST", searchesPath, test.body)
		if got["code"] != test.code || !strings.Contains(got["message"].(string), test.message) {
			t.Errorf("%.80s: %v, want %s %s", test.body, got, test.code, test.message)
		}
	}
	s.saved(413, "POST", searchesPath, `{"name":"`+strings.Repeat("n", maxBody)+`"}`)
}

func TestAnAuthorizationIsNotSentToWhereItWasNotMeantFor(t *testing.T) {
	s := start(t, nil)
	body := `{"name":"n","query":"*","alert":{"condition":"count > 1 in 5m","webhook":{"url":"https://hooks.example/%s"%s}}}`
	made := s.saved(201, "POST", searchesPath, fmt.Sprintf(body, "a", `,"authorization":"Bearer s3cret"`))
	path := searchesPath + "/" + made["id"].(string)
	got := s.saved(400, "PUT", path, fmt.Sprintf(body, "b", ""), "If-Match", "*")
	if !strings.Contains(got["message"].(string), "must be given again") {
		t.Error(got)
	}
	s.saved(200, "PUT", path, fmt.Sprintf(body, "b", `,"authorization":""`), "If-Match", "*")
}

func TestASavedSearchIsRunByItsID(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), `{"action":"delete","n":"1"}`+"\n"+`{"action":"list","n":"2"}`)
	made := s.saved(201, "POST", searchesPath, `{"name":"n","query":"action=delete"}`)
	id := made["id"].(string)
	status, found := s.search("saved=" + id)
	if status != 200 || len(found) != 1 || found[0]["n"] != "1" {
		t.Errorf("%d %v", status, found)
	}
	if status, found = s.search("saved=" + id + "&from=-1s&to=2020-01-01"); status != 200 || len(found) != 0 {
		t.Errorf("%d %v", status, found)
	}
	s.saved(404, "GET", "/trailhook/v1/search?saved=none", "")
	s.saved(400, "GET", "/trailhook/v1/search?query=x&saved="+id, "")
	// What was looked for is recorded, not only under what name.
	if err := s.indexer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found = s.search("query=_source%3Dtrailhook+kind%3Daccess+%22action%253Ddelete%22"); len(found) == 0 {
		t.Error("the query is not recorded")
	}
}

func TestAnAlertThatFiresIsShownWithItsPosts(t *testing.T) {
	s := start(t, nil)
	accepting := make(chan bool, 1)
	var answers http.HandlerFunc = func(w http.ResponseWriter, _ *http.Request) {
		if len(accepting) == 0 {
			w.WriteHeader(http.StatusForbidden)
		}
	}
	hook := httptest.NewServer(answers)
	defer hook.Close()
	made := s.saved(201, "POST", searchesPath, fmt.Sprintf(
		`{"name":"silence","query":"*","alert":{"enabled":true,"condition":"count == 0 in 1h","webhook":{"url":%q}}}`, hook.URL))
	path := searchesPath + "/" + made["id"].(string)
	state := func() map[string]any {
		return s.saved(200, "GET", path, "")["alert"].(map[string]any)["state"].(map[string]any)
	}
	s.eventually("the refusal is shown", func() bool {
		pending, _ := state()["pending"].([]any)
		return len(pending) == 1 && pending[0].(map[string]any)["lastError"] == "the webhook answered 403 Forbidden"
	})
	if st := state(); st["status"] != "firing" || len(st["firing"].([]any)) != 1 || st["evaluatedAt"] == nil {
		t.Errorf("%v", st)
	}
	for _, shown := range s.saved(200, "GET", searchesPath, "")["data"].([]any) {
		if shown.(map[string]any)["name"] != "silence" {
			continue
		}
		if st := shown.(map[string]any)["alert"].(map[string]any)["state"].(map[string]any); st["firingCount"] != 1.0 || st["firing"] != nil {
			t.Errorf("%v", st)
		}
	}
	if got := s.saved(200, "POST", path+"/test", ""); got["delivered"] != false || got["status"] != 403.0 || got["message"] != "Forbidden" {
		t.Errorf("%v", got)
	}
	accepting <- true
	s.eventually("nothing is pending any more", func() bool { return state()["pendingCount"] == 0.0 })
	if got := s.saved(200, "POST", path+"/test", ""); got["delivered"] != true {
		t.Errorf("%v", got)
	}
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if values["trailhook_alerts_firing"] != 1 || values["trailhook_alert_notifications_pending"] != 0 ||
		values["trailhook_alert_notifications_total"] < 1 || values["trailhook_alert_evaluations_total"] < 1 || values["trailhook_alert_evaluation_seconds"] < 1 {
		t.Errorf("%v", values)
	}
}

// eventually asks until the answer is yes.
func (s *siem) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("still not: %s", what)
		}
	}
}
