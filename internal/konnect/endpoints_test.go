package konnect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// unused is an id that no object has.
const unused = "00000000-0000-4000-8000-000000000000"

const newDestinationBody = `{"name":"SIEM","endpoint":"https://siem.example/logs","authorization":"key","log_format":"cef"}`

// endpoints are all that need a token, each with a request that nobody's
// permission keeps from failing: none of them changes anything.
var endpoints = []struct {
	request
	action, resource string
	status           int // of who may
}{
	{request{method: "GET", target: "/v3/audit-log-destinations"}, "list", "audit-logs/destinations", 200},
	{request{method: "POST", target: "/v3/audit-log-destinations", body: `{}`}, "create", "audit-logs/destinations", 400},
	{request{method: "GET", target: "/v3/audit-log-destinations/" + unused}, "retrieve", "audit-logs/destinations/" + unused, 404},
	{request{method: "DELETE", target: "/v3/audit-log-destinations/" + unused}, "delete", "audit-logs/destinations/" + unused, 404},
	{request{method: "PATCH", target: "/v3/audit-log-destinations/" + unused, body: `{}`}, "edit", "audit-logs/destinations/" + unused, 404},
	{request{method: "GET", target: "/v2/audit-log-destinations"}, "list", "audit-logs/destinations", 200},
	{request{method: "POST", target: "/v2/audit-log-destinations", body: `{}`}, "create", "audit-logs/destinations", 400},
	{request{method: "GET", target: "/v2/audit-log-destinations/" + unused}, "retrieve", "audit-logs/destinations/" + unused, 404},
	{request{method: "PATCH", target: "/v2/audit-log-destinations/" + unused, body: `{}`}, "edit", "audit-logs/destinations/" + unused, 404},
	{request{method: "DELETE", target: "/v2/audit-log-destinations/" + unused}, "delete", "audit-logs/destinations/" + unused, 404},
	{request{method: "GET", target: "/v2/audit-log-webhook"}, "retrieve", "audit-logs/webhook", 200},
	{request{method: "PATCH", target: "/v2/audit-log-webhook", body: `{"enabled":true}`}, "edit", "audit-logs/webhook", 400},
	{request{method: "GET", target: "/v2/audit-log-webhook/status"}, "retrieve", "audit-logs/webhook/status", 200},
	{request{method: "GET", target: "/v3/audit-logs"}, "list", "audit-logs", 200},
	{request{method: "GET", target: "/v2/audit-logs"}, "list", "audit-logs", 200},
	{request{method: "POST", target: "/trailhook/v1/destinations/" + unused + "/test"}, "edit", "audit-logs/destinations/" + unused, 404},
	{request{method: "GET", target: "/v3/audit-log-webhook"}, "retrieve", "audit-logs/webhook", 404},
	{request{method: "PATCH", target: "/v3/audit-log-webhook", body: `{"enabled":true}`}, "edit", "audit-logs/webhook", 400},
	{request{method: "DELETE", target: "/v3/audit-log-webhook"}, "delete", "audit-logs/webhook", 404},
	{request{method: "GET", target: "/v3/audit-log-webhook/status"}, "retrieve", "audit-logs/webhook/status", 200},
	{request{method: "GET", target: "/trailhook/v1/audit-log-webhook/backlog"}, "retrieve", "audit-logs/webhook/backlog", 404},
	{request{method: "GET", target: "/v3/audit-log-replay-job"}, "retrieve", "audit-logs/replay-job", 200},
	{request{method: "PUT", target: "/v3/audit-log-replay-job", body: `{}`}, "edit", "audit-logs/replay-job", 400},
	{request{method: "GET", target: "/v2/audit-log-replay-job"}, "retrieve", "audit-logs/replay-job", 200},
	{request{method: "PUT", target: "/v2/audit-log-replay-job", body: `{}`}, "edit", "audit-logs/replay-job", 400},
	{request{method: "GET", target: "/trailhook/v1/set-aside"}, "list", "audit-logs/set-aside", 200},
	{request{method: "GET", target: "/trailhook/v1/set-aside/1"}, "retrieve", "audit-logs/set-aside/1", 404},
	{request{method: "DELETE", target: "/trailhook/v1/set-aside/1"}, "delete", "audit-logs/set-aside/1", 404},
	{request{method: "POST", target: "/trailhook/v1/set-aside/1/resend"}, "edit", "audit-logs/set-aside/1", 404},
	{request{method: "POST", target: "/trailhook/v1/set-aside/resend"}, "edit", "audit-logs/set-aside", 409},
	{request{method: "GET", target: "/v2/control-planes"}, "list", "control-planes", 200},
	{request{method: "POST", target: "/v2/control-planes", body: `{}`}, "create", "control-planes", 400},
	{request{method: "GET", target: "/v2/control-planes/" + unused}, "retrieve", "control-planes/" + unused, 404},
	{request{method: "PATCH", target: "/v2/control-planes/" + unused, body: `{}`}, "edit", "control-planes/" + unused, 404},
	{request{method: "DELETE", target: "/v2/control-planes/" + unused}, "delete", "control-planes/" + unused, 404},
	{request{method: "GET", target: "/v3/portals"}, "list", "portals", 200},
	{request{method: "POST", target: "/v3/portals", body: `{}`}, "create", "portals", 400},
	{request{method: "GET", target: "/v3/portals/" + unused}, "retrieve", "portals/" + unused, 404},
	{request{method: "PATCH", target: "/v3/portals/" + unused, body: `{}`}, "edit", "portals/" + unused, 404},
	{request{method: "DELETE", target: "/v3/portals/" + unused}, "delete", "portals/" + unused, 404},
	{request{method: "GET", target: "/v3/portals/" + unused + "/audit-log-webhook"}, "retrieve", "audit-logs/portals/" + unused + "/webhook", 404},
	{request{method: "PATCH", target: "/v3/portals/" + unused + "/audit-log-webhook", body: `{}`}, "edit", "audit-logs/portals/" + unused + "/webhook", 404},
	{request{method: "DELETE", target: "/v3/portals/" + unused + "/audit-log-webhook"}, "delete", "audit-logs/portals/" + unused + "/webhook", 404},
	{request{method: "GET", target: "/v3/portals/" + unused + "/audit-log-webhook/status"}, "retrieve", "audit-logs/portals/" + unused + "/webhook/status", 404},
	{request{method: "GET", target: "/trailhook/v1/portals/" + unused + "/audit-log-webhook/backlog"}, "retrieve", "audit-logs/portals/" + unused + "/webhook/backlog", 404},
	{request{method: "GET", target: "/v3/portals/" + unused + "/audit-log-replay-job"}, "retrieve", "audit-logs/portals/" + unused + "/replay-job", 404},
	{request{method: "PUT", target: "/v3/portals/" + unused + "/audit-log-replay-job", body: `{}`}, "edit", "audit-logs/portals/" + unused + "/replay-job", 400},
	{request{method: "GET", target: "/trailhook/v1/portals/" + unused + "/set-aside"}, "list", "audit-logs/portals/" + unused + "/set-aside", 404},
	{request{method: "GET", target: "/trailhook/v1/portals/" + unused + "/set-aside/1"}, "retrieve", "audit-logs/portals/" + unused + "/set-aside/1", 404},
	{request{method: "DELETE", target: "/trailhook/v1/portals/" + unused + "/set-aside/1"}, "delete", "audit-logs/portals/" + unused + "/set-aside/1", 404},
	{request{method: "POST", target: "/trailhook/v1/portals/" + unused + "/set-aside/1/resend"}, "edit", "audit-logs/portals/" + unused + "/set-aside/1", 404},
	{request{method: "POST", target: "/trailhook/v1/portals/" + unused + "/set-aside/resend"}, "edit", "audit-logs/portals/" + unused + "/set-aside", 404},
	{request{method: "GET", target: "/v3/portals/" + unused + "/developers"}, "list", "portals/" + unused + "/developers", 404},
	{request{method: "POST", target: "/v3/portals/" + unused + "/developers", body: `{}`}, "create", "portals/" + unused + "/developers", 400},
	{request{method: "GET", target: "/v3/portals/" + unused + "/developers/" + unused}, "retrieve", "portals/" + unused + "/developers/" + unused, 404},
	{request{method: "PATCH", target: "/v3/portals/" + unused + "/developers/" + unused, body: `{}`}, "edit", "portals/" + unused + "/developers/" + unused, 404},
	{request{method: "DELETE", target: "/v3/portals/" + unused + "/developers/" + unused}, "delete", "portals/" + unused + "/developers/" + unused, 404},
	{request{method: "GET", target: "/konnect-api/api/runtime_groups"}, "list", "control-planes", 200},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/services"}, "list", "control-planes/" + unused + "/core-entities/services", 404},
	{request{method: "POST", target: "/v2/control-planes/" + unused + "/core-entities/services", body: `{}`}, "create", "control-planes/" + unused + "/core-entities/services", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/routes/r"}, "retrieve", "control-planes/" + unused + "/core-entities/routes/r", 404},
	{request{method: "PUT", target: "/v2/control-planes/" + unused + "/core-entities/plugins/" + unused, body: `{}`}, "edit", "control-planes/" + unused + "/core-entities/plugins/" + unused, 404},
	{request{method: "PATCH", target: "/v2/control-planes/" + unused + "/core-entities/consumers/c", body: `{}`}, "edit", "control-planes/" + unused + "/core-entities/consumers/c", 404},
	{request{method: "DELETE", target: "/v2/control-planes/" + unused + "/core-entities/key-auths/" + unused}, "delete", "control-planes/" + unused + "/core-entities/key-auths/" + unused, 404},
	{request{method: "POST", target: "/v2/control-planes/" + unused + "/core-entities/consumers/c/key-auth", body: `{}`}, "create", "control-planes/" + unused + "/core-entities/consumers/c/key-auth", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/services/s/routes"}, "list", "control-planes/" + unused + "/core-entities/services/s/routes", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/tags"}, "list", "control-planes/" + unused + "/core-entities/tags", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/vaults"}, "list", "control-planes/" + unused + "/core-entities/vaults", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/schemas/plugins/cors"}, "retrieve", "control-planes/" + unused + "/core-entities/schemas", 404},
	{request{method: "GET", target: "/v2/control-planes/" + unused + "/core-entities/v1/schemas/json/service"}, "retrieve", "control-planes/" + unused + "/core-entities/schemas", 404},
	{request{method: "GET", target: "/trailhook/v1/control-planes/" + unused + "/configuration"}, "retrieve", "control-planes/" + unused + "/configuration", 404},
}

func TestARoleMayDoWhatItIsForAndNothingElse(t *testing.T) {
	w := newWorld(t)
	may := map[registry.Role]func(action, resource string) bool{
		registry.OrganizationAdmin: func(string, string) bool { return true },
		registry.AuditLogsAdmin:    func(_, resource string) bool { return strings.HasPrefix(resource, "audit-logs") },
		registry.AuditLogsViewer: func(action, resource string) bool {
			return strings.HasPrefix(resource, "audit-logs") && (action == "list" || action == "retrieve")
		},
		registry.ControlPlaneAdmin: func(_, resource string) bool { return strings.HasPrefix(resource, "control-planes") },
		registry.ControlPlaneViewer: func(action, resource string) bool {
			return strings.HasPrefix(resource, "control-planes") && (action == "list" || action == "retrieve")
		},
		"nobody": func(string, string) bool { return false },
	}
	for role, allowed := range may {
		for _, e := range endpoints {
			q := e.request
			q.token = w.ours.tokens[role]
			if role == "nobody" {
				q.token = w.ours.nobody
			}
			granted := allowed(e.action, e.resource)
			want := http.StatusForbidden
			if granted {
				want = e.status
			}
			a := w.call(q)
			if a.status != want {
				t.Errorf("%s: %s: status %d, want %d", role, q, a.status, want)
			}
			if a.status >= 400 {
				a.problem(t)
			}
			if len(a.events) < 2 {
				t.Fatalf("%s: %s: events %+v", role, q, a.events)
			}
			check := a.events[1]
			if check.Kind != audit.Authorization || check.Granted != granted || check.Action != e.action || check.Resource != e.resource {
				t.Errorf("%s: %s: the permission check was recorded as %+v", role, q, check.Event)
			}
		}
	}
}

func TestWhatIsAnothersIsAnsweredLikeWhatIsNot(t *testing.T) {
	w := newWorld(t)
	destination, cp := w.newDestination(w.theirs, "d"), w.newControlPlane(w.theirs, "cp")
	for _, test := range []struct{ method, before, id, after string }{
		{"GET", "/v2/audit-log-destinations/", destination, ""},
		{"PATCH", "/v3/audit-log-destinations/", destination, ""},
		{"PATCH", "/v2/audit-log-destinations/", destination, ""},
		{"DELETE", "/v2/audit-log-destinations/", destination, ""},
		{"PATCH", "/v2/control-planes/", cp, ""},
		{"POST", "/trailhook/v1/destinations/", destination, "/test"},
		{"GET", "/v3/audit-log-destinations/", destination, ""},
		{"DELETE", "/v3/audit-log-destinations/", destination, ""},
		{"GET", "/v2/control-planes/", cp, ""},
		{"DELETE", "/v2/control-planes/", cp, ""},
		{"GET", "/v2/control-planes/", cp, "/core-entities/services"},
		{"PATCH", "/v2/control-planes/", cp, "/core-entities/services/s"},
		{"DELETE", "/v2/control-planes/", cp, "/core-entities/services/s"},
		{"GET", "/trailhook/v1/control-planes/", cp, "/configuration"},
	} {
		ask := func(id string) Problem {
			q := request{method: test.method, target: test.before + id + test.after, token: w.ours.admin()}
			if test.method == "PATCH" {
				q.body = `{"name":"ours now"}`
			}
			a := w.call(q)
			if a.status != http.StatusNotFound {
				t.Errorf("%s %s%s: status %d", test.method, test.before, id, a.status)
			}
			p := a.problem(t)
			p.Instance = ""
			return p
		}
		for _, nothing := range []string{unused, "no-uuid", strings.ToUpper(test.id), "%2E%2E", "a%2Fb", "%00", "%FF"} {
			if diff := cmp.Diff(ask(nothing), ask(test.id)); diff != "" {
				t.Errorf("%s %s: the answer tells theirs from %q:\n%s", test.method, test.before, nothing, diff)
			}
		}
	}
	ask := func(id string) Problem {
		p := w.call(request{method: "PATCH", target: "/v3/audit-log-webhook", token: w.ours.admin(),
			body: `{"audit_log_destination_id":"` + id + `"}`}).problem(t)
		p.Instance = ""
		return p
	}
	if diff := cmp.Diff(ask(unused), ask(destination)); diff != "" {
		t.Errorf("a webhook to theirs is told from one to nothing:\n%s", diff)
	}
	for _, list := range []string{"/v3/audit-log-destinations", "/v2/audit-log-destinations", "/v2/control-planes"} {
		if a := w.call(request{method: "GET", target: list, token: w.ours.admin()}); !strings.Contains(a.body, `"data":[]`) {
			t.Errorf("our list shows theirs: %s", a.body)
		}
	}
	if d, err := w.registry.Destination(w.theirs.id, destination); err != nil || d.Name != "d" {
		t.Errorf("their destination: %q, %v", d.Name, err)
	}
	if theirs, err := w.registry.ControlPlane(w.theirs.id, "us", cp); err != nil || theirs.Name != "cp" {
		t.Errorf("their control plane: %q, %v", theirs.Name, err)
	}
}

func TestTwoControlPlanesOfOneNameConflict(t *testing.T) {
	w := newWorld(t)
	w.newControlPlane(w.ours, "taken")
	w.newControlPlane(w.theirs, "free")
	for name, want := range map[string]int{"taken": 409, "free": 201} {
		a := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(), body: `{"name":"` + name + `"}`})
		if a.status != want {
			t.Errorf("%s: status %d, want %d", name, a.status, want)
		}
		if a.status == 409 {
			a.problem(t)
		}
	}
}
