package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxForm is the largest form that is read, in bytes.
const maxForm = 1 << 20

// visit is a request for a page, with who makes it.
type visit struct {
	console *Console
	w       http.ResponseWriter
	r       *http.Request
	id      string   // of the session, or of the visit before it
	session *session // nil: nobody has signed in
	region  string   // in which the platform's API is called; empty: the server's own
}

// open serves a route: the way of every request.
func (c *Console) open(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		v := &visit{console: c, w: w, r: r, id: c.cookie(r, sessionCookie)}
		if v.session = c.sessions.find(v.id); v.session == nil {
			v.id = c.cookie(r, visitCookie)
		}
		if err := v.enter(route); err != nil {
			v.fail(err)
		}
	})
}

func (v *visit) enter(route route) error {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
		if err := v.r.ParseForm(); err != nil {
			return errForm
		}
		if err := v.console.forgery.check(v.r, v.id); err != nil {
			return err
		}
	}
	switch {
	case route.needs == nothing:
	case v.session == nil:
		return v.askToSignIn()
	case route.needs.half() >= 0 && !v.session.holds(route.needs.half()):
		return v.askForOther(route.needs.half())
	}
	return route.serve(v)
}

var errForm = errors.New("the form cannot be read, or is larger than 1 MiB")

func (v *visit) ctx() context.Context { return v.r.Context() }

// query reads a parameter of the address.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// form reads a field of a form that was posted, without the space around it.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// redirect answers a form by leading to a page of ours, which shows the notice.
func (v *visit) redirect(path, notice string) error {
	if notice != "" && v.session != nil {
		v.console.sessions.note(v.session, notice)
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// scripted says that a script asks, which takes a part of a page, not a page
// to sign in.
func (v *visit) scripted() bool {
	mode := v.r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

var errSignedOut = errors.New("you are not signed in any more")

// askToSignIn leads to the page for that and from there back. Who followed a
// link on another site may have a session whose cookie the browser held back, and
// gets it on a second step, which is ours.
func (v *visit) askToSignIn() error {
	if v.scripted() {
		return errSignedOut
	}
	to := "/"
	if v.r.Method == http.MethodGet {
		to = v.r.URL.RequestURI()
	}
	by := "/signin"
	if v.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		by = "/follow"
	}
	return v.redirect(by+"?"+url.Values{"return": {localPath(to)}}.Encode(), "")
}

// askForOther shows, in the page's place, what to sign in with to see it.
func (v *visit) askForOther(h half) error {
	if v.scripted() {
		return errSignedOut
	}
	view := v.signInView(localPath(v.r.URL.RequestURI()))
	view.Other = h.Credential()
	view.Forms = view.Forms.only(h)
	return v.show("signin", view)
}

// localPath returns the path of an address of this console, with its query, or /
// for anything else: what stands in a link may lead nowhere but here.
func localPath(address string) string {
	if !strings.HasPrefix(address, "/") || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.ContainsRune(u.Path, '\\') {
		return "/"
	}
	switch u.Path {
	case "/signin", "/signout", "/follow":
		return "/"
	}
	u.Fragment = ""
	return u.RequestURI()
}
