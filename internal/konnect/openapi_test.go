package konnect

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// undocumented says in what an answer differs from what the OpenAPI document
// tells of the operation that was asked; "" when it does not. Where there is no
// operation, the document has nothing to say.
func (a *API) undocumented(r *http.Request, got answered) string {
	_, pattern := a.mux.Handler(r)
	method, path, _ := strings.Cut(pattern, " ")
	op := operationOf(a.huma.OpenAPI(), method, path)
	if address := r.URL.EscapedPath(); op == nil || address != pathpkg.Clean(address) {
		return ""
	}
	response := op.Responses[strconv.Itoa(got.status)]
	if response == nil {
		return fmt.Sprintf("status %d of %s is not documented: %.300s", got.status, op.OperationID, got.body)
	}
	for name := range response.Headers {
		if optional := name != "X-Request-Id" && name != "Retry-After"; got.header.Get(name) == "" && !optional {
			return fmt.Sprintf("status %d of %s lacks the header %s", got.status, op.OperationID, name)
		}
	}
	if len(response.Content) == 0 {
		if got.body != "" {
			return fmt.Sprintf("the body of status %d of %s is not documented: %.300s", got.status, op.OperationID, got.body)
		}
		return ""
	}
	contentType, _, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
	content := response.Content[contentType]
	if content == nil {
		return fmt.Sprintf("the Content-Type %q of status %d of %s is not documented", contentType, got.status, op.OperationID)
	}
	if wrong := misfits(a.huma.OpenAPI().Components.Schemas, content.Schema, got.body); wrong != "" {
		return fmt.Sprintf("status %d of %s: %s\n%.1000s", got.status, op.OperationID, wrong, got.body)
	}
	return ""
}

func operationOf(document *huma.OpenAPI, method, path string) *huma.Operation {
	item := document.Paths[path]
	if item == nil {
		return nil
	}
	for _, op := range operationsOf(item) {
		if op.Method == method {
			return op
		}
	}
	return nil
}

// misfits says why a JSON text is not of the schema; "" when it is.
func misfits(schemas huma.Registry, schema *huma.Schema, text string) string {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return "the body is not JSON: " + err.Error()
	}
	var result huma.ValidateResult
	huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, &result)
	var wrong []string
	for _, err := range result.Errors {
		wrong = append(wrong, err.Error())
	}
	return strings.Join(wrong, "; ")
}

func TestTheCheckAgainstTheDocumentFindsWhatIsNotDocumented(t *testing.T) {
	w := newWorld(t)
	q := request{method: "GET", target: "/v3/audit-log-webhook/status", token: w.ours.admin()}
	good := w.call(q)
	for name, spoil := range map[string]func(*answered){
		"a property more":       func(a *answered) { a.body = `{"color":"red",` + a.body[1:] },
		"a property less":       func(a *answered) { a.body = `{"webhook_status":"active"}` },
		"another type":          func(a *answered) { a.body = strings.Replace(a.body, "false", `"no"`, 1) },
		"a value of no enum":    func(a *answered) { a.body = strings.Replace(a.body, "unconfigured", "sleeping", 1) },
		"no JSON":               func(a *answered) { a.body = "<html>" },
		"another status":        func(a *answered) { a.status = 418 },
		"a success that is not": func(a *answered) { a.status = 404 },
		"another content type":  func(a *answered) { a.header = http.Header{"X-Request-Id": {"1"}, "Content-Type": {"text/html"}} },
		"no request id":         func(a *answered) { a.header = http.Header{"Content-Type": {"application/json"}} },
	} {
		bad := good
		spoil(&bad)
		if w.api.undocumented(q.build(t), bad) == "" {
			t.Errorf("%s is not found: %+v", name, bad)
		}
	}
}

func TestEveryEndpointIsInTheDocument(t *testing.T) {
	w := newWorld(t)
	for _, e := range endpoints {
		_, pattern := w.api.mux.Handler(e.request.build(t))
		method, path, _ := strings.Cut(pattern, " ")
		op := operationOf(w.api.huma.OpenAPI(), method, path)
		if op == nil {
			t.Errorf("%s: not documented", e.request)
			continue
		}
		if permission, _ := op.Extensions[permissionMember].(string); len(op.Security) != 1 || op.Summary == "" || len(op.Tags) != 1 || permission == "" {
			t.Errorf("%s: security %v, summary %q, tags %v, permission %q", e.request, op.Security, op.Summary, op.Tags, permission)
		}
		for _, status := range []string{"401", "403", "429", "500", "503"} {
			if r := op.Responses[status]; r == nil || r.Description == "" || r.Content["application/problem+json"] == nil {
				t.Errorf("%s: status %s: %+v", e.request, status, r)
			}
		}
		if op.Responses["422"] != nil || op.Responses["default"] != nil {
			t.Errorf("%s: has answers that the API does not give", e.request)
		}
	}
}

func TestTheDocumentIsServedToAnybodyAndLeavesNoEvents(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]struct{ contentType, holds string }{
		"/openapi.json": {"application/json", `"openapi":"3.1.0"`},
		"/openapi.yaml": {"application/yaml", "openapi: 3.1.0"},
		"/docs":         {"text/html; charset=utf-8", "<h1>Trailhook API"},
	} {
		for range 2 {
			a := w.call(request{method: "GET", target: path})
			if a.status != 200 || a.header.Get("Content-Type") != want.contentType || !strings.Contains(a.body, want.holds) || len(a.events) != 0 {
				t.Errorf("%s: %d %s, %d events\n%.300s", path, a.status, a.header.Get("Content-Type"), len(a.events), a.body)
			}
			if a.header.Get("X-Request-Id") == "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v", path, a.header)
			}
		}
	}
}

func TestTheServedDocumentResolvesAllItsReferences(t *testing.T) {
	w := newWorld(t)
	var document struct {
		Components struct {
			Schemas         map[string]any
			SecuritySchemes map[string]struct{ Type, Scheme string }
		}
		Paths map[string]any
	}
	text := w.call(request{method: "GET", target: "/openapi.json"}).body
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	if s := document.Components.SecuritySchemes[bearerAuth]; s.Type != "http" || s.Scheme != "bearer" {
		t.Errorf("security scheme: %+v", s)
	}
	if len(document.Paths) == 0 {
		t.Error("no paths")
	}
	const begin = `"$ref":"#/components/schemas/`
	for _, part := range strings.Split(text, begin)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if document.Components.Schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
	if strings.Contains(text, `"$schema"`) || strings.Contains(text, "ErrorModel") {
		t.Error("the document tells of what no answer has")
	}
}

func TestThePageShowsEveryOperationAndLoadsNothing(t *testing.T) {
	w := newWorld(t)
	a := w.call(request{method: "GET", target: "/docs"})
	ids := map[string]bool{}
	for path, item := range w.api.huma.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			if !strings.Contains(a.body, `<h3 id="`+op.OperationID+`"><code class="method">`+op.Method+`</code> <code>`+path+`</code>`) {
				t.Errorf("%s is not on the page", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	for _, want := range []string{"page[size]", "data[].log_format", "one of cef | json | cps", "No token is needed", "the permission to <code>list control-planes</code>", `lang="en"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, part := range strings.Split(a.body, `href="#`)[1:] {
		if anchor, _, _ := strings.Cut(part, `"`); !strings.Contains(a.body, ` id="`+anchor+`"`) {
			t.Errorf("a link leads to #%s, which is not there", anchor)
		}
	}
	policy := strings.Split(a.header.Get("Content-Security-Policy"), "; ")
	if !slices.Contains(policy, "default-src 'none'") || strings.Contains(a.body, "<script") || strings.Contains(a.body, " style=") || strings.Contains(a.body, "src=") {
		t.Errorf("the page loads or runs something; its policy is %v", policy)
	}
	if !strings.Contains(a.body, "<style>"+docsCSS+"</style>") {
		t.Error("the style sheet is not the one that the policy allows")
	}
}
