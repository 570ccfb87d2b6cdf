package konnect

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// bearerAuth is the name of the one security scheme.
const bearerAuth = "bearer"

// describe sets what the OpenAPI document says of the API as a whole, and what
// it says of every operation.
func describe(document *huma.OpenAPI) {
	document.Info.Description = "The audit-log API of Kong Konnect and what its clients need around it, served by Trailhook. " +
		"What Konnect does not have is under /trailhook. Every call with a token is recorded as audit events, which carry the answer's X-Request-Id as trace_id."
	document.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	document.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearerAuth: {
		Type: "http", Scheme: "bearer", Description: "A personal access token (kpat_…) or a system account's token (spat_…).",
	}}
	document.OnAddOperation = append(document.OnAddOperation, describeAnswers)
}

// refusals say in which words the document tells of a status.
var refusals = map[int]string{
	http.StatusBadRequest:            "A value of the request breaks a rule: invalid_parameters says which.",
	http.StatusUnauthorized:          "There is no valid token.",
	http.StatusForbidden:             "The token's owner may not do this.",
	http.StatusNotFound:              "There is no such thing, or it belongs to another organization.",
	http.StatusConflict:              "It cannot be done as things stand.",
	http.StatusRequestEntityTooLarge: "The body is too large.",
	http.StatusUnsupportedMediaType:  "The body's coding is not known.",
	http.StatusTooManyRequests:       "A rate limit refuses the request; nothing was done or recorded.",
	http.StatusInternalServerError:   "Something went wrong in the server.",
	http.StatusServiceUnavailable:    "The request cannot be recorded or stored now.",
}

// describeAnswers adds to an operation the problems that it can be answered
// with, and the headers that all answers have.
func describeAnswers(document *huma.OpenAPI, op *huma.Operation) {
	delete(op.Responses, "default") // huma's, where an operation names no problems
	for _, status := range problemsOf(op) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{}
	}
	problem := document.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	for code, response := range op.Responses {
		status, _ := strconv.Atoi(code)
		if response.Headers == nil {
			response.Headers = map[string]*huma.Header{}
		}
		response.Headers["X-Request-Id"] = &huma.Header{Description: "The trace id of the request's events.", Schema: &huma.Schema{Type: huma.TypeString}}
		if status < 400 {
			continue
		}
		response.Description = cmp.Or(response.Description, refusals[status])
		response.Content = map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response.Headers["Retry-After"] = &huma.Header{Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}
		}
	}
}

// problemsOf lists the statuses that follow from what the operation takes; the
// ones of its own are among its responses.
func problemsOf(op *huma.Operation) []int {
	statuses := []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
	takes := func(p *huma.Param) bool { return p.In != "path" }
	if op.RequestBody != nil || slices.ContainsFunc(op.Parameters, takes) {
		statuses = append(statuses, http.StatusBadRequest)
	}
	if len(op.Security) > 0 {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	}
	if changes(op.Method) {
		statuses = append(statuses, http.StatusConflict)
	}
	return statuses
}

// permissionMember is the member of an operation that names what its caller must be
// allowed to do: "list control-planes". {parameters} are those of the path.
const permissionMember = "x-permission"

// demand has the document say that an operation needs a token, and the permission
// to do the action on the resource.
func demand(op *huma.Operation, action, resource string) {
	op.Security = []map[string][]string{{bearerAuth: {}}}
	op.Extensions = map[string]any{permissionMember: action + " " + resource}
}

// documentRoutes serves the document and the page made of it. They are the same
// for everybody, so nobody is asked who he is, and a look leaves no events.
func (a *API) documentRoutes() {
	document := a.huma.OpenAPI()
	a.serveDocument("/openapi.json", "application/json", document.MarshalJSON)
	a.serveDocument("/openapi.yaml", "application/yaml", document.YAML)
	a.serveDocument("/docs", "text/html; charset=utf-8", func() ([]byte, error) { return docsPage(document) })
}

// serveDocument serves what is made once, when it is first asked for: all
// endpoints are there then.
func (a *API) serveDocument(path, contentType string, write func() ([]byte, error)) {
	content := sync.OnceValues(write)
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		text, err := content()
		if err != nil {
			writeProblem(w, a.problemOf(callOf(r.Context()), err))
			return
		}
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Cache-Control", "public, max-age=300")
		if strings.HasPrefix(contentType, "text/html") {
			header.Set("Content-Security-Policy", docsPolicy)
		}
		_, _ = w.Write(text) // into an answer's buffer, which takes everything
	})
}
