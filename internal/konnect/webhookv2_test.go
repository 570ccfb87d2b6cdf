package konnect

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/registry"
)

// sendsTo says with what authorization the region's webhook sends, and where to.
func (w *world) sendsTo() (endpoint, authorization string) {
	w.tb.Helper()
	hook, err := w.registry.Webhook(registry.Scope{Region: "us", Organization: w.ours.id})
	if err != nil {
		w.tb.Fatal(err)
	}
	d, err := w.registry.Destination(w.ours.id, hook.DestinationID)
	if err != nil {
		w.tb.Fatal(err)
	}
	if authorization, err = w.registry.Authorization(d); err != nil {
		w.tb.Fatal(err)
	}
	return d.Endpoint, authorization
}

const v2webhook, v3webhook = "/v2/audit-log-webhook", "/v3/audit-log-webhook"

func unconfigured() map[string]any {
	return map[string]any{"endpoint": "unconfigured", "enabled": false, "log_format": "cef", "skip_ssl_verification": false, "updated_at": "0001-01-01T00:00:00Z"}
}

// What Kong's Terraform provider does.
func TestAnInlineWebhooksLife(t *testing.T) {
	w := newWorld(t)
	check := func(want map[string]any, got map[string]any) {
		t.Helper()
		if want["updated_at"] == nil {
			delete(got, "updated_at")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
	check(unconfigured(), w.ask("GET", v2webhook, "", 200))
	for _, cleanUp := range []string{`{"enabled":false}`, `{}`} {
		check(unconfigured(), w.ask("PATCH", v2webhook, cleanUp, 200))
	}
	w.ask("GET", v3webhook, "", 404)

	shown := map[string]any{"endpoint": "https://siem.example/in", "enabled": true, "log_format": "json", "skip_ssl_verification": true}
	check(shown, w.ask("PATCH", v2webhook, `{"authorization":"Splunk a","enabled":true,"endpoint":"https://siem.example/in","log_format":"json","skip_ssl_verification":true}`, 200))
	check(shown, w.ask("GET", v2webhook, "", 200))
	if _, authorization := w.sendsTo(); authorization != "Splunk a" {
		t.Errorf("authorization %q", authorization)
	}
	if hook := w.ask("GET", v3webhook, "", 200); hook["enabled"] != true {
		t.Errorf("version 3 shows %v", hook)
	}

	check(shown, w.ask("PATCH", v2webhook, `{}`, 200))
	shown["endpoint"] = "https://siem.example/out"
	check(shown, w.ask("PATCH", v2webhook, `{"endpoint":"https://siem.example/out"}`, 200))
	if endpoint, authorization := w.sendsTo(); authorization != "Splunk a" || endpoint != "https://siem.example/out" {
		t.Errorf("sends to %s with %q", endpoint, authorization)
	}
	if a := w.call(request{method: "DELETE", target: v2webhook, token: w.ours.admin()}); a.status != 405 || a.header.Get("Allow") != "GET, HEAD, PATCH" {
		t.Errorf("DELETE: %d, Allow %q", a.status, a.header.Get("Allow"))
	}

	// Destroyed, it keeps its endpoint; so it does in Konnect.
	shown["enabled"] = false
	check(shown, w.ask("PATCH", v2webhook, `{"enabled":false}`, 200))
	check(shown, w.ask("GET", v2webhook, "", 200))
	if page := w.destinationPage("/v3/audit-log-destinations"); len(page.Data) != 0 {
		t.Errorf("the endpoint of the webhook itself is listed: %+v", page.Data)
	}
	w.ask("DELETE", v3webhook, "", 204)
	check(unconfigured(), w.ask("GET", v2webhook, "", 200))
}

func TestInlineValuesNeverChangeASharedDestination(t *testing.T) {
	w := newWorld(t)
	shared := w.newDestination(w.ours, "shared")
	before := w.ask("GET", "/v3/audit-log-destinations/"+shared, "", 200)
	w.ask("PATCH", v3webhook, `{"audit_log_destination_id":"`+shared+`","enabled":true}`, 200)
	hook, err := w.registry.Webhook(registry.Scope{Region: "us", Organization: w.ours.id})
	if err != nil {
		t.Fatal(err)
	}
	got := w.ask("PATCH", v2webhook, `{"log_format":"cps"}`, 200)
	if got["endpoint"] != before["endpoint"] || got["log_format"] != "cps" || got["enabled"] != true {
		t.Errorf("it does not begin with the values of the destination: %v", got)
	}
	if endpoint, authorization := w.sendsTo(); endpoint != before["endpoint"] || authorization != "key" {
		t.Errorf("sends to %s with %q", endpoint, authorization)
	}
	if diff := cmp.Diff(before, w.ask("GET", "/v3/audit-log-destinations/"+shared, "", 200)); diff != "" {
		t.Errorf("the shared destination (-before +after):\n%s", diff)
	}
	if after, _ := w.registry.Webhook(registry.Scope{Region: "us", Organization: w.ours.id}); after.ID != hook.ID || after.EnabledAfter != hook.EnabledAfter {
		t.Errorf("it is another webhook: %+v, was %+v", after, hook)
	}
	w.ask("DELETE", "/v3/audit-log-destinations/"+shared, "", 204)
}

func TestAnInlineEndpointBelongsToItsWebhookAlone(t *testing.T) {
	w := newWorld(t)
	w.ask("PATCH", v2webhook, `{"endpoint":"https://siem.example/in","enabled":true}`, 200)
	id := w.ask("GET", v3webhook, "", 200)["audit_log_destination_id"].(string)
	hidden := "/v3/audit-log-destinations/" + id
	w.ask("GET", hidden, "", 404)
	w.ask("PATCH", hidden, `{"name":"n"}`, 404)
	w.ask("DELETE", hidden, "", 404)
	name := `{"audit_log_destination_id":"` + id + `","enabled":true}`
	w.ask("PATCH", v3webhook, name, 200) // as it was read
	a := w.call(request{method: "PATCH", target: v3webhook, host: "eu.api.trailhook.example", token: w.ours.admin(), body: name})
	if p := a.problem(t); a.status != 400 || p.InvalidParameters[0].Rule != "missing_reference" {
		t.Errorf("from another region: %d %s", a.status, a.body)
	}

	listed := w.newDestination(w.ours, "listed")
	w.ask("PATCH", v3webhook, `{"audit_log_destination_id":"`+listed+`"}`, 200)
	if got := w.ask("GET", v2webhook, "", 200); got["endpoint"] != "https://siem.example/logs" || got["enabled"] != true {
		t.Errorf("version 2 after version 3 named another: %v", got)
	}
	if _, err := w.registry.Destination(w.ours.id, id); err == nil {
		t.Error("the inline endpoint is kept when nothing refers to it")
	}
	w.ask("PATCH", v3webhook, name, 400)
}

// The calls of kongctl's listen and of its end, in their order and to the hosts
// that it sends them to.
func TestWhatKongctlDoesFindsOneStateUnderBothVersions(t *testing.T) {
	w := newWorld(t)
	const global, regional = "global.api.konghq.com", "eu.api.konghq.com"
	do := func(method, host, target, body string, status int) answered {
		t.Helper()
		a := send(t, w.api, request{method: method, host: host, target: target, token: w.ours.admin(), body: body})
		if a.status != status {
			t.Fatalf("%s %s%s: %d %s", method, host, target, a.status, a.body)
		}
		return a
	}
	for range 2 {
		if a := do("GET", regional, v2webhook, "", 200); !strings.Contains(a.body, `"endpoint":"unconfigured","enabled":false`) {
			t.Fatalf("it would refuse to begin: %s", a.body)
		}
		do("POST", global, "/v3/audit-log-destinations", `{"name":"kongctl","endpoint":"https://siem.example/","log_format":"json","skip_ssl_verification":false,"authorization":"Bearer x"}`, 201)
		list := w.destinationPage("/v3/audit-log-destinations")
		id := list.Data[0].ID
		do("PATCH", regional, v3webhook, `{"audit_log_destination_id":"`+id+`","enabled":true}`, 200)
		if a := do("GET", regional, v2webhook, "", 200); !strings.Contains(a.body, `"endpoint":"https://siem.example/","enabled":true,"log_format":"json"`) {
			t.Errorf("version 2 of what version 3 set up: %s", a.body)
		}
		do("PATCH", regional, v2webhook, `{"enabled":false}`, 200)
		if a := do("DELETE", regional, "/v2/audit-log-destinations/"+id, "", 409); !strings.Contains(a.body, "destination is in use") {
			t.Errorf("the words it looks for are missing: %s", a.body)
		}
		do("DELETE", regional, v3webhook, "", 204)
		do("DELETE", regional, "/v2/audit-log-destinations/"+id, "", 204)
	}
}

func TestEventsAreDeliveredToAnInlineEndpoint(t *testing.T) {
	w := newWorld(t)
	delivered := make(chan string, 100)
	siem := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case delivered <- r.URL.Path + " " + r.Header.Get("Authorization"):
		default:
		}
	}))
	defer siem.Close()
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.delivery.Run(running) }()
	defer func() { stop(); <-ended }()

	w.ask("PATCH", v2webhook, `{"endpoint":"`+siem.URL+`/one","authorization":"Splunk a","skip_ssl_verification":true,"enabled":true}`, 200)
	await(t, delivered, "/one Splunk a")
	w.ask("PATCH", v2webhook, `{"endpoint":"`+siem.URL+`/two"}`, 200)
	await(t, delivered, "/two Splunk a")
	w.awaitStatus("active", 200)
}

// await waits for the wanted value among those that come.
func await(t *testing.T, values <-chan string, want string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case got := <-values:
			if got == want {
				return
			}
		case <-limit:
			t.Fatalf("%q did not come", want)
		}
	}
}
