package konnect

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// trialWorld is a world with a destination of ours that leads to the handler.
func trialWorld(t *testing.T, authorization string, h http.HandlerFunc) (w *world, target string) {
	t.Helper()
	w = newWorld(t)
	receiver := httptest.NewTLSServer(h)
	t.Cleanup(receiver.Close)
	d, err := w.registry.CreateDestination(t.Context(), registry.Destination{
		OrgID: w.ours.id, Name: "tried", Endpoint: receiver.URL + "/in?code=SECRET", LogFormat: audit.JSON, SkipSSLVerification: true,
	}, authorization)
	if err != nil {
		t.Fatal(err)
	}
	return w, "/trailhook/v1/destinations/" + d.ID + "/test"
}

func TestATestOfADestinationHasOneShapeWhateverComesOfIt(t *testing.T) {
	one := shape{"name": "string", "ok": "boolean", "ms": "integer", "detail": "string"}
	delete(one, "ms") // a number, and not whole
	for status, want := range map[int]shape{
		200: {"delivered": "boolean", "trace_id": "string", "status_code": "integer"},
		401: {"delivered": "boolean", "trace_id": "string", "status_code": "integer", "answer": "string"},
	} {
		w, target := trialWorld(t, "key-of-ours", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, "the answer")
		})
		a := w.call(request{method: "POST", target: target, token: w.ours.admin()})
		var got map[string]any
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatalf("status %d, %v: %s", a.status, err, a.body)
		}
		if got["delivered"] != (status == 200) || got["trace_id"] != a.header.Get("X-Request-Id") || got["status_code"] != float64(status) {
			t.Errorf("%d: %s", status, a.body)
		}
		phases := got["phases"].([]any)
		delete(got, "phases")
		if m := misfit("the answer", want, got); m != "" {
			t.Error(m)
		}
		var names []string
		for _, p := range phases {
			p := p.(map[string]any)
			names = append(names, p["name"].(string))
			if ms, ok := p["ms"].(float64); !ok || ms < 0 {
				t.Errorf("phase %v", p)
			}
			delete(p, "ms")
			delete(p, "remedy")
			if m := misfit("a phase", one, p); m != "" {
				t.Error(m)
			}
		}
		if diff := cmp.Diff([]string{"resolve", "connect", "tls", "request", "response"}, names); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		if strings.Contains(a.body, "SECRET") || strings.Contains(a.body, "key-of-ours") {
			t.Errorf("the answer tells a secret: %s", a.body)
		}
	}
}

func TestATestIsAuditedAndItsEventIsNotInTheJournal(t *testing.T) {
	var body []byte
	w, target := trialWorld(t, "", func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	a := w.call(request{method: "POST", target: target, token: w.ours.admin()})
	var kinds []audit.Kind
	for _, e := range a.events {
		kinds = append(kinds, e.Kind)
		if e.Resource == "trailhook/test" {
			t.Errorf("the journal holds the test event: %+v", e)
		}
	}
	if diff := cmp.Diff([]audit.Kind{audit.Authentication, audit.Authorization, audit.Access}, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	line, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := w.registry.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	if verdict, _ := keys.Verify(line); verdict != audit.Valid {
		t.Errorf("the line is %s: %s", verdict, line)
	}
	decoded, err := audit.Decode(line)
	e := decoded.Event
	if err != nil || decoded.Format != audit.JSON || e.Kind != audit.Authorization || e.Resource != "trailhook/test" || e.OrgID != w.ours.id ||
		e.PrincipalID != w.ours.users[registry.OrganizationAdmin].ID || strconv.FormatUint(e.TraceID, 10) != a.header.Get("X-Request-Id") {
		t.Errorf("sent %s, %v", line, err)
	}
	if status := w.call(request{method: "GET", target: "/v3/audit-log-webhook/status", token: w.ours.admin()}); strings.Contains(status.body, "last_attempt_at") {
		t.Errorf("the test counts as an attempt of the webhook: %s", status.body)
	}
}

func TestAnOrganizationTestsOneDestinationAtATime(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	w, target := trialWorld(t, "", func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	})
	first := make(chan answered)
	go func() { first <- send(t, w.api, request{method: "POST", target: target, token: w.ours.admin()}) }()
	<-begun
	if a := send(t, w.api, request{method: "POST", target: target, token: w.ours.admin()}); a.status != http.StatusConflict {
		t.Errorf("the second: status %d", a.status)
	}
	close(release)
	if a := <-first; a.status != 200 || !strings.Contains(a.body, `"delivered":true`) {
		t.Errorf("the first: status %d %s", a.status, a.body)
	}
}
