package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/entity"
)

// kindsOf tells events in short, in their order.
func kindsOf(events []audit.Event) string {
	var parts []string
	for _, e := range events {
		if e.Kind == audit.Authorization {
			parts = append(parts, fmt.Sprintf("%s %s %v", e.Action, e.Resource, e.Granted))
		} else {
			parts = append(parts, fmt.Sprintf("%s %s?%s %d", e.Method, e.Request, e.Query, e.Status))
		}
	}
	return strings.Join(parts, "; ")
}

func TestWhatPassesIsRecordedBeforeItIsAnswered(t *testing.T) {
	w, service, route, consumer := guarded(t)
	w.add(entity.Plugins, `{"name":"key-auth","route":"`+route+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.add(entity.Routes, `{"paths":["/gone"],"service":"`+w.id(w.add(entity.Services, `{"url":"http://127.0.0.1:1","retries":0}`))+`"}`)
	w.apply()
	_ = service
	key := header("apikey", "secret")
	for _, test := range []struct {
		method, path string
		change       func(*http.Request)
		status       int
		want         string
	}{
		{"GET", "/a/x?q=1&apikey=secret", header("X", ""), 200, "GET /a/x?q=1 200"},
		{"POST", "/a/x", key, 200, "create routes/a true; POST /a/x? 200"},
		{"PUT", "/a", key, 200, "edit routes/a true; PUT /a? 200"},
		{"DELETE", "/a", key, 200, "delete routes/a true; DELETE /a? 200"},
		{"POST", "/a", header("apikey", "wrong"), 401, "POST /a? 401"},
		{"GET", "/nothing", key, 404, "GET /nothing? 404"},
		{"GET", "/gone", key, 502, "GET /gone? 502"},
	} {
		before := len(w.journal.all())
		got := w.ask(test.method, test.path, "", test.change)
		events := w.journal.all()[before:]
		if got.StatusCode != test.status || kindsOf(events) != test.want {
			t.Errorf("%s %s: %d, recorded: %s", test.method, test.path, got.StatusCode, kindsOf(events))
		}
		for _, e := range events {
			if e.OrgID != "11111111-1111-4111-8111-111111111111" || e.Source != "127.0.0.1" || fmt.Sprint(e.TraceID) != got.Header.Get("X-Kong-Request-Id") {
				t.Errorf("%s: %+v", test.path, e)
			}
			if known := test.status == 200; known && (e.PrincipalID != consumer || e.PrincipalName != "ana") || !known && e.PrincipalID != "" {
				t.Errorf("%s %s: whose: %+v", test.method, test.path, e)
			}
			if strings.Contains(fmt.Sprintf("%+v", e), "secret") {
				t.Errorf("an event tells the key: %+v", e)
			}
		}
	}
}

func TestWhatCannotBeRecordedDoesNotPass(t *testing.T) {
	var reached atomic.Int64
	w := newWorld(t)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		rw.WriteHeader(http.StatusEarlyHints)
		rw.Header().Set("X-Secret", "1")
		fmt.Fprint(rw, "the answer")
	})
	w.add(entity.Routes, `{"name":"r","paths":["/"],"service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.apply()
	withheld := func(method string, upstream int64) {
		t.Helper()
		before := reached.Load()
		got := w.ask(method, "/", "")
		if got.StatusCode != 503 || strings.Contains(got.body, "the answer") || got.Header.Get("X-Secret") != "" || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", method, got.StatusCode, got.Header, got.body)
		}
		if n := reached.Load() - before; n != upstream {
			t.Errorf("%s reached the upstream %d times, want %d", method, n, upstream)
		}
	}
	w.journal.refusing(func(e audit.Event) bool { return e.Kind == audit.Authorization })
	withheld("POST", 0)
	if got := w.get("/"); got.StatusCode != 200 || got.body != "the answer" {
		t.Errorf("a GET, which has no intent: %d", got.StatusCode)
	}
	w.journal.refusing(func(e audit.Event) bool { return e.Kind == audit.Access })
	withheld("GET", 1)
	before := len(w.journal.all())
	withheld("POST", 1)
	if got := kindsOf(w.journal.all()[before:]); got != "create routes/r true" {
		t.Errorf("of a POST whose outcome cannot be recorded: %s", got)
	}
	w.journal.refusing(nil)
	if got := w.get("/"); got.StatusCode != 200 {
		t.Errorf("when it can again: %d", got.StatusCode)
	}
}

func TestARequestWhoseClientIsGoneIsRecordedAllTheSame(t *testing.T) {
	w := newWorld(t)
	begun, release := make(chan struct{}), make(chan struct{})
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) { close(begun); <-release })
	t.Cleanup(func() { close(release) })
	w.add(entity.Routes, `{"name":"r","paths":["/"],"service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.apply()
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", w.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := http.DefaultClient.Do(r); err == nil {
			t.Error("answered")
		}
	}()
	<-begun
	hangUp()
	<-ended
	eventually(t, "the request is recorded", func() bool { return kindsOf(w.journal.all()) == "GET /? 499" })
}

func TestWithoutBlockingNobodyWaitsAndWhatDoesNotFitIsCounted(t *testing.T) {
	w, _, _, _ := guarded(t)
	w.add(entity.Plugins, `{"name":"audit","config":{"blocking":false}}`)
	w.apply()
	w.journal.refusing(func(audit.Event) bool { return true })
	for i := range 20 {
		if got := w.ask("POST", fmt.Sprintf("/a/%d", i), ""); got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	w.journal.refusing(nil)
	eventually(t, "all are recorded", func() bool { return len(w.journal.all()) == 20 })
	if got := kindsOf(w.journal.all()[:1]); got != "POST /a/0? 200" {
		t.Errorf("recorded: %s", got)
	}
}
