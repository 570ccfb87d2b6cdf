package konnect

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

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
