package console

import "net/http"

func themeRoutes() []route {
	return []route{{"POST /theme", nothing, chooseTheme}}
}

// chooseTheme keeps the reader's choice between light and dark. A script does the
// same without a request.
func chooseTheme(v *visit) error {
	chosen := v.form("theme")
	cookie := &http.Cookie{Name: themeCookie, Value: chosen, Path: "/", SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 3600}
	if chosen != "light" && chosen != "dark" {
		cookie.Value, cookie.MaxAge = "", -1
	}
	http.SetCookie(v.w, cookie)
	return v.redirect(localPath(v.form("return")), "")
}
