package console

import "net/http"

// The cookies. Those of a session and of a visit are the browser's only, never a
// script's. A visit is what a browser has before it signs in, so that its form for
// that is its own.
const (
	sessionCookie = "trailhook_session"
	visitCookie   = "trailhook_visit"
	themeCookie   = "trailhook_theme"   // light or dark; static/console.js sets it too
	scriptsCookie = "trailhook_scripts" // set by static/console.js: the browser runs our scripts
)

// cookieName has the browser itself refuse a cookie of this name from anybody
// but this very host (the prefix __Host-), where that can be had.
func (c *Console) cookieName(r *http.Request, name string) string {
	if c.encrypted(r) {
		return "__Host-" + name
	}
	return name
}

func (c *Console) cookie(r *http.Request, name string) string {
	found, err := r.Cookie(c.cookieName(r, name))
	if err != nil {
		return ""
	}
	return found.Value
}

// setCookie sets a cookie that ends with the browser, or with an empty value
// takes it away.
func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, name, value string) {
	cookie := &http.Cookie{
		Name: c.cookieName(r, name), Value: value, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.encrypted(r),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// theme is what the reader chose: light, dark or nothing, which leaves it to the
// system.
func theme(r *http.Request) string {
	chosen, err := r.Cookie(themeCookie)
	if err != nil || chosen.Value != "light" && chosen.Value != "dark" {
		return ""
	}
	return chosen.Value
}
