package konnect

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestACallLeavesItsEventsAndNoOthers(t *testing.T) {
	w := newWorld(t)
	destination, cp := w.newDestination(w.ours, "d"), w.newControlPlane(w.ours, "cp")
	for _, test := range []struct {
		request
		want string // the kinds, with the status of the access
	}{
		{request{method: "GET", target: "/v2/control-planes"}, "authentication authorization"},
		{request{method: "HEAD", target: "/v2/control-planes"}, "authentication authorization"},
		{request{method: "GET", target: "/v2/control-planes/" + cp}, "authentication authorization"},
		{request{method: "GET", target: "/v2/control-planes/" + unused}, "authentication authorization"},
		{request{method: "GET", target: "/v2/control-planes?page[size]=x"}, "authentication authorization"},
		{request{method: "POST", target: "/v2/control-planes", body: `{"name":"new"}`}, "authentication authorization access:201"},
		{request{method: "POST", target: "/v2/control-planes", body: `{"name":"new"}`}, "authentication authorization access:409"},
		{request{method: "POST", target: "/v2/control-planes", body: `{`}, "authentication authorization access:400"},
		{request{method: "DELETE", target: "/v2/control-planes/" + cp}, "authentication authorization access:204"},
		{request{method: "DELETE", target: "/v2/control-planes/" + cp}, "authentication authorization access:404"},
		{request{method: "POST", target: "/v3/audit-log-destinations", body: newDestinationBody}, "authentication authorization access:201"},
		{request{method: "PATCH", target: "/v3/audit-log-webhook", body: `{"audit_log_destination_id":"` + destination + `"}`}, "authentication authorization access:200"},
		{request{method: "GET", target: "/v3/audit-log-webhook"}, "authentication authorization"},
		{request{method: "GET", target: "/v3/audit-log-webhook/status"}, "authentication authorization"},
		{request{method: "PUT", target: "/v3/audit-log-replay-job", body: `{}`}, "authentication authorization access:400"},
		{request{method: "GET", target: "/v3/audit-log-replay-job"}, "authentication authorization"},
		{request{method: "DELETE", target: "/v3/audit-log-destinations/" + destination}, "authentication authorization access:409"},
		{request{method: "DELETE", target: "/v3/audit-log-webhook"}, "authentication authorization access:204"},
		{request{method: "POST", target: "/v2/control-planes", token: w.ours.nobody}, "authentication authorization access:403"},
		{request{method: "GET", target: "/v2/control-planes", token: w.ours.nobody}, "authentication authorization"},
		{request{method: "POST", target: "/v2/control-planes", token: "kpat_bad"}, "authentication access:401"},
		{request{method: "POST", target: "/v2/control-planes", token: w.ours.expired}, "authentication access:401"},
		{request{method: "GET", target: "/v2/control-planes", token: "kpat_bad"}, "authentication"},
		{request{method: "PUT", target: "/v2/control-planes"}, "authentication access:405"},
		{request{method: "OPTIONS", target: "/v2/control-planes"}, "authentication"},
		{request{method: "GET", target: "/v9/nothing"}, "authentication"},
		{request{method: "DELETE", target: "/v9/nothing"}, "authentication access:404"},
		{request{method: "DELETE", target: "/v9/nothing", token: "kpat_bad"}, "authentication access:401"},
		{request{method: "GET", target: "/v2/audit-log-webhook/jwks.json"}, ""},
		{request{method: "GET", target: "/v3/audit-log-webhook/jwks.json"}, ""},
		{request{method: "GET", target: "/v3/audit-log-webhook/jwks.json", token: "kpat_bad"}, ""},
	} {
		if test.token == "" {
			test.token = w.ours.admin()
		}
		a := w.call(test.request)
		var got []string
		for _, e := range a.events {
			kind := e.Kind.String()
			if e.Kind == audit.Access {
				kind = fmt.Sprintf("%s:%d", kind, e.Status)
				if e.Status != a.status {
					t.Errorf("%s: answered %d, recorded %d", test.request, a.status, e.Status)
				}
			}
			got = append(got, kind)
		}
		if events := strings.Join(got, " "); events != test.want {
			t.Errorf("%s: %q, want %q (status %d)", test.request, events, test.want, a.status)
		}
	}
}

func TestTheEventsOfACallSayAllOfIt(t *testing.T) {
	w := newWorld(t)
	role := registry.ControlPlaneAdmin
	q := request{
		method: "POST", target: "/v2/control-planes?a=b%20c&d", token: w.ours.tokens[role], body: `{"name":"n"}`,
		header: http.Header{"User-Agent": {"curl/8 | x=1"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Request-Id": {"1"}},
	}
	begun := time.Now().Truncate(time.Millisecond)
	a := w.call(q)
	if a.status != http.StatusCreated || len(a.events) != 3 {
		t.Fatalf("status %d, %d events", a.status, len(a.events))
	}
	shared := audit.Event{
		Product: audit.ProductKonnect, Source: "192.0.2.1", OrgID: w.ours.id, PrincipalID: w.ours.users[role].ID,
		TraceID: a.events[0].TraceID, UserAgent: "curl/8 | x=1",
	}
	authentication, authorization, access := shared, shared, shared
	authentication.Kind, authentication.AuthType, authentication.Outcome = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess
	authentication.Request = "/v2/control-planes"
	authorization.Kind, authorization.Service, authorization.Resource = audit.Authorization, "konnect", "control-planes"
	authorization.Action, authorization.Granted, authorization.Request = "create", true, "/v2/control-planes"
	access.Kind, access.Request, access.Method, access.Status, access.Query = audit.Access, "/v2/control-planes", "POST", 201, "a=b%20c&d"
	got := make([]audit.Event, len(a.events))
	for i, e := range a.events {
		got[i] = e.Event
		if e.Time.Before(begun) || e.Time.After(time.Now()) {
			t.Errorf("the %s happened at %v, the call began at %v", e.Kind, e.Time, begun)
		}
		if e.region != "us" || e.organization != w.ours.id {
			t.Errorf("the %s is kept for %s in %s", e.Kind, e.organization, e.region)
		}
	}
	if diff := cmp.Diff([]audit.Event{authentication, authorization, access}, got, cmpopts.IgnoreFields(audit.Event{}, "Time", "Stamp")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(got, func(a, b audit.Event) int { return a.Time.Compare(b.Time) }) {
		t.Error("the events are not in the order of their times")
	}
}

func TestTheUseOfAnUnknownTokenIsKeptForNobody(t *testing.T) {
	w := newWorld(t)
	a := w.call(request{method: "GET", target: "/v2/control-planes", host: "eu.api.trailhook.example", token: "kpat_bad"})
	if len(a.events) != 1 || a.events[0].organization != "-" || a.events[0].region != "eu" {
		t.Errorf("events: %+v", a.events)
	}
}

func TestARegionHasItsOwnWebhookAndControlPlanesAndEvents(t *testing.T) {
	w := newWorld(t)
	destination := w.newDestination(w.ours, "everywhere")
	const us, eu, global = "us.api.trailhook.example", "eu.api.trailhook.example:8443", "global.api.trailhook.example"
	call := func(host, method, target, body string, status int) answered {
		t.Helper()
		a := w.call(request{method: method, target: target, host: host, token: w.ours.admin(), body: body})
		if a.status != status {
			t.Errorf("%s %s on %q: status %d, want %d", method, target, host, a.status, status)
		}
		for _, e := range a.events {
			if want, _, _ := strings.Cut(strings.Replace(host, "global", "us", 1), "."); e.region != want && host != "" || host == "" && e.region != "us" {
				t.Errorf("%s %s on %q: recorded in %s", method, target, host, e.region)
			}
		}
		return a
	}
	enable := `{"audit_log_destination_id":"` + destination + `","enabled":true}`
	call(eu, "PATCH", "/v3/audit-log-webhook", enable, 200)
	call(eu, "GET", "/v3/audit-log-webhook", "", 200)
	call(us, "GET", "/v3/audit-log-webhook", "", 404)
	call(global, "GET", "/v3/audit-log-webhook", "", 404)
	call("", "GET", "/v3/audit-log-webhook", "", 404)
	call(global, "PATCH", "/v3/audit-log-webhook", enable, 200) // the global host is the server's own region
	call(us, "GET", "/v3/audit-log-webhook", "", 200)
	call(us, "DELETE", "/v3/audit-log-webhook", "", 204)
	call(eu, "GET", "/v3/audit-log-webhook", "", 200)

	call(eu, "POST", "/v2/control-planes", `{"name":"n"}`, 201)
	call(us, "POST", "/v2/control-planes", `{"name":"n"}`, 201)
	inEU := w.registry.ControlPlanes(w.ours.id, "eu")
	if len(inEU) != 1 {
		t.Fatalf("%d control planes in eu", len(inEU))
	}
	call(eu, "GET", "/v2/control-planes/"+inEU[0].ID, "", 200)
	call(us, "GET", "/v2/control-planes/"+inEU[0].ID, "", 404)
	call(us, "DELETE", "/v2/control-planes/"+inEU[0].ID, "", 404)
	if list := call(us, "GET", "/v2/control-planes", "", 200); strings.Contains(list.body, inEU[0].ID) || !strings.Contains(list.body, `"total":1`) {
		t.Errorf("the list of us: %s", list.body)
	}
	for _, host := range []string{us, eu, global, ""} { // destinations belong to the whole organization
		call(host, "GET", "/v3/audit-log-destinations/"+destination, "", 200)
	}
}
