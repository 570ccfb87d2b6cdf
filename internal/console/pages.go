package console

import (
	"net/http"
	"slices"
)

// route is an address of the console: a pattern of http.ServeMux, what is needed
// to call it, and what answers. An error is shown by the caller.
type route struct {
	pattern string
	needs   need
	serve   func(*visit) error
}

// routes is the table of all pages.
func routes() []route {
	return slices.Concat(
		signInRoutes(),
		themeRoutes(),
		searchRoutes(),
		tailRoutes(),
		exportRoutes(),
		auditLogRoutes(),
		controlPlaneRoutes(),
		portalRoutes(),
		tokenRoutes(),
		peopleRoutes(),
		activityRoutes(),
		sourceRoutes(),
		accessKeyRoutes(),
		alertRoutes(),
	)
}

// entry is a link of the navigation.
type entry struct {
	Half  half
	Path  string
	Label string
	Key   string // of the shortcut "g" and this one
}

// navigation lists the pages that are there. What is not available is not shown.
func (c *Console) navigation() []entry {
	planned := []entry{
		{siemHalf, "/", "Search", "s"},
		{siemHalf, "/tail", "Live tail", "l"},
		{siemHalf, "/sources", "Sources", "o"},
		{siemHalf, "/alerts", "Alerts", "a"},
		{platformHalf, "/audit-logs", "Audit log setup", "d"},
		{platformHalf, "/control-planes", "Control planes", "c"},
		{platformHalf, "/portals", "Portals", "p"},
		{platformHalf, "/tokens", "Tokens", "t"},
		{platformHalf, "/people", "People", "e"},
		{platformHalf, "/activity", "Activity", "v"},
	}
	return slices.DeleteFunc(planned, func(e entry) bool {
		return c.halves[e.Half] == nil || !routed(e.Path)
	})
}

// routed says whether a path has a page of its own.
func routed(path string) bool {
	pattern := http.MethodGet + " " + path
	return slices.ContainsFunc(routes(), func(r route) bool {
		return r.pattern == pattern || path == "/" && r.pattern == pattern+"{$}"
	})
}
