package konnect

import (
	"encoding/json"
	"testing"
)

func TestTheBacklogOfAWebhookIsToldToWhoMayReadTheWebhook(t *testing.T) {
	w := newWorld(t)
	q := request{method: "GET", target: backlogPath, token: w.ours.admin()}
	if a := w.call(q); a.status != 404 {
		t.Fatalf("unconfigured: %d %s", a.status, a.body)
	}
	w.enableWebhook("https://siem.example/logs")
	a := w.call(q)
	var got any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if m := misfit("the backlog", shape{"complete": "boolean", "recent": "list", "minutes": "list"}, got); m != "" {
		t.Error(m)
	}
	if got.(map[string]any)["complete"] != true {
		t.Error("the only process does not know the backlog")
	}
	if len(a.events) != 2 || a.events[1].Resource != "audit-logs/webhook/backlog" || a.events[1].Action != "retrieve" {
		t.Errorf("recorded: %+v", a.events)
	}
	q.token = w.ours.nobody
	if a := w.call(q); a.status != 403 {
		t.Errorf("without a role: %d", a.status)
	}
	q.token = w.theirs.admin()
	if a := w.call(q); a.status != 404 {
		t.Errorf("theirs: %d", a.status)
	}
}
