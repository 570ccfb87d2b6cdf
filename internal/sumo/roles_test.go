package sumo

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/collector"
)

// as returns the same SIEM for another caller, with a key of the role.
func (s *siem) as(role collector.Role) *siem {
	s.t.Helper()
	k, secret, err := s.catalog.CreateAccessKey(s.t.Context(), string(role), role)
	if err != nil {
		s.t.Fatal(err)
	}
	other := *s
	other.id, other.key = k.ID, secret
	return &other
}

func TestARoleAllowsWhatItIsForAndNothingElse(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	collectorBody, sourceBody := `{"collector":{"name":"n"}}`, `{"source":{"name":"n"}}`
	calls := []struct {
		method, path, body string
		administrator      int
		analyst            bool
	}{
		{"GET", "/api/v1/collectors", "", 200, true},
		{"GET", "/api/v1/collectors/1", "", 200, true},
		{"GET", "/api/v1/collectors/99", "", 404, true},
		{"GET", "/api/v1/collectors/1/sources", "", 200, true},
		{"GET", "/api/v1/collectors/1/sources/2", "", 200, true},
		{"GET", "/trailhook/v1/search", "", 200, true},
		{"GET", "/trailhook/v1/sources/statistics", "", 200, true},
		{"GET", "/trailhook/v1/sources/2/statistics", "", 200, true},
		{"GET", "/trailhook/v1/sources/99/statistics", "", 404, true},
		{"POST", "/api/v1/collectors", collectorBody, 201, false},
		{"PUT", "/api/v1/collectors/1", collectorBody, 428, false},
		{"DELETE", "/api/v1/collectors/99", "", 404, false},
		{"POST", "/api/v1/collectors/1/sources", sourceBody, 201, false},
		{"PUT", "/api/v1/collectors/1/sources/2", sourceBody, 428, false},
		{"DELETE", "/api/v1/collectors/1/sources/99", "", 404, false},
		{"GET", "/api/v1/accessKeys", "", 200, false},
		{"POST", "/api/v1/accessKeys", `{"label":"l"}`, 200, false},
		{"PUT", "/api/v1/accessKeys/x", `{}`, 404, false},
		{"DELETE", "/api/v1/accessKeys/x", "", 404, false},
		{"GET", "/trailhook/v1/searches", "", 200, true},
		{"GET", "/trailhook/v1/searches/konnect-denied", "", 200, true},
		{"GET", "/trailhook/v1/searches/x", "", 404, true},
		{"GET", "/trailhook/v1/search?saved=konnect-denied", "", 200, true},
		{"POST", "/trailhook/v1/searches", `{"name":"n","query":"*"}`, 201, false},
		{"PUT", "/trailhook/v1/searches/konnect-denied", `{}`, 428, false},
		{"POST", "/trailhook/v1/searches/konnect-denied/test", "", 400, false},
		{"DELETE", "/trailhook/v1/searches/konnect-denied", "", 204, false},
	}
	analyst, sender := s.as(collector.Analyst), s.as(collector.Sender)
	for _, c := range calls { // those who may not go first: what they asked for must not have happened
		want := 403
		if c.analyst {
			want = c.administrator
		}
		if w := analyst.do(c.method, c.path, c.body); w.Code != want {
			t.Errorf("analyst: %s %s: %d, want %d: %s", c.method, c.path, w.Code, want, w.Body)
		}
		w := sender.do(c.method, c.path, c.body)
		var answer struct {
			Status            int
			ID, Code, Message string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 403 || answer.Status != 403 || answer.Code != "forbidden" || answer.ID == "" {
			t.Errorf("sender: %s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	for _, c := range calls {
		if w := s.do(c.method, c.path, c.body); w.Code != c.administrator {
			t.Errorf("administrator: %s %s: %d, want %d: %s", c.method, c.path, w.Code, c.administrator, w.Body)
		}
	}
}

func TestOnlySendersAndAdministratorsOpenASource(t *testing.T) {
	s := start(t, nil)
	path := s.addSource()
	s.call(200, "PUT", "/api/v1/collectors/1/sources/2", `{"source":{"name":"Konnect","trailhook":{"requireAccessKey":true}}}`, "source", "If-Match", "*")
	for role, want := range map[collector.Role]int{collector.Administrator: 200, collector.Sender: 200, collector.Analyst: 401} {
		caller := s.as(role)
		for _, authorization := range []string{caller.key, "Bearer " + caller.key, ""} { // empty: HTTP Basic
			header := []string{"Authorization", authorization}
			if authorization == "" {
				header = nil
			}
			if w := caller.do("POST", path, "line of "+string(role), header...); w.Code != want {
				t.Errorf("%s with %.10q: %d, want %d", role, authorization, w.Code, want)
			}
		}
	}
}

func TestWhoMayOnlyLookDoesNotLearnHowToSend(t *testing.T) {
	s := start(t, nil)
	code := strings.TrimPrefix(s.addSource(), "/receiver/v1/http/")
	s.call(200, "PUT", "/api/v1/collectors/1/sources/2",
		`{"source":{"name":"Konnect","trailhook":{"forwarding":{"endpoint":"https://siem.example/secret-path","authorization":"s3cret"}}}}`, "source", "If-Match", "*")
	analyst := s.as(collector.Analyst)
	for _, path := range []string{"/api/v1/collectors/1/sources", "/api/v1/collectors/1/sources/2"} {
		seen := analyst.do("GET", path, "").Body.String()
		if strings.Contains(seen, code) || strings.Contains(seen, "secret-path") || !strings.Contains(seen, "https://siem.example") {
			t.Errorf("%s: %s", path, seen)
		}
		if all := s.do("GET", path, "").Body.String(); !strings.Contains(all, code) || !strings.Contains(all, "secret-path") || strings.Contains(all, "s3cret") {
			t.Errorf("%s, to an administrator: %s", path, all)
		}
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	s := start(t, nil)
	s.as(collector.Analyst)
	other := s.as(collector.Administrator)
	path := "/api/v1/accessKeys/" + s.id
	s.call(200, "PUT", "/api/v1/accessKeys/"+other.id, `{"disabled":true}`, "")
	for _, change := range []struct{ method, body string }{
		{"PUT", `{"disabled":true}`}, {"PUT", `{"role":"analyst"}`}, {"DELETE", ""},
	} {
		if w := s.do(change.method, path, change.body); w.Code != 409 || !strings.Contains(w.Body.String(), "make another one first") {
			t.Errorf("%s %s: %d %s", change.method, change.body, w.Code, w.Body)
		}
	}
	s.call(200, "PUT", path, `{"label":"still here"}`, "")
	s.call(200, "PUT", "/api/v1/accessKeys/"+other.id, `{"disabled":false}`, "")
	s.call(200, "PUT", path, `{"role":"sender"}`, "")
	s.call(403, "GET", "/api/v1/collectors", "", "")
	other.call(204, "DELETE", path, "", "")
}

func TestAnAccessKeyTellsItsRole(t *testing.T) {
	s := start(t, nil)
	for body, want := range map[string]string{
		`{"label":"a"}`:                        `"role":"administrator"`,
		`{"label":"b","role":"analyst"}`:       `"role":"analyst"`,
		`{"label":"c","role":"sender"}`:        `"role":"sender"`,
		`{"label":"d","role":"administrator"}`: `"role":"administrator"`,
	} {
		if w := s.do("POST", "/api/v1/accessKeys", body); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if list := s.do("GET", "/api/v1/accessKeys", "").Body.String(); strings.Count(list, `"role":"administrator"`) != 3 || strings.Count(list, `"role":"sender"`) != 1 {
		t.Errorf("the list: %s", list)
	}
}
