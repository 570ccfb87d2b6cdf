package sumo

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/trailhook/trailhook/internal/collector"
)

// endpoint is what there is at a path.
type endpoint struct {
	resource string // in permission checks and their events: segments in braces stand for the path's values
	access   access
	methods  map[string]operation
}

// operation is what a method does at a path.
type operation struct {
	handle  handler
	summary string
	status  int    // of success
	takes   string // the parameters of the query, and headers of its own, separated by blanks
}

// handler answers a request that is let through. An error is answered by the
// caller, in the shape of problem.
type handler func(w http.ResponseWriter, r *http.Request) error

// What several operations take.
const (
	paged   = "offset limit"
	matched = "If-Match"
	asked   = "query saved from to timeZone byReceiptTime limit format"
)

// endpoints are the API's paths.
func (a *API) endpoints() map[string]endpoint {
	type methods = map[string]operation
	return map[string]endpoint{
		"/api/v1/collectors": {"collectors", readable, methods{
			"GET":  {a.listCollectors, "List the collectors", 200, paged},
			"POST": {a.createCollector, "Create a hosted collector", 201, ""},
		}},
		"/api/v1/collectors/{id}": {"collectors/{id}", readable, methods{
			"GET":    {a.getCollector, "Retrieve a collector", 200, ""},
			"PUT":    {a.updateCollector, "Replace a collector's settings", 200, matched},
			"DELETE": {a.deleteCollector, "Delete a collector and its sources", 200, matched},
		}},
		"/api/v1/collectors/{id}/sources": {"collectors/{id}/sources", readable, methods{
			"GET":  {a.listSources, "List a collector's sources", 200, paged},
			"POST": {a.createSource, "Create an HTTP source", 201, ""},
		}},
		"/api/v1/collectors/{id}/sources/{sid}": {"collectors/{id}/sources/{sid}", readable, methods{
			"GET":    {a.getSource, "Retrieve a source", 200, ""},
			"PUT":    {a.updateSource, "Replace a source's settings", 200, matched},
			"DELETE": {a.deleteSource, "Delete a source", 200, matched},
		}},
		"/api/v1/accessKeys": {"accessKeys", closed, methods{
			"GET":  {a.listAccessKeys, "List the access keys", 200, paged},
			"POST": {a.createAccessKey, "Create an access key, which is shown this once", 200, ""},
		}},
		"/api/v1/accessKeys/{id}": {"accessKeys/{id}", closed, methods{
			"PUT":    {a.updateAccessKey, "Change an access key's label, role or state", 200, ""},
			"DELETE": {a.deleteAccessKey, "Delete an access key", 204, ""},
		}},
		"/api/v1/search/jobs": {"search/jobs", searchable, methods{
			"POST": {a.createSearchJob, "Start a search job", 202, ""},
		}},
		"/api/v1/search/jobs/{id}": {"search/jobs/{id}", searchable, methods{
			"GET":    {a.getSearchJob, "Retrieve how a search job stands", 200, ""},
			"DELETE": {a.deleteSearchJob, "End a search job and forget its result", 200, ""},
		}},
		"/api/v1/search/jobs/{id}/messages": {"search/jobs/{id}", searchable, methods{
			"GET": {a.getSearchJobMessages, "Retrieve messages that a search job has found", 200, paged},
		}},
		"/api/v1/search/jobs/{id}/records": {"search/jobs/{id}", searchable, methods{
			"GET": {a.getSearchJobRecords, "Retrieve rows of a search job's table", 200, paged},
		}},
		"/trailhook/v1/search": {"search", searchable, methods{
			"GET": {a.search, "Search, and get the result as it is found", 200, asked},
		}},
		"/trailhook/v1/tail": {"search", searchable, methods{
			"GET": {a.tail, "Follow what is stored, as server-sent events", 200, "query timeZone Last-Event-ID"},
		}},
		"/trailhook/v1/sources/statistics": {"sources", readable, methods{
			"GET": {a.listStatistics, "Retrieve what all sources have done since the start", 200, paged},
		}},
		"/trailhook/v1/sources/{sid}/statistics": {"sources/{sid}", readable, methods{
			"GET": {a.getStatistics, "Retrieve what a source has done since the start", 200, ""},
		}},
		"/trailhook/v1/me": {"me", personal, methods{
			"GET": {a.getMe, "Retrieve the access key that calls", 200, ""},
		}},
		"/trailhook/v1/searches": {"searches", readable, methods{
			"GET":  {a.listSearches, "List the saved searches", 200, paged},
			"POST": {a.createSearch, "Save a search, with an alert or without", 201, ""},
		}},
		"/trailhook/v1/searches/{id}": {"searches/{id}", readable, methods{
			"GET":    {a.getSearch, "Retrieve a saved search, with what fires and what waits", 200, ""},
			"PUT":    {a.updateSearch, "Replace a saved search", 200, matched},
			"DELETE": {a.deleteSearch, "Delete a saved search", 204, matched},
		}},
		"/trailhook/v1/searches/{id}/test": {"searches/{id}/test", readable, methods{
			"POST": {a.testSearch, "Post a test notification, once", 200, ""},
		}},
	}
}

// find returns the handler of a request.
func (e endpoint) find(c *call, r *http.Request) (handler, error) {
	if len(e.methods) == 0 {
		return nil, &problem{http.StatusNotFound, "not_found", "there is nothing at " + r.URL.Path}
	}
	op, ok := e.methods[method(r)]
	if !ok {
		c.Header().Set("Allow", allowed(e.methods))
		return nil, &problem{http.StatusMethodNotAllowed, "method_not_allowed", "this path takes " + allowed(e.methods)}
	}
	return op.handle, nil
}

func method(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// ordered lists the methods in a fixed order.
func ordered(methods map[string]operation) []string {
	all := []string{"GET", "POST", "PUT", "DELETE"}
	return slices.DeleteFunc(all, func(method string) bool { _, there := methods[method]; return !there })
}

func allowed(methods map[string]operation) string { return strings.Join(ordered(methods), ", ") }

// Operation is what a method does at a path, as a reference tells of it.
type Operation struct {
	Method, Path, Summary string
	Roles                 []collector.Role // whose access keys may
	Takes                 []string         // the query's parameters, and headers of its own
	Status                int              // of success
}

// Operations lists all that the API serves, by path.
func (a *API) Operations() []Operation {
	var list []Operation
	endpoints := a.endpoints()
	for _, path := range slices.Sorted(maps.Keys(endpoints)) {
		e := endpoints[path]
		for _, method := range ordered(e.methods) {
			op := e.methods[method]
			shown := Operation{Method: method, Path: path, Summary: op.summary, Takes: strings.Fields(op.takes), Status: op.status}
			for _, role := range []collector.Role{collector.Administrator, collector.Analyst, collector.Sender} {
				if e.access.grants(role, method != http.MethodGet) {
					shown.Roles = append(shown.Roles, role)
				}
			}
			list = append(list, shown)
		}
	}
	return list
}
