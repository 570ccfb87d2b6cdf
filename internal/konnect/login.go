package konnect

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
)

const logInPath = "/api/v2/developer/authenticate"

// credentials are a developer's, in the body or as HTTP basic authentication.
type credentials struct {
	Authorization string `header:"Authorization" hidden:"true"`
	PortalID      string `query:"portal_id" doc:"The portal, unless the host names it: <portal id>.portal.localhost."`
	Body          *struct {
		Username string `json:"username" maxLength:"250" doc:"The developer's email."`
		Password string `json:"password" maxLength:"1024" writeOnly:"true"`
	} `required:"false"`
}

// of returns the email and the password that were sent. A body goes before the
// header.
func (c credentials) of() (email, password string, ok bool) {
	if c.Body != nil {
		return c.Body.Username, c.Body.Password, true
	}
	r := http.Request{Header: http.Header{"Authorization": {c.Authorization}}}
	return r.BasicAuth()
}

type loggedIn struct {
	Body struct {
		ID       string `json:"id" format:"uuid"`
		PortalID string `json:"portal_id" format:"uuid"`
		Email    string `json:"email"`
		FullName string `json:"full_name"`
	}
}

// logInRoute is where a portal's developers log in. The address is that of the
// portals of Konnect, each on a host of its own.
func (a *API) logInRoute() {
	handle(a, huma.Operation{
		OperationID: "authenticate-developer", Method: http.MethodPost, Path: logInPath,
		Summary: "Log in to a portal as one of its developers", Tags: []string{"Portals"},
		Description:   "With the developer's email and password, in the body or as HTTP basic authentication. Nothing but an answer of 200 comes of it.",
		DefaultStatus: http.StatusOK, MaxBodyBytes: maxBody + 1,
		Middlewares: huma.Middlewares{a.enterPortal},
		Responses: map[string]*huma.Response{
			"401": {Description: "This is not the email and the password of a developer who may log in now."},
			"404": {Description: "There is no such portal."},
		},
	}, a.logIn)
}

// enterPortal has everything that is recorded of the request be of the portal
// that it names, from the start: bodies that cannot be read, too. Every log-in
// counts for its address's limit of failures, since to check a password costs as
// much when it is right.
func (a *API) enterPortal(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := callOf(r.Context())
	if problem := a.limits.failed(c); problem != nil {
		writeProblem(w, problem)
		return
	}
	if err := a.Registry.CatchUp(r.Context()); err != nil {
		writeProblem(w, c.unrecorded())
		return
	}
	portal, err := a.Registry.PortalByID(cmp.Or(r.URL.Query().Get("portal_id"), portalOfHost(r.Host)))
	if err != nil {
		c.trail.Authenticated(audit.AuthInvalid, audit.OutcomeInvalid, recorder.Principal{})
		writeProblem(w, c.problem(http.StatusNotFound, "There is no such portal. Name it by the host, or by ?portal_id="))
		return
	}
	c.trail.InPortal(portal.OrgID, portal.Region, portal.ID)
	c.portal = portal
	next(ctx)
}

// portalOfHost tells the portal that a host names: <portal id>.portal.localhost,
// or of any other domain.
func portalOfHost(host string) string {
	id, rest, _ := strings.Cut(strings.ToLower(host), ".")
	if !strings.HasPrefix(rest, "portal.") {
		return ""
	}
	return id
}

// logIn checks a developer's credentials. Who fails is told the same, whatever the
// reason: what portals have which developers is nobody's business. The events
// tell, which go out with the answer: nothing follows from a log-in.
func (a *API) logIn(ctx context.Context, in *credentials) (*loggedIn, error) {
	c := callOf(ctx)
	how, login := audit.AuthInvalid, registry.Login{Outcome: audit.OutcomeInvalid}
	if email, password, ok := in.of(); ok {
		var err error
		how = audit.AuthBasic
		if login, err = a.Registry.LogIn(ctx, c.portal, email, password); err != nil {
			return nil, err
		}
	}
	d := login.Developer
	c.trail.Authenticated(how, login.Outcome, recorder.Principal{OrgID: c.portal.OrgID, ID: d.ID, Name: d.FullName})
	if login.Outcome != audit.OutcomeSuccess {
		return nil, c.problem(http.StatusUnauthorized, "This is not the email and the password of a developer who may log in now")
	}
	out := &loggedIn{}
	out.Body.ID, out.Body.PortalID, out.Body.Email, out.Body.FullName = d.ID, d.PortalID, d.Email, d.FullName
	return out, nil
}
