package sumo

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// bodies are what the operations can be sent, by method and path.
func bodies(webhook string) map[string]string {
	given := map[string]string{
		"/api/v1/collectors":              `{"collector":{"collectorType":"Hosted","name":"NAME"}}`,
		"/api/v1/collectors/{id}/sources": `{"source":{"sourceType":"HTTP","name":"NAME"}}`,
		"/api/v1/accessKeys":              `{"label":"NAME"}`,
		"/api/v1/search/jobs":             `{"query":"* | count","from":"-1h","to":"now"}`,
		"/trailhook/v1/searches":          `{"name":"NAME","query":"*","alert":{"condition":"count > 1 in 1m","webhook":{"url":"` + webhook + `"}}}`,
	}
	all := map[string]string{}
	for path, body := range given {
		all["POST "+path] = strings.ReplaceAll(body, "NAME", "made")
		for _, one := range []string{"/{id}", "/{sid}"} {
			all["PUT "+path+one] = strings.ReplaceAll(body, "NAME", "changed")
		}
	}
	return all
}

func TestEveryOperationAnswersWithTheStatusThatItTellsOf(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	bodies := bodies(hook.URL)
	key, _, err := s.catalog.CreateAccessKey(t.Context(), "spare", "analyst")
	if err != nil {
		t.Fatal(err)
	}
	job := strings.TrimPrefix(s.startJob("* | count"), "/api/v1/search/jobs/")
	search := s.saved(201, "POST", searchesPath, strings.Replace(bodies["POST /trailhook/v1/searches"], "made", "first", 1))["id"].(string)
	ids := func(path string) string {
		id := map[string]string{"api/v1/accessKeys": key.ID, "api/v1/search": job, "trailhook/v1/searches": search}
		for prefix, value := range id {
			if strings.HasPrefix(path, "/"+prefix+"/") {
				return strings.ReplaceAll(path, "{id}", value)
			}
		}
		return strings.NewReplacer("{id}", "1", "{sid}", "2").Replace(path)
	}
	operations := s.api.Operations()
	slices.SortStableFunc(operations, func(a, b Operation) int { // what is below goes before what it is in
		if deletes := b.Method == "DELETE"; deletes != (a.Method == "DELETE") {
			return map[bool]int{true: -1, false: 1}[deletes]
		}
		return len(b.Path) - len(a.Path)
	})
	for _, op := range operations {
		if op.Path == "/trailhook/v1/tail" {
			continue // it has no end
		}
		var header []string
		if slices.Contains(op.Takes, "If-Match") {
			header = []string{"If-Match", "*"}
		}
		if w := s.do(op.Method, ids(op.Path), bodies[op.Method+" "+op.Path], header...); w.Code != op.Status {
			t.Errorf("%s %s: %d, want %d: %s", op.Method, op.Path, w.Code, op.Status, w.Body)
		}
		if op.Summary == "" || len(op.Roles) == 0 {
			t.Errorf("%s %s: %+v", op.Method, op.Path, op)
		}
	}
}
