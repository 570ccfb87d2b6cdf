package konnect

import (
	"context"
	"encoding/json"
	"fmt"
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

const replayPath = "/v3/audit-log-replay-job"

// replayBody asks for the events between two moments, by how long ago they were.
func replayBody(start, end time.Duration) string {
	now := time.Now()
	return fmt.Sprintf(`{"start_at":%q,"end_at":%q}`, now.Add(-start).Format(time.RFC3339Nano), now.Add(-end).Format(time.RFC3339Nano))
}

// enableWebhook sets our webhook up at the endpoint, in region us.
func (w *world) enableWebhook(endpoint string) {
	w.tb.Helper()
	d, err := w.registry.CreateDestination(w.tb.Context(), registry.Destination{
		OrgID: w.ours.id, Name: "replayed to", Endpoint: endpoint, LogFormat: audit.CEF, SkipSSLVerification: true,
	}, "key")
	if err != nil {
		w.tb.Fatal(err)
	}
	a := w.call(request{method: "PATCH", target: "/v3/audit-log-webhook", token: w.ours.admin(),
		body: `{"audit_log_destination_id":"` + d.ID + `","enabled":true}`})
	if a.status != 200 {
		w.tb.Fatalf("enable the webhook: %d %s", a.status, a.body)
	}
}

func (w *world) replayJob() map[string]any {
	w.tb.Helper()
	a := send(w.tb, w.api, request{method: "GET", target: replayPath, token: w.ours.admin()})
	var job map[string]any
	if err := json.Unmarshal([]byte(a.body), &job); err != nil || a.status != 200 {
		w.tb.Fatalf("the replay job: %d %s", a.status, a.body)
	}
	return job
}

func TestAReplayJobIsAcceptedOnceAndShownUnderBothVersions(t *testing.T) {
	w := newWorld(t)
	w.enableWebhook("https://siem.example/logs")
	for _, target := range []string{replayPath, "/v2/audit-log-replay-job"} {
		if a := w.call(request{method: "GET", target: target, token: w.ours.admin()}); a.status != 200 || strings.TrimSpace(a.body) != `{"status":"unconfigured"}` {
			t.Errorf("GET %s before any job: %d %s", target, a.status, a.body)
		}
	}
	accepted := shape{"start_at": "date-time", "end_at": "date-time", "status": "string", "updated_at": "date-time", "trailhook": shape{"events_sent": "integer", "events_refused": "integer"}}
	a := w.call(request{method: "PUT", target: "/v2/audit-log-replay-job", token: w.ours.admin(), body: replayBody(2*time.Hour, time.Hour)})
	var job map[string]any
	if err := json.Unmarshal([]byte(a.body), &job); err != nil || a.status != http.StatusAccepted || job["status"] != "accepted" {
		t.Fatalf("PUT: %d %s", a.status, a.body)
	}
	if m := misfit("the job", accepted, job); m != "" {
		t.Error(m)
	}
	if m := misfit("the job as it is shown", accepted, any(w.replayJob())); m != "" {
		t.Error(m)
	}
	second := w.call(request{method: "PUT", target: replayPath, token: w.ours.admin(), body: replayBody(2*time.Hour, time.Hour)})
	if p := second.problem(t); second.status != http.StatusConflict || p.Detail != "A replay job is currently running" {
		t.Errorf("a second job: %d %s", second.status, second.body)
	}
	// Another region's and another organization's are others.
	for _, q := range []request{
		{host: "eu.api.trailhook.example", token: w.ours.admin()},
		{token: w.theirs.admin()},
	} {
		q.method, q.target = "GET", replayPath
		if a := w.call(q); strings.TrimSpace(a.body) != `{"status":"unconfigured"}` {
			t.Errorf("%s at %q: %s", q, q.host, a.body)
		}
	}
}

func TestAReplayJobThatCannotBeSaysWhichValueIsWrong(t *testing.T) {
	w := newWorld(t)
	const day = 24 * time.Hour
	hour := replayBody(time.Hour, 0)
	refused := func(body, field, rule string) {
		t.Helper()
		a := w.call(request{method: "PUT", target: replayPath, token: w.ours.admin(), body: body})
		p := a.problem(t)
		if a.status != http.StatusBadRequest || len(p.InvalidParameters) == 0 || p.InvalidParameters[0].Field != field || p.InvalidParameters[0].Rule != rule {
			t.Errorf("PUT %s: %d %s; want %s of %s", body, a.status, a.body, rule, field)
		}
	}
	refused(hour, "audit_log_webhook", "missing_reference")
	w.enableWebhook("https://siem.example/logs")
	for _, test := range []struct{ body, field, rule string }{
		{`{}`, "end_at", "required"},
		{`{"start_at":"yesterday","end_at":"2026-01-01T00:00:00Z"}`, "start_at", "is_date_time"},
		{`{"start_at":5,"end_at":"2026-01-01T00:00:00Z"}`, "start_at", "is_string"},
		{strings.TrimSuffix(hour, "}") + `,"speed":"fast"}`, "speed", "unknown_property"},
		{replayBody(time.Hour, 2*time.Hour), "end_at", "min"},
		{replayBody(8*day, time.Hour), "start_at", "min"},
		{replayBody(9*day, 8*day), "start_at", "min"},
		{replayBody(time.Hour, -time.Hour), "end_at", "max"},
		{`{"start_at":"0000-01-01T00:00:00Z","end_at":"9999-12-31T23:59:59Z"}`, "start_at", "min"},
	} {
		refused(test.body, test.field, test.rule)
	}
	a := w.call(request{method: "PATCH", target: "/v3/audit-log-webhook", token: w.ours.admin(), body: `{"enabled":false}`})
	if a.status != 200 {
		t.Fatalf("disable: %d", a.status)
	}
	refused(hour, "audit_log_webhook", "missing_reference")
	if job := w.replayJob(); job["status"] != "unconfigured" {
		t.Errorf("after nothing but refusals: %v", job)
	}
}

func TestAReplayJobTellsHowFarItIsAndWhyItFailed(t *testing.T) {
	w := newWorld(t)
	var answer atomic.Int32
	answer.Store(http.StatusOK)
	siem := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(answer.Load())) }))
	defer siem.Close()
	w.enableWebhook(siem.URL)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.delivery.Run(running) }()
	defer func() { stop(); <-ended }()

	replay := func(want string) map[string]any {
		t.Helper()
		a := w.call(request{method: "PUT", target: replayPath, token: w.ours.admin(), body: replayBody(time.Hour, 0)})
		if a.status != http.StatusAccepted {
			t.Fatalf("PUT: %d %s", a.status, a.body)
		}
		limit := time.After(time.Minute)
		for {
			changed := w.registry.ReplayJobsChanged()
			job := w.replayJob()
			if job["status"] == want {
				return job
			}
			select {
			case <-changed:
			case <-limit:
				t.Fatalf("still %v, want %s", job, want)
			}
		}
	}
	details := shape{"events_sent": "integer", "events_refused": "integer", "events_total": "integer", "started_at": "date-time", "running_at": "date-time", "ended_at": "date-time"}
	whole := shape{"start_at": "date-time", "end_at": "date-time", "status": "string", "updated_at": "date-time", "trailhook": details}
	job := replay("completed")
	if told := job["trailhook"].(map[string]any); !isKind("date-time", told["running_at"]) || told["events_per_second"].(float64) <= 0 {
		t.Errorf("a completed job tells %v", told)
	} else {
		delete(told, "events_per_second") // which is no integer
	}
	if m := misfit("a completed job", whole, any(job)); m != "" {
		t.Error(m)
	}
	if told := job["trailhook"].(map[string]any); told["events_sent"] != told["events_total"] || told["events_sent"] == 0.0 {
		t.Errorf("a completed job tells %v", told)
	}

	answer.Store(http.StatusForbidden)
	job = replay("failed")
	details["failure_reason"] = "string"
	if m := misfit("a failed job", whole, any(job)); m != "" {
		t.Error(m)
	}
	if told := job["trailhook"].(map[string]any); told["failure_reason"] != "the endpoint answered 403 Forbidden" || told["events_sent"] != 0.0 {
		t.Errorf("a failed job tells %v", told)
	}
}

func TestAReplayJobTellsHowFastItIsAndWhenItWillHaveEnded(t *testing.T) {
	now := time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC)
	running := registry.ReplayJob{Status: registry.ReplayRunning, RunningAt: now.Add(-10 * time.Second), Events: 1000, Sent: 190, Refused: 10}
	counted, over := running, running
	counted.Sent, counted.Refused = 0, 0
	over.Status, over.UpdatedAt, over.Sent = registry.ReplayCompleted, now.Add(-time.Second), 890
	for _, test := range []struct {
		name        string
		job         registry.ReplayJob
		rate        float64   // 0: none
		ends, ended time.Time // zero: none
	}{
		{"accepted", registry.ReplayJob{Status: registry.ReplayAccepted}, 0, time.Time{}, time.Time{}},
		{"nothing sent yet", counted, 0, time.Time{}, time.Time{}},
		{"running", running, 20, now.Add(40 * time.Second), time.Time{}},
		{"completed", over, 100, time.Time{}, over.UpdatedAt},
	} {
		d := &replayDetails{}
		d.progress(test.job, now)
		want := &replayDetails{EventsPerSecond: unlessZero(test.rate), EndsAt: unlessZero(test.ends), EndedAt: unlessZero(test.ended)}
		if diff := cmp.Diff(want, d); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}
