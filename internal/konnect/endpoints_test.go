package konnect

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// unused is an id that no object has.
const unused = "00000000-0000-4000-8000-000000000000"

const newDestinationBody = `{"name":"SIEM","endpoint":"https://siem.example/logs","authorization":"key","log_format":"cef"}`

// shape is the properties that an object has, all of them and no others, each
// with a shape, a list of one shape, or the name of a kind of value.
type shape map[string]any

var (
	destinationShape = shape{
		"id": "uuid", "name": "string", "endpoint": "url", "log_format": "string",
		"skip_ssl_verification": "boolean", "created_at": "date-time", "updated_at": "date-time",
	}
	controlPlaneShape = shape{
		"id": "uuid", "name": "string", "description": "string", "labels": shape{"env": "string"},
		"config": shape{
			"control_plane_endpoint": "url", "telemetry_endpoint": "url", "cluster_type": "string", "auth_type": "string",
			"cloud_gateway": "boolean", "proxy_urls": []any{shape{"host": "string", "port": "integer", "protocol": "string"}},
		},
		"created_at": "date-time", "updated_at": "date-time",
	}
	webhookShape       = shape{"audit_log_destination_id": "uuid", "enabled": "boolean"}
	inlineWebhookShape = shape{
		"endpoint": "string", "enabled": "boolean", "log_format": "string", "skip_ssl_verification": "boolean", "updated_at": "date-time",
	}
	authenticationShape = shape{
		"type": "string", "successful": "boolean", "principal_id": "uuid", "signature": "string", "org_id": "uuid", "outcome": "string",
		"authentication_type": "string", "ts": "date-time", "client_ip": "string", "uri": "path", "user_agent": "string", "trace_id": "string",
	}
	authorizationShape = shape{
		"type": "string", "signature": "string", "service": "string", "resource": "string", "action": "string", "granted": "boolean",
		"org_id": "uuid", "ts": "date-time", "principal_id": "uuid", "client_ip": "string", "uri": "path", "trace_id": "string",
	}
	accessShape = shape{
		"type": "string", "ts": "date-time", "org_id": "uuid", "principal_id": "uuid", "actor_id": "string", "client_ip": "string",
		"trace_id": "string", "user_agent": "string", "method": "string", "uri": "path", "query": "string", "status_code": "integer", "signature": "string",
	}
)

// pulledShape is a first page of the pull API, of one kind of entries.
func pulledShape(entry shape) shape {
	page := shape{"first": "path", "last": "path", "next": "path", "previous": "null", "size": "integer"}
	return shape{"data": []any{entry}, "meta": shape{"page": page}}
}

// misfit says where a JSON value is not of the shape; "" when it is.
func misfit(at string, want, got any) string {
	switch want := want.(type) {
	case shape:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %T, want an object", at, got)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(object))); diff != "" {
			return fmt.Sprintf("properties of %s (-want +got):\n%s", at, diff)
		}
		for name := range want {
			if m := misfit(at+"."+name, want[name], object[name]); m != "" {
				return m
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) == 0 {
			return fmt.Sprintf("%s is %v, want a list that is not empty", at, got)
		}
		for i, item := range list {
			if m := misfit(fmt.Sprintf("%s[%d]", at, i), want[0], item); m != "" {
				return m
			}
		}
		return ""
	}
	if !isKind(want.(string), got) {
		return fmt.Sprintf("%s is %#v, want a value of the kind %s", at, got, want)
	}
	return ""
}

func isKind(kind string, value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(float64)
	var err error
	switch kind {
	case "string":
		return isText
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "integer":
		return isNumber && number == math.Trunc(number)
	case "null":
		return value == nil
	case "list":
		_, ok := value.([]any)
		return ok
	case "uuid":
		_, err = uuid.Parse(text)
	case "date-time":
		_, err = time.Parse(time.RFC3339, text)
	case "url", "path":
		var u *url.URL
		u, err = url.Parse(text)
		return err == nil && u.IsAbs() == (kind == "url") && u.Path+u.Host != ""
	}
	return isText && err == nil
}

func TestAnswersHaveTheShapesOfKonnects(t *testing.T) {
	w := newWorld(t)
	destination, other, third := w.newDestination(w.ours, "kept"), w.newDestination(w.ours, "other"), w.newDestination(w.ours, "third")
	cp := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(),
		body: `{"name":"full","labels":{"env":"test"},"proxy_urls":[{"host":"h","port":8443,"protocol":"https"}]}`})
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(cp.body), &made); err != nil || made.ID == "" {
		t.Fatalf("create a control plane: %d %s", cp.status, cp.body)
	}
	numbered := shape{"page": shape{"number": "integer", "size": "integer", "total": "integer"}}
	cursor := shape{"first": "path", "last": "path", "next": "path", "previous": "null", "size": "integer"}
	full := `{"name":"again","description":"d","cluster_type":"CLUSTER_TYPE_SERVERLESS","auth_type":"pki_client_certs",` +
		`"cloud_gateway":true,"labels":{"env":"test"},"proxy_urls":[{"host":"h","port":1,"protocol":"http"}]}`
	for _, test := range []struct {
		request
		status int
		shape  any // nil: no body
	}{
		{request{method: "POST", target: "/v3/audit-log-destinations", body: newDestinationBody}, 201, destinationShape},
		{request{method: "GET", target: "/v3/audit-log-destinations?page[size]=1"}, 200, shape{"data": []any{destinationShape}, "meta": cursor}},
		{request{method: "GET", target: "/v3/audit-log-destinations/" + destination}, 200, destinationShape},
		{request{method: "PATCH", target: "/v3/audit-log-destinations/" + destination, body: `{"log_format":"json"}`}, 200, destinationShape},
		{request{method: "GET", target: "/v3/audit-log-destinations?filter[name][contains]=e&page[size]=1"}, 200, shape{"data": []any{destinationShape}, "meta": cursor}},
		{request{method: "DELETE", target: "/v3/audit-log-destinations/" + other}, 204, nil},
		{request{method: "POST", target: "/v2/audit-log-destinations", body: newDestinationBody}, 201, destinationShape},
		{request{method: "GET", target: "/v2/audit-log-destinations?page[size]=1"}, 200, shape{"data": []any{destinationShape}, "meta": cursor}},
		{request{method: "GET", target: "/v2/audit-log-destinations/" + destination}, 200, destinationShape},
		{request{method: "PATCH", target: "/v2/audit-log-destinations/" + destination, body: newDestinationBody}, 200, destinationShape},
		{request{method: "DELETE", target: "/v2/audit-log-destinations/" + third}, 204, nil},
		{request{method: "GET", target: "/v2/audit-log-webhook"}, 200, inlineWebhookShape},
		{request{method: "PATCH", target: "/v2/audit-log-webhook", body: `{"enabled":false}`}, 200, inlineWebhookShape},
		{request{method: "GET", target: "/v2/audit-log-webhook/status"}, 200, shape{"webhook_status": "string", "webhook_enabled": "boolean"}},
		{request{method: "GET", target: "/v3/audit-logs?filter[type]=authentication&page[size]=1"}, 200, pulledShape(authenticationShape)},
		{request{method: "GET", target: "/v2/audit-logs?filter[type]=authorization&page[size]=1"}, 200, pulledShape(authorizationShape)},
		{request{method: "GET", target: "/v3/audit-logs?filter[type]=gateway_access&page[size]=1"}, 200, pulledShape(accessShape)},
		{request{method: "GET", target: "/v3/audit-log-webhook/status"}, 200, shape{"webhook_status": "string", "webhook_enabled": "boolean"}},
		{request{method: "PATCH", target: "/v3/audit-log-webhook", body: `{"audit_log_destination_id":"` + destination + `","enabled":true}`}, 200, webhookShape},
		{request{method: "GET", target: "/v3/audit-log-webhook"}, 200, webhookShape},
		{request{method: "DELETE", target: "/v3/audit-log-webhook"}, 204, nil},
		{request{method: "GET", target: "/v2/audit-log-webhook/jwks.json"}, 200, jwksShape},
		{request{method: "GET", target: "/v3/audit-log-webhook/jwks.json"}, 200, jwksShape},
		{request{method: "GET", target: "/v2/control-planes"}, 200, shape{"data": []any{controlPlaneShape}, "meta": numbered}},
		{request{method: "POST", target: "/v2/control-planes", body: full}, 201, controlPlaneShape},
		{request{method: "GET", target: "/v2/control-planes/" + made.ID}, 200, controlPlaneShape},
		{request{method: "PATCH", target: "/v2/control-planes/" + made.ID, body: `{"description":"d"}`}, 200, controlPlaneShape},
		{request{method: "DELETE", target: "/v2/control-planes/" + made.ID}, 204, nil},
	} {
		test.token = w.ours.admin()
		a := w.call(test.request)
		if a.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.request, a.status, test.status, a.body)
			continue
		}
		if test.shape == nil {
			if a.body != "" {
				t.Errorf("%s: a body with status %d: %s", test.request, a.status, a.body)
			}
			continue
		}
		var got any
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Errorf("%s: %v", test.request, err)
		}
		if m := misfit("the answer", test.shape, got); m != "" {
			t.Errorf("%s: %s", test.request, m)
		}
		if got := a.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type %q", test.request, got)
		}
	}
}

var jwksShape = shape{"keys": []any{shape{"kty": "string", "alg": "string", "kid": "string", "crv": "string", "x": "string"}}}

func TestADestinationNotYetUpdatedSaysSoAsKonnectDoes(t *testing.T) {
	w := newWorld(t)
	a := w.call(request{method: "POST", target: "/v3/audit-log-destinations", token: w.ours.admin(), body: newDestinationBody})
	if !strings.Contains(a.body, `"updated_at":"0001-01-01T00:00:00Z"`) || !strings.Contains(a.body, `"skip_ssl_verification":false`) {
		t.Errorf("created: %s", a.body)
	}
}

func TestWhatAControlPlaneIsNotToldHasKonnectsDefaults(t *testing.T) {
	w := newWorld(t)
	a := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(), body: `{"name":"n"}`})
	var got controlPlane
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Config.ClusterType != "CLUSTER_TYPE_CONTROL_PLANE" || got.Config.AuthType != "pinned_client_certs" || got.Config.CloudGateway {
		t.Errorf("config: %+v", got.Config)
	}
	if !strings.Contains(a.body, `"labels":{}`) || !strings.Contains(a.body, `"proxy_urls":[]`) {
		t.Errorf("what is empty must not be null: %s", a.body)
	}
}

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
