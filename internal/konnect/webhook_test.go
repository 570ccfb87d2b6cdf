package konnect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestAWebhooksLife(t *testing.T) {
	w := newWorld(t)
	first, second := w.newDestination(w.ours, "first"), w.newDestination(w.ours, "second")
	unconfigured := `{"webhook_status":"unconfigured","webhook_enabled":false}`
	shown := func(id, enabled string) string {
		return `{"audit_log_destination_id":"` + id + `","enabled":` + enabled + `}`
	}
	for i, step := range []struct {
		method, target, body string
		status               int
		answer               string // "": not looked at
	}{
		{"GET", "", "", 404, ""},
		{"GET", "/status", "", 200, unconfigured},
		{"DELETE", "", "", 404, ""},
		{"PATCH", "", `{"enabled":true}`, 400, ""},
		{"PATCH", "", `{"enabled":false}`, 404, ""},
		{"PATCH", "", `{}`, 404, ""},
		{"PATCH", "", `{"audit_log_destination_id":null,"enabled":null}`, 404, ""},
		{"PATCH", "", `{"audit_log_destination_id":"` + unused + `","enabled":true}`, 400, ""},
		{"GET", "", "", 404, ""},
		{"GET", "/status", "", 200, unconfigured},
		{"PATCH", "", `{"audit_log_destination_id":"` + first + `"}`, 200, shown(first, "false")},
		{"GET", "/status", "", 200, `{"webhook_status":"active","webhook_enabled":false}`},
		{"PATCH", "", `{"enabled":true}`, 200, shown(first, "true")},
		{"PATCH", "", `{}`, 200, shown(first, "true")},
		{"GET", "", "", 200, shown(first, "true")},
		{"GET", "/status", "", 200, `{"webhook_status":"active","webhook_enabled":true}`},
		{"PATCH", "", `{"audit_log_destination_id":"` + second + `"}`, 200, shown(second, "true")},
		{"PATCH", "", `{"audit_log_destination_id":"` + unused + `"}`, 400, ""},
		{"PATCH", "", `{"enabled":null}`, 200, shown(second, "true")},
		{"PATCH", "", `{"enabled":false}`, 200, shown(second, "false")},
		{"GET", "", "", 200, shown(second, "false")},
		{"DELETE", "", "", 204, ""},
		{"GET", "", "", 404, ""},
		{"GET", "/status", "", 200, unconfigured},
		{"DELETE", "", "", 404, ""},
	} {
		q := request{method: step.method, target: "/v3/audit-log-webhook" + step.target, token: w.ours.admin(), body: step.body}
		a := w.call(q)
		a.body = withoutOurs(t, a.body)
		if a.status != step.status || step.answer != "" && strings.TrimSpace(a.body) != step.answer {
			t.Fatalf("step %d: %s %s: %d %s; want %d %s", i, q, step.body, a.status, a.body, step.status, step.answer)
		}
		if a.status >= 400 {
			a.problem(t)
		}
		if theirs := w.call(request{method: "GET", target: "/v3/audit-log-webhook", token: w.theirs.admin()}); theirs.status != 404 {
			t.Fatalf("step %d: theirs: %d", i, theirs.status)
		}
	}
}

// withoutOurs is an answer without what is ours in it, and Konnect does not have.
func withoutOurs(t *testing.T, body string) string {
	t.Helper()
	before, ours, found := strings.Cut(body, `,"trailhook":{`)
	if !found {
		return body
	}
	_, after, _ := strings.Cut(ours, "}")
	return before + after
}

func TestADestinationInUseCannotGo(t *testing.T) {
	w := newWorld(t)
	used := w.newDestination(w.ours, "used")
	change := func(body string) {
		t.Helper()
		if a := w.call(request{method: "PATCH", target: "/v3/audit-log-webhook", host: "eu.api.trailhook.example", token: w.ours.admin(), body: body}); a.status != 200 {
			t.Fatalf("PATCH %s: %d %s", body, a.status, a.body)
		}
	}
	remove := request{method: "DELETE", target: "/v3/audit-log-destinations/" + used, token: w.ours.admin()}
	for _, enabled := range []string{"true", "false"} {
		change(`{"audit_log_destination_id":"` + used + `","enabled":` + enabled + `}`)
		a := w.call(remove)
		if p := a.problem(t); a.status != 409 || !strings.Contains(p.Detail, "destination is in use") {
			t.Errorf("enabled %s: %d %s", enabled, a.status, a.body)
		}
	}
	change(`{"audit_log_destination_id":"` + w.newDestination(w.ours, "other") + `"}`)
	if a := w.call(remove); a.status != 204 {
		t.Errorf("after the webhook let go: %d %s", a.status, a.body)
	}
}

func TestTheStatusTellsHowTheLastDeliveryWent(t *testing.T) {
	w := newWorld(t)
	var answer atomic.Int32
	answer.Store(http.StatusForbidden) // which is not retried
	siem := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(answer.Load())) }))
	defer siem.Close()
	d, err := w.registry.CreateDestination(t.Context(), registry.Destination{
		OrgID: w.ours.id, Name: "d", Endpoint: siem.URL, LogFormat: audit.CEF, SkipSSLVerification: true,
	}, "key")
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.delivery.Run(running) }()
	defer func() { stop(); <-ended }()

	enable := request{method: "PATCH", target: "/v3/audit-log-webhook", token: w.ours.admin(),
		body: `{"audit_log_destination_id":"` + d.ID + `","enabled":true}`}
	if a := w.call(enable); a.status != 200 {
		t.Fatalf("enable: %d %s", a.status, a.body)
	}
	w.awaitStatus("inactive", 403)
	if a := w.call(request{method: "GET", target: "/v3/audit-log-webhook", token: w.ours.admin()}); !strings.Contains(a.body, `"enabled":true`) {
		t.Errorf("a webhook that fails stays enabled: %s", a.body)
	}

	answer.Store(http.StatusOK)
	if a := w.call(request{method: "DELETE", target: "/v3/audit-log-webhook", token: w.ours.admin()}); a.status != 204 {
		t.Fatalf("delete: %d", a.status)
	}
	if a := w.call(enable); a.status != 200 {
		t.Fatalf("enable again: %d %s", a.status, a.body)
	}
	w.awaitStatus("active", 200)
}

// backlogShape is what a status has beyond Konnect's: while there is a backlog,
// it tells of the oldest.
func backlogShape(got any) shape {
	s := shape{"backlog_events": "integer", "backlog_bytes": "integer", "backlog_estimated": "boolean", "sent_events": "integer", "failed_deliveries": "integer", "failed_deliveries_in_a_row": "integer", "lost_events": "integer", "set_aside_events": "integer"}
	ours, _ := got.(map[string]any)
	if ours["next_attempt_at"] != nil {
		s["next_attempt_at"], s["inactive_since"], s["last_failed_phase"] = "date-time", "date-time", "string"
	}
	if ours["backlog_events"] != float64(0) {
		s["backlog_oldest_at"], s["backlog_oldest_lost_at"] = "date-time", "date-time"
	}
	return s
}

// awaitStatus asks for the webhook's status until it is the wanted one.
func (w *world) awaitStatus(status string, code int) {
	w.tb.Helper()
	limit := time.After(30 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		a := send(w.tb, w.api, request{method: "GET", target: "/v3/audit-log-webhook/status", token: w.ours.admin()})
		var got map[string]any
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			w.tb.Fatal(err)
		}
		if got["webhook_status"] == status && got["last_response_code"] == float64(code) {
			want := shape{"webhook_status": "string", "webhook_enabled": "boolean", "last_attempt_at": "date-time",
				"last_response_code": "integer", "last_response_message": "string", "trailhook": backlogShape(got["trailhook"])}
			if m := misfit("the status", want, map[string]any(got)); m != "" {
				w.tb.Error(m)
			}
			if ours := got["trailhook"].(map[string]any); status == "inactive" && ours["backlog_events"] == float64(0) {
				w.tb.Error("an inactive webhook has no backlog")
			}
			if ours := got["trailhook"].(map[string]any); status == "inactive" && (ours["failed_deliveries_in_a_row"] == float64(0) || ours["last_failed_phase"] != "response") {
				w.tb.Errorf("an inactive webhook does not tell how it fails: %v", ours)
			}
			if diff := cmp.Diff(true, got["webhook_enabled"]); diff != "" {
				w.tb.Error(diff)
			}
			return
		}
		select {
		case <-again.C:
		case <-limit:
			w.tb.Fatalf("the status is %s, want %s after an answer of %d", a.body, status, code)
		}
	}
}
