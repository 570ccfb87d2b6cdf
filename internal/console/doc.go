// Package console is the web pages of both halves, served on the SIEM's address.
//
// It is a client of the halves' public APIs, which it calls in process with the
// credentials of whoever is signed in: it can show and do nothing that these
// could not, and what it does leaves the audit events that any client leaves.
// The one thing that it takes from the search's own package is the syntax of the
// language, to complete words and to change a query by a click.
//
// # How a request goes
//
// [Console.Routes] registers the routes of pages.go. Each goes through
// [Console.open], which sets the headers that shut a page in, finds the session,
// refuses forms that did not come from our own pages, and asks who has no session,
// or not for this half, to sign in. Then the route's function gets a visit, which
// has all that a page needs:
//
//	v.get, v.send, v.do     call an API: api.go
//	v.show, v.fragment      answer with a page, or a part of one: render.go
//	v.redirect              answers a form, with a notice for the next page
//	v.form                  reads a field of the form, without space around it
//
// A function that returns an error leaves it to the visit to show: what happened,
// and what to try (problem.go). What a field's value is the cause of belongs on
// the form: see fieldErrors.
//
// # How to add a page
//
// One Go file with its routes, its functions and the structs that it shows, and
// one file in pages/ of the same name. Its routes are a function, which gets one
// line in the table of pages.go:
//
//	func portalRoutes() []route {
//		return []route{
//			{"GET /portals", platform, showPortals},
//			{"POST /portals", platform, createPortal},
//		}
//	}
//
//	func showPortals(v *visit) error {
//		var list struct{ Data []portal }
//		if err := v.get(v.ctx(), platformHalf, "/v3/portals", nil, &list); err != nil {
//			return err
//		}
//		return v.show("portals", portalsView{Portals: list.Data})
//	}
//
// The navigation knows the pages that are planned, and shows those whose path
// has a route, if their half runs in this process.
//
// The template defines "title", "main" and, if it has scripts of its own,
// "scripts"; it is given a frame, with the page's own view as .Page:
//
//	{{define "title"}}Portals{{end}}
//	{{define "main"}}<h1>Portals</h1>{{range .Page.Portals}}…{{end}}{{end}}
//
// Every form that posts has {{template "csrf" $}} in it. pages/components.html
// has what pages share; the functions that templates can call are in render.go.
//
// # Rules
//
//   - No inline script, style, style attribute or event handler: the policy
//     forbids them, and a test looks at every page.
//   - A page works without scripts. A script finds its elements by data-
//     attributes, and everything that it inserts is text, or a fragment that this
//     package rendered (static/load.js).
//   - The address holds the state of a page; what changes something is a POST
//     and ends with a redirect, except for a secret that is shown once.
//   - Times are written by the function when, which scripts turn into the
//     reader's zone.
//   - The name of an element that a script or a test looks for is a data-
//     attribute or an id, never a class.
package console
