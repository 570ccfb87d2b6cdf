package konnect

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// step is one call of a client as it was recorded from the real program: the
// method, the host (G the global one, R a regional one) and the target. {name}
// stands for the id that an earlier step has saved under the name.
type step struct {
	call   string
	body   string
	status int
	save   string   // under which name the answer's id is kept
	want   []string // parts of the answer; with a ! before it, what must not be in it
}

// play makes a client's calls in their order.
func (w *world) play(t *testing.T, steps []step) {
	t.Helper()
	saved := map[string]string{"tomorrow": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339Nano)}
	fill := func(text string) string {
		for name, id := range saved {
			text = strings.ReplaceAll(text, "{"+name+"}", id)
		}
		return text
	}
	hosts := map[string]string{"G": "global.api.konghq.com", "R": "us.api.konghq.com"}
	for i, s := range steps {
		parts := strings.SplitN(fill(s.call), " ", 3)
		a := w.call(request{method: parts[0], host: hosts[parts[1]], target: parts[2], token: w.ours.admin(), body: fill(s.body)})
		if a.status != s.status {
			t.Fatalf("step %d, %s: %d %s", i+1, s.call, a.status, a.body)
		}
		if contentType := a.header.Get("Content-Type"); a.body != "" && a.status < 300 && contentType != "application/json" {
			t.Errorf("step %d, %s: Content-Type %s", i+1, s.call, contentType)
		}
		for _, want := range s.want {
			part, absent := strings.CutPrefix(fill(want), "!")
			if strings.Contains(a.body, part) == absent {
				t.Errorf("step %d, %s: want %s in %s", i+1, s.call, want, a.body)
			}
		}
		if s.save != "" {
			var object struct{ ID string }
			if err := json.Unmarshal([]byte(a.body), &object); err != nil || object.ID == "" {
				t.Fatalf("step %d, %s: no id in %s", i+1, s.call, a.body)
			}
			saved[s.save] = object.ID
		}
	}
}

// What kongctl sends for control planes, one block a command.
func TestWhatKongctlDoesWithControlPlanes(t *testing.T) {
	newWorld(t).play(t, []step{
		// apply -f cp.yaml
		{call: "GET R /v2/control-planes?page[number]=1&page[size]=100", status: 200, want: []string{`"data":[]`, `"total":0`}},
		{call: "POST R /v2/control-planes", status: 201, save: "cp",
			body: `{"cluster_type":"CLUSTER_TYPE_CONTROL_PLANE","description":"mine","labels":{"KONGCTL-namespace":"default","team":"a.b_c-1"},"name":"quickstart"}`},
		// diff -f cp.yaml: no changes if these come back as they were sent
		{call: "GET R /v2/control-planes?page[number]=1&page[size]=100", status: 200, want: []string{
			`"KONGCTL-namespace":"default"`, `"team":"a.b_c-1"`, `"description":"mine"`, `"cluster_type":"CLUSTER_TYPE_CONTROL_PLANE"`, `"total":1`,
		}},
		// get gateway control-planes, and one by its name
		{call: "GET R /v2/control-planes?page[number]=1&page[size]=10", status: 200, want: []string{`"{cp}"`}},
		{call: "GET R /v2/control-planes?filter[name][eq]=quickstart&page[number]=1&page[size]=10", status: 200, want: []string{`"{cp}"`}},
		{call: "GET R /v2/control-planes?filter[name][eq]=another&page[number]=1&page[size]=10", status: 200, want: []string{`"data":[]`}},
		// adopt control-plane
		{call: "GET R /v2/control-planes?filter[name][eq]=quickstart&page[number]=1&page[size]=1", status: 200, want: []string{`"{cp}"`}},
		{call: "GET R /v2/control-planes/{cp}", status: 200},
		{call: "PATCH R /v2/control-planes/{cp}", body: `{"labels":{"KONGCTL-namespace":"other"}}`, status: 200, want: []string{`"KONGCTL-namespace":"other"`}},
		// get audit-logs destinations and webhook, api get
		{call: "GET G /v3/audit-log-destinations", status: 200},
		{call: "GET R /v2/audit-log-webhook", status: 200, want: []string{`"endpoint":"unconfigured"`}},
		{call: "GET R /v2/audit-logs", status: 200, want: []string{`"type":"authorization"`}},
	})
}

// What kongctl sends for a portal with an audit_log_webhook.
func TestWhatKongctlDoesWithAPortal(t *testing.T) {
	newWorld(t).play(t, []step{
		{call: "POST G /v3/audit-log-destinations", status: 201, save: "destination",
			body: `{"authorization":"Bearer a","endpoint":"https://siem.example/","log_format":"json","name":"siem","skip_ssl_verification":false}`},
		// apply
		{call: "GET G /v3/audit-log-destinations", status: 200, want: []string{`"name":"siem"`, `"id":"{destination}"`, `"endpoint":"https://siem.example/"`}},
		{call: "GET R /v3/portals?page[number]=1&page[size]=100", status: 200, want: []string{`"data":[]`}},
		{call: "POST R /v3/portals", body: `{"name":"portal"}`, status: 201, save: "portal"},
		{call: "PATCH R /v3/portals/{portal}/audit-log-webhook", body: `{"enabled":true,"audit_log_destination_id":"{destination}"}`, status: 200},
		// diff: the parts of a portal that there are none of here
		{call: "GET R /v3/portals?page[number]=1&page[size]=100", status: 200, want: []string{`"{portal}"`}},
		{call: "GET R /v3/portals/{portal}/pages", status: 200, want: []string{`"data":[]`}},
		{call: "GET R /v3/portals/{portal}/snippets?page[number]=1&page[size]=100", status: 200, want: []string{`"data":[]`}},
		{call: "GET R /v3/portals/{portal}/ip-allow-list?page[size]=100", status: 200, want: []string{`"next":null`, `"previous":null`, `"size":`}},
		{call: "GET R /v3/portals/{portal}/identity-providers", status: 200, want: []string{`[]`}},
		{call: "GET R /v3/portals/{portal}/email-config", status: 404},
		{call: "GET R /v3/portals/{portal}/audit-log-webhook", status: 200, want: []string{`"enabled":true`, `"audit_log_destination_id":"{destination}"`}},
		{call: "GET R /v3/portals/{portal}/teams?page[number]=1&page[size]=100", status: 200, want: []string{`"data":[]`}},
		{call: "GET R /v3/portals/{portal}/custom-domain", status: 404},
		{call: "GET R /v3/portals/{portal}/audit-log-webhook/status", status: 200, want: []string{`"webhook_status":"active"`}},
		{call: "GET R /v3/portals/{portal}/audit-log-replay-job", status: 200, want: []string{`"status":"unconfigured"`}},
	})
}

// What Kong's Terraform provider sends: the same calls for apply, refresh,
// change, refresh and destroy, with the server that it is configured with.
func TestWhatTerraformDoes(t *testing.T) {
	for _, server := range []string{"G", "R"} {
		const destination = `"endpoint":"https://siem.example/a","log_format":"cef","name":"siem","skip_ssl_verification":false`
		newWorld(t).play(t, onServer(server, []step{
			// apply
			{call: "POST S /v2/audit-log-destinations", body: `{"authorization":"Bearer a",` + destination + `}`, status: 201, save: "destination"},
			{call: "PATCH S /v2/audit-log-webhook", status: 200, want: []string{`"enabled":true`, "!authorization"},
				body: `{"authorization":"Bearer b","enabled":true,"endpoint":"https://siem.example/b","log_format":"json","skip_ssl_verification":true}`},
			{call: "POST S /v2/control-planes", status: 201, save: "cp",
				body: `{"cluster_type":"CLUSTER_TYPE_CONTROL_PLANE","description":"","labels":{},"name":"cp"}`},
			{call: "POST G /v3/system-accounts", body: `{"description":"d","konnect_managed":null,"name":"a"}`, status: 201, save: "account", want: []string{"!konnect_managed"}},
			{call: "POST G /v3/system-accounts/{account}/access-tokens", body: `{"expires_at":"{tomorrow}","name":"t"}`, status: 201, save: "token", want: []string{`"token":"spat_`}},
			{call: "POST S /v3/portals", status: 201, save: "portal",
				body: `{"authentication_enabled":true,"auto_approve_applications":false,"auto_approve_developers":false,"default_api_visibility":"private","default_page_visibility":"private","description":"d","display_name":"Portal","labels":{"team":"a"},"name":"portal","rbac_enabled":false}`},
			{call: "PATCH S /v3/portals/{portal}/audit-log-webhook", body: `{"audit_log_destination_id":"{destination}","enabled":true}`, status: 200, want: []string{`"enabled":true`}},
			// refresh, of which a plan without a difference follows
			{call: "GET S /v2/audit-log-destinations/{destination}", status: 200, want: []string{
				`"endpoint":"https://siem.example/a"`, `"log_format":"cef"`, `"name":"siem"`, `"skip_ssl_verification":false`, "!authorization",
			}},
			{call: "GET S /v2/audit-log-webhook", status: 200, want: []string{
				`"endpoint":"https://siem.example/b"`, `"log_format":"json"`, `"skip_ssl_verification":true`, `"enabled":true`,
			}},
			{call: "GET S /v2/control-planes/{cp}", status: 200, want: []string{`"name":"cp"`, `"description":""`, `"labels":{}`}},
			{call: "GET G /v3/system-accounts/{account}", status: 200, want: []string{"!konnect_managed"}},
			{call: "GET G /v3/system-accounts/{account}/access-tokens/{token}", status: 200, want: []string{`"expires_at":"{tomorrow}"`}},
			{call: "GET S /v3/portals/{portal}", status: 200, want: []string{`"name":"portal"`, `"description":"d"`, `"team":"a"`, `"authentication_enabled":true`}},
			{call: "GET S /v3/portals/{portal}/audit-log-webhook", status: 200, want: []string{`"audit_log_destination_id":"{destination}"`, `"enabled":true`}},
			// change
			{call: "PATCH S /v2/audit-log-destinations/{destination}", status: 200, want: []string{`"name":"renamed"`},
				body: `{"authorization":"Bearer c","endpoint":"https://siem.example/c","log_format":"cps","name":"renamed","skip_ssl_verification":true}`},
			{call: "PATCH S /v2/audit-log-webhook", status: 200, want: []string{`"endpoint":"https://siem.example/d"`},
				body: `{"authorization":"Bearer d","enabled":true,"endpoint":"https://siem.example/d","log_format":"cef","skip_ssl_verification":false}`},
			// destroy: the webhook is not deleted, but disabled
			{call: "PATCH S /v2/audit-log-webhook", body: `{"enabled":false}`, status: 200, want: []string{`"enabled":false`, `"endpoint":"https://siem.example/d"`}},
			{call: "DELETE S /v2/audit-log-destinations/{destination}", status: 409, want: []string{"destination is in use"}},
			{call: "DELETE S /v3/portals/{portal}/audit-log-webhook", status: 204},
			{call: "DELETE S /v3/portals/{portal}?force=false", status: 204},
			{call: "DELETE S /v2/audit-log-destinations/{destination}", status: 204},
			{call: "DELETE S /v2/control-planes/{cp}", status: 204},
			{call: "DELETE G /v3/system-accounts/{account}/access-tokens/{token}", status: 204},
			{call: "DELETE G /v3/system-accounts/{account}", status: 204},
			// a refresh now: what is gone must be told as a problem, or it stays in the state
			{call: "GET S /v2/audit-log-destinations/{destination}", status: 404, want: []string{`"status":404`, `"title":"Not Found"`, `"instance":"kong:trace:`, `"detail":"`}},
			{call: "GET S /v2/control-planes/{cp}", status: 404, want: []string{`"detail":"`}},
		}))
	}
}

// onServer gives the calls the host that the provider is configured with.
func onServer(host string, steps []step) []step {
	for i := range steps {
		steps[i].call = strings.Replace(steps[i].call, " S ", " "+host+" ", 1)
	}
	return steps
}
