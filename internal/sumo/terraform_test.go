package sumo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

// The requests of Sumo Logic's Terraform provider 3.2, in its order: apply, a
// plan that must see no difference, a change, destroy.
func TestTerraformsRequestsAreAnsweredAsItNeedsThem(t *testing.T) {
	s := start(t, nil)
	collector := map[string]any{
		"collectorType": "Hosted", "name": "Konnect", "description": "audit", "category": "a/b", "timeZone": "Etc/UTC", "ephemeral": false,
		"fields": map[string]any{"team": "blue"},
	}
	source := map[string]any{
		"sourceType": "HTTP", "name": "Konnect", "category": "c", "description": "d", "automaticDateParsing": true,
		"multilineProcessingEnabled": true, "useAutolineMatching": true, "forceTimeZone": false, "messagePerRequest": false,
		"timeZone": "Etc/UTC", "hostName": "h", "fields": map[string]any{}, "filters": []any{}, "cutoffTimestamp": 0.0,
	}
	made := s.call(201, "POST", "/api/v1/collectors", wrapped("collector", collector), "collector")
	path := fmt.Sprintf("/api/v1/collectors/%.0f", made["id"])
	holds(t, "collector", s.call(200, "GET", path, "", "collector"), collector)

	madeSource := s.call(201, "POST", path+"/sources", wrapped("source", source), "source")
	sourcePath := fmt.Sprintf("%s/sources/%.0f", path, madeSource["id"])
	shown := s.call(200, "GET", sourcePath, "", "source")
	holds(t, "source", shown, source)
	if diff := cmp.Diff(madeSource, shown); diff != "" {
		t.Errorf("the source differs from what its creation said: %s", diff)
	}
	if url := shown["url"].(string); !strings.HasPrefix(url, "https://siem.example/receiver/v1/http/") || url != shown["baseUrl"].(string)+shown["token"].(string) {
		t.Errorf("url %q", url)
	}

	tag := s.do("GET", sourcePath, "").Header().Get("ETag")
	source["category"] = "changed"
	source["trailhook"] = map[string]any{
		"requireAccessKey": true, "jwks": map[string]any{"url": "https://k.example/jwks.json"}, "retentionDays": 30.0,
		"signaturePolicy": "quarantine", "quarantineUnsigned": true,
	}
	updated := s.call(200, "PUT", sourcePath, wrapped("source", source), "source", "If-Match", tag)
	holds(t, "updated source", updated, source)
	if updated["url"] != shown["url"] {
		t.Error("an update changes the address")
	}
	s.call(412, "PUT", sourcePath, wrapped("source", source), "", "If-Match", tag)
	s.call(412, "DELETE", sourcePath, "", "", "If-Match", tag)
	s.call(412, "PUT", sourcePath, wrapped("source", source), "", "If-Match", `W/"1"`)
	s.call(428, "PUT", sourcePath, wrapped("source", source), "")
	s.call(200, "PUT", sourcePath, wrapped("source", source), "source", "If-Match", "*")

	// The provider does not know our own settings, and must not undo them.
	own := source["trailhook"]
	delete(source, "trailhook")
	updated = s.call(200, "PUT", sourcePath, wrapped("source", source), "source", "If-Match", "*")
	holds(t, "source updated by Terraform", updated, map[string]any{"trailhook": own})

	collectorTag := s.do("GET", path, "").Header().Get("ETag")
	collector["name"] = "renamed"
	holds(t, "updated collector", s.call(200, "PUT", path, wrapped("collector", collector), "collector", "If-Match", collectorTag), collector)
	s.call(412, "PUT", path, wrapped("collector", collector), "", "If-Match", collectorTag)

	s.call(200, "DELETE", sourcePath, "", "")
	s.call(404, "GET", sourcePath, "", "")
	s.call(200, "DELETE", path, "", "")
	s.call(404, "GET", path, "", "")
}

func TestListsArePaged(t *testing.T) {
	s := start(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		s.call(201, "POST", "/api/v1/collectors", wrapped("collector", map[string]any{"name": name}), "collector")
		s.call(201, "POST", "/api/v1/collectors/1/sources", wrapped("source", map[string]any{"name": name}), "source")
	}
	for query, want := range map[string]string{"": "abc", "?limit=2": "ab", "?limit=2&offset=2": "c", "?offset=9": ""} {
		for path, member := range map[string]string{"/api/v1/collectors": "collectors", "/api/v1/collectors/1/sources": "sources"} {
			var answer map[string][]struct{ Name string }
			w := s.do("GET", path+query, "")
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			got := ""
			for _, item := range answer[member] {
				got += item.Name
			}
			if got != want || answer[member] == nil {
				t.Errorf("%s%s: %q, want %q", path, query, got, want)
			}
		}
	}
}

func TestAnAccessKeyLivesFromCreationToDeletion(t *testing.T) {
	s := start(t, nil)
	w := s.do("POST", "/api/v1/accessKeys", `{"label":"Konnect","corsHeaders":[]}`)
	var made struct {
		ID, Label, Key string
		Disabled       bool
	}
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 200 || made.Key == "" || made.Label != "Konnect" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	works := func() bool {
		_, outcome := s.catalog.Authenticate(made.ID, made.Key)
		return outcome == audit.OutcomeSuccess
	}
	if !works() {
		t.Error("a new key does not work")
	}
	list := s.do("GET", "/api/v1/accessKeys", "").Body.String()
	if !strings.Contains(list, made.ID) || strings.Contains(list, made.Key) || strings.Contains(list, `"key"`) {
		t.Errorf("the list: %s", list)
	}
	path := "/api/v1/accessKeys/" + made.ID
	if w := s.do("PUT", path, `{"disabled":true}`); w.Code != 200 || works() || !strings.Contains(w.Body.String(), `"label":"Konnect"`) {
		t.Errorf("disable: %d %s", w.Code, w.Body)
	}
	if w := s.do("PUT", path, `{"label":"other","disabled":false}`); w.Code != 200 || !works() || strings.Contains(w.Body.String(), `"key"`) {
		t.Errorf("enable: %d %s", w.Code, w.Body)
	}
	if w := s.do("DELETE", path, ""); w.Code != 204 || works() {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
}

func wrapped(name string, object map[string]any) string {
	text, err := json.Marshal(map[string]any{name: object})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// holds checks that an answer has every member that was sent, as it was sent.
func holds(t *testing.T, what string, answer, sent map[string]any) {
	t.Helper()
	for name, value := range sent {
		if diff := cmp.Diff(value, answer[name]); diff != "" {
			t.Errorf("%s: %s: %s", what, name, diff)
		}
	}
}
