package konnect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAProblemSaysWhichValueBreaksWhichRule(t *testing.T) {
	w := newWorld(t)
	const destinations, webhooks, controlPlanes = "POST /v3/audit-log-destinations", "PATCH /v3/audit-log-webhook", "POST /v2/control-planes"
	destination := func(change string) string { // a good body with one property changed or added
		name, _, _ := strings.Cut(change, ":")
		body := []string{change}
		for _, property := range []string{`"name":"n"`, `"endpoint":"https://siem.example/"`, `"authorization":"key"`, `"log_format":"cef"`} {
			if !strings.HasPrefix(property, name+":") {
				body = append(body, property)
			}
		}
		return "{" + strings.Join(body, ",") + "}"
	}
	body := func(field, rule, reason string, choices ...string) InvalidParameter {
		return InvalidParameter{Field: field, Rule: rule, Reason: reason, Source: "body", Choices: choices}
	}
	query := func(field, rule, reason string) InvalidParameter {
		return InvalidParameter{Field: field, Rule: rule, Reason: reason, Source: "query"}
	}
	for _, test := range []struct {
		endpoint, body string
		want           []InvalidParameter
	}{
		{destinations, `{}`, []InvalidParameter{
			body("authorization", "required", "authorization is required"), body("endpoint", "required", "endpoint is required"),
			body("log_format", "required", "log_format is required"), body("name", "required", "name is required"),
		}},
		{destinations, destination(`"name":5`), []InvalidParameter{body("name", "is_string", "must be a string")}},
		{destinations, destination(`"name":null`), []InvalidParameter{body("name", "is_string", "must be a string")}},
		{destinations, destination(`"name":""`), []InvalidParameter{body("name", "min_length", "must not be shorter than 1 character(s)")}},
		{destinations, destination(`"name":" "`), []InvalidParameter{body("name", "required", "a destination needs a name")}},
		{destinations, destination(`"name":"` + strings.Repeat("ä", 257) + `"`), []InvalidParameter{body("name", "max_length", "must not be longer than 256 character(s)")}},
		{destinations, destination(`"authorization":"` + strings.Repeat("x", 8193) + `"`), []InvalidParameter{body("authorization", "max_length", "must not be longer than 8192 character(s)")}},
		{destinations, destination(`"authorization":"a\r\nb: c"`), []InvalidParameter{body("authorization", "invalid", "a header value holds no line breaks or other control characters")}},
		{destinations, destination(`"log_format":"xml"`), []InvalidParameter{body("log_format", "enum", "must be one of cef, json, cps", "cef", "json", "cps")}},
		{destinations, destination(`"skip_ssl_verification":"yes"`), []InvalidParameter{body("skip_ssl_verification", "is_boolean", "must be a boolean")}},
		{destinations, destination(`"endpoint":"http://siem.example/"`), []InvalidParameter{body("endpoint", "invalid", "endpoint must be https (start with --allow-private-destinations to allow http)")}},
		{destinations, destination(`"color":"red"`), []InvalidParameter{body("color", "unknown_property", "there is no such property")}},
		{destinations, destination(`"NAME":"n"`), []InvalidParameter{body("NAME", "unknown_property", "there is no such property")}},
		{destinations, destination(`"name":"n","name":"m"`), []InvalidParameter{body("body", "invalid", `the property "name" is given twice`)}},
		{webhooks, `{"audit_log_destination_id":"five"}`, []InvalidParameter{body("audit_log_destination_id", "is_uuid", "must be a UUID")}},
		{webhooks, `{"audit_log_destination_id":""}`, []InvalidParameter{body("audit_log_destination_id", "is_uuid", "must be a UUID")}},
		{webhooks, `{"audit_log_destination_id":"` + unused + `"}`, []InvalidParameter{body("audit_log_destination_id", "missing_reference", "there is no such audit-log destination")}},
		{webhooks, `{"enabled":1}`, []InvalidParameter{body("enabled", "is_boolean", "must be a boolean")}},
		{webhooks, `{"enabled":true}`, []InvalidParameter{body("audit_log_destination_id", "required", "a webhook needs a destination before it is enabled")}},
		{controlPlanes, `[]`, []InvalidParameter{body("body", "is_object", "must be an object")}},
		{controlPlanes, `{"name":"n","labels":[]}`, []InvalidParameter{body("labels", "is_object", "must be an object")}},
		{controlPlanes, `{"name":"n","labels":{"a":5}}`, []InvalidParameter{body("labels.a", "is_string", "must be a string")}},
		{controlPlanes, `{"name":"n","labels":{"a":""}}`, []InvalidParameter{body("labels.a", "is_label", "a label's value has 1 to 63 of the characters a-z A-Z 0-9 - . _ and begins and ends with a letter or a digit")}},
		{controlPlanes, `{"name":"n","labels":{"_a":"b"}}`, []InvalidParameter{body("labels._a", "is_label", "a label's name has 1 to 63 of the characters a-z A-Z 0-9 - . _ and begins and ends with a letter or a digit")}},
		{controlPlanes, `{"name":"n","labels":{` + strings.Repeat(`"a":"b",`, 2) + `"c":"d"}}`, []InvalidParameter{body("body", "invalid", `the property "a" is given twice`)}},
		{controlPlanes, `{"name":"n","cluster_type":"BIG"}`, []InvalidParameter{body("cluster_type", "enum", "must be one of "+strings.Join(clusterTypes, ", "), clusterTypes...)}},
		{controlPlanes, `{"name":"n","proxy_urls":{}}`, []InvalidParameter{body("proxy_urls", "is_array", "must be an array")}},
		{controlPlanes, `{"name":"n","proxy_urls":[{"host":"h","port":1}]}`, []InvalidParameter{body("proxy_urls[0].protocol", "required", "protocol is required")}},
		{controlPlanes, `{"name":"n","proxy_urls":[{"host":"h","port":"1","protocol":"p"}]}`, []InvalidParameter{body("proxy_urls[0].port", "is_integer", "must be an integer")}},
		{controlPlanes, `{"name":"n","proxy_urls":[{"host":"h","port":1.5,"protocol":"p"}]}`, []InvalidParameter{body("proxy_urls[0].port", "is_integer", "must be an integer")}},
		{controlPlanes, `{"name":"n","proxy_urls":[{"host":"h","port":0,"protocol":"p"}]}`, []InvalidParameter{body("proxy_urls[0].port", "min", "must be at least 1")}},
		{controlPlanes, `{"name":"n","proxy_urls":[{"host":"h","port":65536,"protocol":"p"}]}`, []InvalidParameter{body("proxy_urls[0].port", "max", "must be at most 65535")}},
		{controlPlanes, `{"name":"n","proxy_urls":[` + strings.Repeat(`{"host":"h","port":1,"protocol":"p"},`, 100) + `{"host":"h","port":1,"protocol":"p"}]}`,
			[]InvalidParameter{body("proxy_urls", "max_items", "must not have more than 100 item(s)")}},
		{"GET /v3/audit-log-destinations?page[size]=0", "", []InvalidParameter{{Field: "page[size]", Rule: "min", Reason: "must be at least 1", Source: "query"}}},
		{"GET /v3/audit-log-destinations?page[size]=1001", "", []InvalidParameter{{Field: "page[size]", Rule: "max", Reason: "must be at most 1000", Source: "query"}}},
		{"GET /v2/control-planes?page%5Bsize%5D=ten", "", []InvalidParameter{{Field: "page[size]", Rule: "is_integer", Reason: "must be an integer", Source: "query"}}},
		{"GET /v2/control-planes?page[number]=0&page[size]=-1", "", []InvalidParameter{
			{Field: "page[size]", Rule: "min", Reason: "must be at least 1", Source: "query"},
			{Field: "page[number]", Rule: "min", Reason: "must be at least 1", Source: "query"},
		}},
		{"GET /v3/audit-log-destinations?page[after]=nowhere", "", []InvalidParameter{{Field: "page[after]", Rule: "invalid", Source: "query",
			Reason: "the cursor is not one of this list: its item may be gone; begin again at the first page"}}},
		{"GET /v2/control-planes?filter[name][like]=x&filter[color]=red&filter=x&page[weight]=1&verbose=1", "", []InvalidParameter{
			query("filter", "unknown_property", "there is no such parameter"), query("filter[color]", "unknown_property", "there is no such parameter"),
			query("filter[name][like]", "unknown_property", "there is no such parameter"), query("page[weight]", "unknown_property", "there is no such parameter"),
		}},
		{"GET /v3/audit-log-destinations?filter[name][eq]=a&filter%5Bname%5D%5Beq%5D=b", "", []InvalidParameter{query("filter[name][eq]", "invalid", "must not be given more than once")}},
		{"GET /v2/audit-log-destinations?filter[name][contains]=", "", []InvalidParameter{query("filter[name][contains]", "required", "must not be empty")}},
		{"GET /v2/audit-log-destinations?page[size]=1&page[size]=1", "", []InvalidParameter{query("page[size]", "invalid", "must not be given more than once")}},
		{"GET /v2/audit-log-destinations?%zz", "", []InvalidParameter{query("query", "invalid", "the query is not well-formed")}},
		{"GET /v3/audit-log-destinations?page[after]=ZW5k&page[before]=ZW5k", "", []InvalidParameter{query("page[before]", "invalid", "must not be given together with page[after]")}},
		{"GET /v2/control-planes?filter[cloud_gateway]=maybe", "", []InvalidParameter{
			{Field: "filter[cloud_gateway]", Rule: "enum", Reason: "must be one of true, false", Source: "query", Choices: []string{"true", "false"}}}},
		{"GET /v2/control-planes?labels=a:b,,c&sort=name%20desc,size", "", []InvalidParameter{
			query("labels", "invalid", "must be names of labels, each with or without :value, separated by commas"),
			{Field: "sort", Rule: "enum", Reason: "must be one of name, created_at, updated_at", Source: "query", Choices: []string{"name", "created_at", "updated_at"}},
		}},
		{"GET /v2/control-planes?sort=name+down", "", []InvalidParameter{query("sort", "invalid", "desc or asc may follow what to sort by, and nothing else")}},
		{"GET /v3/audit-logs?filter[ts][gte]=yesterday&filter[type]=all&page[size]=1001", "", []InvalidParameter{
			query("page[size]", "max", "must be at most 1000"), query("filter[ts][gte]", "is_date_time", "must be a time as in RFC 3339"),
			{Field: "filter[type]", Rule: "enum", Reason: "must be one of authorization, authentication, gateway_access", Source: "query",
				Choices: []string{"authorization", "authentication", "gateway_access"}},
		}},
		{"GET /v3/audit-logs?filter[ts][gt]=2026-01-02T03:04:05Z", "", []InvalidParameter{query("filter[ts][gt]", "unknown_property", "there is no such parameter")}},
		{"GET /v2/audit-logs?page[after]=nowhere", "", []InvalidParameter{query("page[after]", "invalid", "the cursor is not one that a page gave; begin again at the first page")}},
		{"GET /v2/audit-logs?page[after]=MC4w", "", []InvalidParameter{query("page[after]", "invalid", "the cursor is not one that a page gave; begin again at the first page")}},
		{"GET /v2/audit-logs?page[after]=MS4x&page[before]=MS4x", "", []InvalidParameter{query("page[before]", "invalid", "must not be given together with page[after]")}},
		{"PATCH /v2/audit-log-webhook", `{"enabled":true}`, []InvalidParameter{body("endpoint", "required", "a webhook needs an endpoint before it is enabled")}},
		{"PATCH /v2/audit-log-webhook", `{"log_format":"json"}`, []InvalidParameter{body("endpoint", "required", "a webhook needs an endpoint")}},
		{"PATCH /v2/audit-log-webhook", `{"endpoint":"unconfigured"}`, []InvalidParameter{body("endpoint", "invalid", "endpoint must be an absolute URL that begins with https://")}},
		{"PATCH /v2/audit-log-webhook", `{"audit_log_destination_id":"` + unused + `"}`, []InvalidParameter{body("audit_log_destination_id", "unknown_property", "there is no such property")}},
		{"PATCH /v2/audit-log-webhook", `{"enabled":"yes","log_format":"xml"}`, []InvalidParameter{
			body("enabled", "is_boolean", "must be a boolean"), body("log_format", "enum", "must be one of cef, json, cps", "cef", "json", "cps")}},
		{"GET /v3/audit-log-destinations?page[before]=!", "", []InvalidParameter{{Field: "page[before]", Rule: "invalid", Source: "query",
			Reason: "the cursor is not one of this list: its item may be gone; begin again at the first page"}}},
	} {
		method, target, _ := strings.Cut(test.endpoint, " ")
		a := w.call(request{method: method, target: target, token: w.ours.admin(), body: test.body})
		if a.status != http.StatusBadRequest {
			t.Errorf("%s %.200s: status %d: %s", test.endpoint, test.body, a.status, a.body)
			continue
		}
		p := a.problem(t)
		if diff := cmp.Diff(test.want, p.InvalidParameters); diff != "" || p.Detail != "Invalid Parameters" {
			t.Errorf("%s %.200s: detail %q, invalid_parameters (-want +got):\n%s", test.endpoint, test.body, p.Detail, diff)
		}
	}
	if n := len(w.registry.Destinations(w.ours.id)) + len(w.registry.ControlPlanes(w.ours.id, "us")); n != 0 {
		t.Errorf("%d objects were made of requests that were refused", n)
	}
}

var clusterTypes = []string{
	"CLUSTER_TYPE_CONTROL_PLANE", "CLUSTER_TYPE_K8S_INGRESS_CONTROLLER", "CLUSTER_TYPE_CONTROL_PLANE_GROUP",
	"CLUSTER_TYPE_SERVERLESS", "CLUSTER_TYPE_KAFKA_NATIVE_EVENT_PROXY", "CLUSTER_TYPE_SERVERLESS_V1",
}

func TestABodyThatIsNotOneJSONObjectIsRefused(t *testing.T) {
	w := newWorld(t)
	large := `{"name":"` + strings.Repeat("x", maxBody-len(`{"name":""}`)) + `"}`
	for _, test := range []struct {
		name, body, contentType string
		rule, source            string
	}{
		{"empty", "", "application/json", "invalid", "body"},
		{"white space", " \n", "application/json", "invalid", "body"},
		{"two values", `{"name":"a"}{"name":"b"}`, "application/json", "invalid", "body"},
		{"two values, one on each line", "{\"name\":\"a\"}\n{\"name\":\"b\"}\n", "application/json", "invalid", "body"},
		{"cut", `{"name":"a"`, "application/json", "invalid", "body"},
		{"no JSON", `name=a`, "application/json", "invalid", "body"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "application/json", "invalid", "body"},
		{"a number out of all range", `{"name":1e999}`, "application/json", "invalid", "body"},
		{"nested without end", strings.Repeat("[", 20_000), "application/json", "invalid", "body"},
		{"null", `null`, "application/json", "is_object", "body"},
		{"one byte too large", large + " ", "application/json", "max_length", "body"},
		{"of the largest size, its name too long", large, "application/json", "max_length", "body"},
		{"a form", `{"name":"a"}`, "application/x-www-form-urlencoded", "invalid", "header"},
		{"text", `{"name":"a"}`, "text/plain", "invalid", "header"},
		{"a type that is none", `{"name":"a"}`, ";;+", "invalid", "header"},
	} {
		a := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(), body: test.body,
			header: http.Header{"Content-Type": {test.contentType}}})
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %.300s", test.name, a.status, a.body)
			continue
		}
		p := a.problem(t)
		if len(p.InvalidParameters) != 1 || p.InvalidParameters[0].Rule != test.rule || p.InvalidParameters[0].Source != test.source {
			t.Errorf("%s: %+v", test.name, p.InvalidParameters)
		}
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON", "application/json ;charset=utf-8", ""} {
		a := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(),
			body: `{"name":"of type ` + contentType + `"}`, header: http.Header{"Content-Type": {contentType}}})
		if a.status != http.StatusCreated {
			t.Errorf("%q: status %d: %s", contentType, a.status, a.body)
		}
	}
}

func TestAnAddressThatIsNotServedNeedsATokenToo(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		request
		status int
		allow  string
	}{
		{request{method: "PUT", target: "/v2/control-planes"}, 405, "GET, HEAD, POST"},
		{request{method: "POST", target: "/v2/control-planes/" + unused}, 405, "DELETE, GET, HEAD, PATCH"},
		{request{method: "POST", target: "/v3/audit-log-webhook"}, 405, "DELETE, GET, HEAD, PATCH"},
		{request{method: "POST", target: "/v3/audit-log-webhook/jwks.json"}, 405, "GET, HEAD"},
		{request{method: "get", target: "/v2/control-planes"}, 405, "GET, HEAD, POST"},
		{request{method: "OPTIONS", target: "/v3/audit-log-webhook/status"}, 405, "GET, HEAD"},
		{request{method: "GET", target: "/"}, 404, ""},
		{request{method: "GET", target: "/v2"}, 404, ""},
		{request{method: "GET", target: "/v2/control-planes/"}, 404, ""},
		{request{method: "GET", target: "/v2/control-planes/a/b"}, 404, ""},
		{request{method: "GET", target: "//v2/control-planes"}, 404, ""},
		{request{method: "GET", target: "/v2/./control-planes"}, 404, ""},
		{request{method: "POST", target: "/v2/x/../control-planes", body: `{"name":"n"}`}, 404, ""},
		{request{method: "GET", target: "/v3//audit-log-webhook/jwks.json"}, 404, ""},
		{request{method: "GET", target: "/V2/control-planes"}, 404, ""},
		{request{method: "POST", target: "/openapi.json"}, 405, "GET, HEAD"},
		{request{method: "GET", target: "/openapi-3.0.json"}, 404, ""},
		{request{method: "GET", target: "/docs/"}, 404, ""},
		{request{method: "GET", target: "/schemas/x.json"}, 404, ""},
	} {
		a := w.call(test.request)
		if a.status != http.StatusUnauthorized {
			t.Errorf("%s without a token: status %d", test.request, a.status)
			continue
		}
		a.problem(t)
		test.token = w.ours.nobody
		a = w.call(test.request)
		if a.status != test.status || a.header.Get("Allow") != test.allow {
			t.Errorf("%s: status %d, Allow %q; want %d, %q", test.request, a.status, a.header.Get("Allow"), test.status, test.allow)
		}
		if a.status >= 400 {
			a.problem(t)
		}
	}
}

func TestNoAnswerRepeatsAnAuthorization(t *testing.T) {
	w := newWorld(t)
	const secret = "5317008642"
	for _, body := range []string{
		`{"name":"n","endpoint":"https://siem.example/","log_format":"cef","authorization":"Splunk ` + secret + `"}`,
		`{"name":"n","endpoint":"https://siem.example/","log_format":"xml","authorization":"` + secret + `"}`,
		`{"name":"n","endpoint":"ftp://siem.example/","log_format":"cef","authorization":"` + secret + `"}`,
		`{"name":"n","endpoint":"https://u:` + secret + `@siem.example/","log_format":"cef","authorization":"` + secret + `"}`,
		`{"name":"n","endpoint":"https://siem.example:` + secret + `/","log_format":"cef","authorization":"` + secret + `"}`,
		`{"authorization":"` + secret + `"}`,
		`{"authorization":` + secret + `}`,
		`{"authorization":` + secret + `e999}`,
		`{"authorization":["` + secret + `"]}`,
		`{"authorization":"` + secret + `\r\n","name":"n","endpoint":"https://siem.example/","log_format":"cef"}`,
		`{"authorization":"` + secret + strings.Repeat("x", 9000) + `","name":"n","endpoint":"https://siem.example/","log_format":"cef"}`,
		`{"authorization":"` + secret + `","authorization":"` + secret + `"}`,
		`{"authorization":"` + secret + `","x":1}`,
		`{"authorization":"` + secret,
		`{"authorization":"` + secret + `"}}`,
		secret,
		`"` + secret + `"`,
	} {
		a := w.call(request{method: "POST", target: "/v3/audit-log-destinations", token: w.ours.admin(), body: body})
		if strings.Contains(a.body, secret) {
			t.Errorf("%s: the answer repeats it: %s", body, a.body)
		}
		for _, target := range []string{"/v2/audit-log-webhook", "/v3/audit-log-destinations/" + unused} {
			if a := w.call(request{method: "PATCH", target: target, token: w.ours.admin(), body: body}); strings.Contains(a.body, secret) {
				t.Errorf("PATCH %s %s: the answer repeats it: %s", target, body, a.body)
			}
		}
		for _, contentType := range []string{"text/plain", "text/" + secret} {
			a = w.call(request{method: "POST", target: "/v3/audit-log-destinations", token: w.ours.admin(), body: body,
				header: http.Header{"Content-Type": {contentType}}})
			if strings.Contains(a.body, secret) {
				t.Errorf("%s as %s: the answer repeats it: %s", body, contentType, a.body)
			}
		}
	}
	made := w.registry.Destinations(w.ours.id)
	if len(made) != 1 {
		t.Fatalf("%d destinations were made, want the one of the good body", len(made))
	}
	for _, target := range []string{"/v3/audit-log-destinations", "/v3/audit-log-destinations/" + made[0].ID} {
		if a := w.call(request{method: "GET", target: target, token: w.ours.admin()}); a.status != 200 || strings.Contains(a.body, secret) || strings.Contains(a.body, "authorization") {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if value, err := w.registry.Authorization(made[0]); err != nil || value != "Splunk "+secret {
		t.Errorf("kept for delivery: %q, %v", value, err)
	}
}
