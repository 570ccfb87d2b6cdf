package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestAFormWithoutItsOwnTokenChangesNothing(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	other := s.signedIn()
	good, foreign := b.token("/"), other.token("/")
	for _, c := range []struct {
		name   string
		token  string
		header []string
		want   int
	}{
		{"no token", "", nil, 403},
		{"another session's token", foreign, nil, 403},
		{"a made-up token", strings.Repeat("A", len(good)), nil, 403},
		{"part of the token", good[:10], nil, 403},
		{"another site, with the token", good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a neighbour's site, with the token", good, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another origin, with the token", good, []string{"Origin", "https://evil.example"}, 403},
		{"no origin at all, with the token", good, []string{"Origin", "null"}, 403},
		{"the session's token", good, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://siem.test"}, 303},
		{"the token in the header", "", []string{tokenHeader, good, "Sec-Fetch-Site", "same-origin"}, 303},
	} {
		w := b.do("POST", "/theme", url.Values{"csrf": {c.token}, "theme": {"dark"}}, c.header...)
		if w.Code != c.want {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if c.want == 403 {
			if len(w.Result().Cookies()) != 0 {
				t.Errorf("%s: it was done", c.name)
			}
			holds(t, w.Body.String(), "This form was not accepted", "reload the page")
		}
	}
	if w := b.do("POST", "/signout", url.Values{}); w.Code != 403 || b.get("/").Code != 200 {
		t.Error("another site can sign people out")
	}
}

func TestNobodyIsSignedInByAFormOfAnothersVisit(t *testing.T) {
	s := start(t)
	attacker, victim := s.browser(), s.browser()
	token := attacker.token("/signin")
	form := url.Values{"csrf": {token}, "id": {s.id}, "key": {s.key}}
	if w := victim.do("POST", "/signin", form); w.Code != http.StatusForbidden || victim.session() != "" {
		t.Errorf("without a visit: %d", w.Code)
	}
	victim.get("/signin")
	if w := victim.do("POST", "/signin", form); w.Code != http.StatusForbidden || victim.session() != "" {
		t.Errorf("with another's token: %d", w.Code)
	}
}

func TestAFormIsReadUpToABound(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	w := b.post("/theme", url.Values{"theme": {strings.Repeat("x", maxForm)}})
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "1 MiB") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAGetChangesNothing(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	for _, r := range routes() {
		if strings.HasPrefix(r.pattern, "POST ") && r.needs != platform {
			path := strings.TrimPrefix(r.pattern, "POST ")
			form := slices.ContainsFunc(routes(), func(other route) bool { return other.pattern == "GET "+path })
			if w := b.get(path); !form && w.Code != http.StatusMethodNotAllowed {
				t.Errorf("GET %s: %d", path, w.Code)
			}
		}
	}
}
