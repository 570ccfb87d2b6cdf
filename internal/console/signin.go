package console

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

func signInRoutes() []route {
	return []route{
		{"GET /signin", nothing, showSignIn},
		{"POST /signin", nothing, signIn},
		{"POST /signout", nothing, signOut},
		{"GET /follow", nothing, follow},
	}
}

// signInView is the page that asks for credentials.
type signInView struct {
	Return string
	Other  string // the credential that the page needs and the session lacks; empty: none
	Forms  signInForms
}

// signInForms say which forms there are and what is wrong with what was sent.
type signInForms struct {
	AccessKey, Token           bool
	ID                         string
	AccessKeyError, TokenError string
}

func (f signInForms) only(h half) signInForms {
	f.AccessKey, f.Token = f.AccessKey && h == siemHalf, f.Token && h == platformHalf
	return f
}

func (v *visit) signInView(to string) signInView {
	// A browser that has no session gets an id for its form's token.
	if v.id == "" {
		v.id = newSecret()
		v.console.setCookie(v.w, v.r, visitCookie, v.id)
	}
	return signInView{Return: to, Forms: signInForms{
		AccessKey: v.console.halves[siemHalf] != nil, Token: v.console.halves[platformHalf] != nil,
	}}
}

func showSignIn(v *visit) error { return v.show("signin", v.signInView(localPath(v.query("return")))) }

// signIn begins a session if the API takes the credential. The half records that,
// as it does any use of a credential, and holds back who guesses.
func signIn(v *visit) error {
	to := localPath(v.form("return"))
	h, c, err := v.givenCredential()
	if err == nil {
		c.name, err = v.check(h, c)
	}
	if err != nil {
		return v.signInFailed(to, h, err)
	}
	id := v.console.sessions.begin(v.console.cookie(v.r, sessionCookie), h, c)
	v.console.setCookie(v.w, v.r, sessionCookie, id)
	v.console.setCookie(v.w, v.r, visitCookie, "")
	return v.redirect(to, "")
}

// givenCredential reads the form. An access key may also be given in one piece,
// ID:KEY, as the server's files have it.
func (v *visit) givenCredential() (half, credential, error) {
	if token := v.form("token"); v.r.PostForm.Has("token") {
		if token == "" {
			return platformHalf, credential{}, errNoToken
		}
		return platformHalf, credential{authorization: "Bearer " + token}, nil
	}
	id, key := v.form("id"), v.form("key")
	if key == "" {
		id, key, _ = strings.Cut(id, ":")
	} else if before, after, ok := strings.Cut(key, ":"); ok && (id == "" || id == before) {
		id, key = before, after
	}
	if id == "" || key == "" {
		return siemHalf, credential{}, errNoKey
	}
	return siemHalf, credential{authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+key)), name: id}, nil
}

var (
	errNoToken = errors.New("give a token, which begins with kpat_")
	errNoKey   = errors.New("give both the access id and the access key")
)

// check calls the API with the credential and returns the name that is shown for
// it. The calls are ones that the halves record as an authentication.
func (v *visit) check(h half, c credential) (name string, err error) {
	bearer := http.Header{"Authorization": {c.authorization}}
	if h == siemHalf {
		_, err := v.do(v.ctx(), call{half: h, path: "/api/v1/collectors", query: url.Values{"limit": {"1"}}, header: bearer}, nil)
		return c.name, err
	}
	var me struct {
		Email string
		Name  string `json:"full_name"`
	}
	_, err = v.do(v.ctx(), call{half: h, path: "/v3/users/me", header: bearer}, &me)
	if refused, ok := errors.AsType[*apiError](err); ok && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound) {
		return "system account", nil // which is known, and is nobody
	}
	if me.Name == "" {
		me.Name = me.Email
	}
	return me.Name, err
}

func (v *visit) signInFailed(to string, h half, err error) error {
	view := v.signInView(to)
	var message string
	refused, ok := errors.AsType[*apiError](err)
	switch {
	case ok:
		message = refused.signInMessage()
	case errors.Is(err, errNoToken), errors.Is(err, errNoKey):
		message = sentence(err.Error())
	default:
		return err
	}
	if h == platformHalf {
		view.Forms.TokenError = message
	} else {
		view.Forms.ID, view.Forms.AccessKeyError = v.form("id"), message
		if strings.Contains(view.Forms.ID, ":") { // the key is in it
			view.Forms.ID = ""
		}
	}
	return v.show("signin", view)
}

func (e *apiError) signInMessage() string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "This " + e.half.Credential() + " is wrong, disabled or expired: check that all of it was pasted."
	case http.StatusForbidden:
		return "This " + e.half.Credential() + " is for sending lines only: sign in with that of an analyst or an administrator."
	}
	p := e.problem()
	return strings.TrimSpace(p.What + " " + p.Try)
}

func signOut(v *visit) error {
	v.console.sessions.finish(v.console.cookie(v.r, sessionCookie))
	v.console.setCookie(v.w, v.r, sessionCookie, "")
	return v.redirect("/signin", "")
}

// followView leads on by itself.
type followView struct{ To string }

// follow is the step between a link on another site and the page that it leads
// to: the browser sends the session's cookie from a page of ours only.
func follow(v *visit) error {
	return v.show("follow", followView{localPath(v.query("return"))})
}
