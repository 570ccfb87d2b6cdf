package konnect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Mount adds an endpoint of another package, at the operation's method and
// path. Its requests take the same way as all others: h runs once the caller is
// admitted to the action on the resource and that is on disk, and its answer is
// held back until the access event is. {parameters} of the resource are those
// of the path. Mount before serving.
//
// The operation tells the OpenAPI document what h takes and answers; what the
// API itself answers is added. h bounds and reads the body itself.
func (a *API) Mount(operation huma.Operation, action, resource string, h http.Handler) {
	demand(&operation, action, resource)
	a.huma.OpenAPI().AddOperation(&operation)
	pattern := operation.Method + " " + operation.Path
	a.mounted[pattern] = true
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if problem := a.admit(r, action, resourcePath(resource, r)); problem != nil {
			writeProblem(w, problem)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Caller says for whom a mounted handler's request acts, and in which region.
func Caller(ctx context.Context) (organization, region string) {
	c := callOf(ctx)
	return c.user.OrgID, c.region
}

// WriteProblem answers a mounted handler's request with a problem of the API's
// form.
func WriteProblem(w http.ResponseWriter, r *http.Request, status int, detail string, parameters ...InvalidParameter) {
	problem := callOf(r.Context()).problem(status, detail)
	problem.InvalidParameters = parameters
	writeProblem(w, problem)
}
