package konnect

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
)

// guard lets a request through to its handler when its token is good, its
// principal may do the action on the resource, and all this is on disk.
func (a *API) guard(action, resource string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if problem := a.admit(r, action, resourcePath(resource, r)); problem != nil {
			writeProblem(w, problem)
			return
		}
		next(ctx)
	}
}

func (a *API) admit(r *http.Request, action, resource string) *Problem {
	c := callOf(r.Context())
	if problem := a.authenticate(r.Context(), r.Header); problem != nil {
		return problem
	}
	granted := c.user.May(action, resource, c.region)
	if !granted {
		if refused := a.limits.denied(c); refused != nil {
			return refused
		}
	}
	c.trail.Authorized(action, resource, granted)
	if err := c.trail.Commit(r.Context()); err != nil {
		a.Logger.Error("cannot record a request; refusing it", "trace_id", c.trail.TraceID(), "error", err)
		return c.unrecorded()
	}
	if !granted {
		return c.problem(http.StatusForbidden, "You do not have permission to perform this action")
	}
	return nil
}

// authenticate finds out who calls. A failure is recorded and on disk when it
// returns; a success is left to be committed with what follows from it.
func (a *API) authenticate(ctx context.Context, header http.Header) *Problem {
	c := callOf(ctx)
	// On a cluster another process may have answered a write a moment ago.
	if err := a.Registry.CatchUp(ctx); err != nil {
		a.Logger.Error("cannot see what other processes have written; refusing a request", "trace_id", c.trail.TraceID(), "error", err)
		return c.unrecorded()
	}
	token, problem := bearer(header)
	result := registry.Authentication{Type: audit.AuthInvalid, Outcome: audit.OutcomeInvalid}
	if problem == "" {
		result = a.Registry.Authenticate(token)
	}
	if refused := a.limit(c, token, result.Outcome); refused != nil {
		return refused
	}
	c.user, c.tokenID = result.Principal, result.TokenID
	c.trail.Authenticated(result.Type, result.Outcome, recorder.Principal{OrgID: c.user.OrgID, ID: c.user.ID, Name: c.user.Name})
	if result.Outcome == audit.OutcomeSuccess {
		return nil
	}
	if err := c.trail.Commit(ctx); err != nil {
		a.Logger.Error("cannot record a failed authentication", "trace_id", c.trail.TraceID(), "error", err)
		return c.unrecorded()
	}
	if problem == "" {
		problem = "The token is not valid: check that all of it was sent, and that it has not expired"
	}
	return c.problem(http.StatusUnauthorized, problem)
}

// limit holds a request to the limit that fits what came of its token.
func (a *API) limit(c *call, token string, outcome audit.Outcome) *Problem {
	if outcome == audit.OutcomeSuccess {
		return a.limits.authenticated(c, token)
	}
	return a.limits.failed(c)
}

// bearer returns the token of the Authorization header. The header may stand
// more than once (Kong's own tutorial sends it twice) if every one is the same.
func bearer(header http.Header) (token, problem string) {
	values := slices.Compact(slices.Clone(header.Values("Authorization")))
	switch {
	case len(values) == 0:
		return "", "Send a token: Authorization: Bearer kpat_…"
	case len(values) > 1:
		return "", "The Authorization header stands more than once, with different values"
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", "The Authorization header must be of the form: Bearer kpat_…"
	}
	return strings.TrimSpace(token), ""
}

// resourcePath puts the values of the request's path into a resource's name.
func resourcePath(resource string, r *http.Request) string {
	segments := strings.Split(resource, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = r.PathValue(strings.Trim(segment, "{}"))
		}
	}
	return strings.Join(segments, "/")
}

// regions are Konnect's.
var regions = []string{"us", "eu", "au", "me", "in", "sg"}

// regions are Konnect's and the server's own.
func (a *API) regions() []string {
	if slices.Contains(regions, a.Region) {
		return slices.Clone(regions)
	}
	return append(slices.Clone(regions), a.Region)
}

// regionOf tells the region that a host names: us.api.example.com is us. The
// global host and every other stand for the server's own region.
func regionOf(host, own string) string {
	first, rest, _ := strings.Cut(strings.ToLower(host), ".")
	if (slices.Contains(regions, first) || first == own) && strings.HasPrefix(rest, "api.") {
		return first
	}
	return own
}
