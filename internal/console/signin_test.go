package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/trailhook/trailhook/internal/collector"
)

func TestASessionFromSignInToSignOut(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", "a secret line")
	b := s.browser()
	w := b.get("/?query=secret&from=-1h")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/signin?return=%2F%3Fquery%3Dsecret%26from%3D-1h" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if b.cookies[visitCookie] != nil {
		t.Error("a visit begins before the form is shown")
	}
	w = b.signIn(url.Values{"id": {s.id}, "key": {s.key}, "return": {"/?query=secret&from=-1h"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/?query=secret&from=-1h" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if b.cookies[visitCookie] != nil {
		t.Error("the visit's cookie is still there")
	}
	holds(t, b.get("/?query=secret&from=-1h").Body.String(), "a secret line", s.id)
	first := b.session()
	if w = b.signIn(url.Values{"id": {s.id}, "key": {s.key}}); w.Code != http.StatusSeeOther || b.session() == first {
		t.Error("a sign-in does not change the session's id")
	}
	stolen := s.browser()
	stolen.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: first}
	if w = stolen.get("/"); w.Code != http.StatusSeeOther {
		t.Error("an id of before the sign-in is good")
	}
	last := b.session()
	if w = b.post("/signout", url.Values{}); w.Code != http.StatusSeeOther || b.session() != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	stolen.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: last}
	if w = stolen.get("/"); w.Code != http.StatusSeeOther {
		t.Error("a session goes on after the sign-out")
	}
}

func TestASessionThatIsNotUsedAsksToSignInAgain(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	s.clock.advance(sessionIdle)
	if w := b.get("/tail"); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/signin") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestTheCookiesAreTheBrowsersOnly(t *testing.T) {
	s := start(t)
	for _, secure := range []bool{false, true} {
		b := s.browser()
		b.tls = secure
		b.get("/signin")
		for range 2 { // the visit's cookie, then the session's
			if len(b.cookies) != 1 {
				t.Fatalf("%v", b.cookies)
			}
			for name, c := range b.cookies {
				if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || len(c.Value) != 43 {
					t.Errorf("%v", c)
				}
				if c.Secure != secure || strings.HasPrefix(name, "__Host-") != secure {
					t.Errorf("TLS %v: %v", secure, c)
				}
			}
			b.signIn(url.Values{"id": {s.id}, "key": {s.key}})
		}
		if b.session() == "" {
			t.Error("no session")
		}
	}
}

func TestACookieIsSecureBehindAProxyThatEncrypts(t *testing.T) {
	c, err := New(Options{SIEMURL: "https://siem.test"})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, cookies: map[string]*http.Cookie{}}
	mux := http.NewServeMux()
	c.Routes(mux)
	b.handler = mux
	b.get("/signin")
	if made := b.cookies["__Host-"+visitCookie]; made == nil || !made.Secure {
		t.Errorf("%v", b.cookies)
	}
}

func TestAnAccessKeyIsTakenInOnePieceToo(t *testing.T) {
	s := start(t)
	for _, form := range []url.Values{
		{"id": {s.id + ":" + s.key}, "key": {""}},
		{"id": {""}, "key": {" " + s.id + ":" + s.key + "\n"}},
		{"id": {s.id}, "key": {s.id + ":" + s.key}},
	} {
		b := s.browser()
		if w := b.signIn(form); w.Code != http.StatusSeeOther || b.session() == "" {
			t.Errorf("%v: %d", form, w.Code)
		}
	}
}

func TestWhatIsNoCredentialSignsNobodyIn(t *testing.T) {
	s := start(t)
	sender, secret, err := s.catalog.CreateAccessKey(t.Context(), "sender", collector.Sender)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		form url.Values
		says string
	}{
		{url.Values{"id": {s.id}, "key": {"wrong"}}, "wrong, disabled or expired"},
		{url.Values{"id": {"nobody"}, "key": {s.key}}, "wrong, disabled or expired"},
		{url.Values{"id": {sender.ID}, "key": {secret}}, "for sending lines only"},
		{url.Values{"id": {s.id}, "key": {""}}, "Give both"},
		{url.Values{}, "Give both"},
	} {
		b := s.browser()
		w := b.signIn(c.form)
		if w.Code != http.StatusOK || b.session() != "" {
			t.Errorf("%v: %d, session %q", c.form, w.Code, b.session())
		}
		holds(t, w.Body.String(), c.says, `aria-invalid="true"`)
		if strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), s.key) {
			t.Error("the page repeats the secret")
		}
	}
}

func TestSignInsAndFailuresLeaveEvents(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	s.browser().signIn(url.Values{"id": {s.id}, "key": {"wrong"}})
	s.flush()
	parameters := url.Values{"query": {"_source=" + collector.OwnSource + " kind=authentication"}, "limit": {"10"}}
	w := b.get("/export?format=ndjson&" + parameters.Encode())
	outcomes := map[string]int{}
	for line := range strings.Lines(w.Body.String()) {
		var event map[string]string
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if event["principal_id"] == s.id && event["src"] == "192.0.2.1" {
			outcomes[event["name"]]++
		}
	}
	if outcomes["AUTHENTICATION_OUTCOME_SUCCESS"] != 1 || outcomes["AUTHENTICATION_OUTCOME_INVALID_PASSWORD"] != 1 {
		t.Errorf("%v in %s", outcomes, w.Body)
	}
}

func TestAKeyThatIsDisabledLeadsToSignInAgain(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	if _, _, err := s.catalog.CreateAccessKey(t.Context(), "other", collector.Administrator); err != nil {
		t.Fatal(err)
	}
	k, err := s.catalog.AccessKey(s.id)
	if err != nil {
		t.Fatal(err)
	}
	k.Disabled = true
	if _, err := s.catalog.UpdateAccessKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	w := b.get("/?query=x")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/signin?return=%2F%3Fquery%3Dx" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	holds(t, b.get("/signin").Body.String(), "Your access key is not valid any more")
	if w := b.get("/search/results?query=x", "Sec-Fetch-Mode", "cors"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "not valid any more") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAScriptIsToldThatTheSessionIsOver(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/search/results", "/search/histogram", "/search/words", "/tail/events"} {
		w := s.browser().get(path, "Sec-Fetch-Mode", "cors")
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "not signed in any more") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestALinkOnAnotherSiteLeadsToThePageByAStepOfOurs(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	held := b.cookies
	b.cookies = map[string]*http.Cookie{} // SameSite=Strict
	w := b.get("/?query=x", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/follow?return=%2F%3Fquery%3Dx" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	holds(t, b.get(w.Header().Get("Location")).Body.String(), `http-equiv="refresh" content="0; url=/?query=x"`, `<a href="/?query=x">`)
	b.cookies = held
	if w := b.get("/?query=x"); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

func TestNoReturnPathLeadsElsewhere(t *testing.T) {
	s := start(t)
	for given, want := range map[string]string{
		"/":                             "/",
		"/?query=a%26b&from=-1h":        "/?query=a%26b&from=-1h",
		"/tail?query=x":                 "/tail?query=x",
		"/sources/1#part":               "/sources/1",
		"":                              "/",
		"tail":                          "/",
		"//evil.example/":               "/",
		"///evil.example/":              "/",
		`/\evil.example/`:               "/",
		`\\evil.example/`:               "/",
		"/%5Cevil.example":              "/",
		"/%2F/evil.example":             "/",
		"https://evil.example/":         "/",
		"javascript:alert(1)":           "/",
		"data:text/html,x":              "/",
		"/\t/evil.example":              "/",
		"/\r\nLocation: //evil.example": "/",
		"/signin?return=/signout":       "/",
		"/signout":                      "/",
		"http:/evil.example":            "/",
		"/ /evil.example":               "/",
		"/%zz":                          "/",
	} {
		if got := localPath(given); got != want {
			t.Errorf("%q leads to %q, want %q", given, got, want)
		}
		w := s.browser().signIn(url.Values{"id": {s.id}, "key": {s.key}, "return": {given}})
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
			t.Errorf("sign in with %q: %d to %q, want %q", given, w.Code, got, want)
		}
	}
}

func TestAFollowedTailEndsWithTheSession(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		r := httptest.NewRequest("GET", "/tail/events?query=*", nil)
		r.AddCookie(b.cookies[sessionCookie])
		s.mux.ServeHTTP(&announced{ResponseRecorder: httptest.NewRecorder(), begun: begun}, r)
	}()
	<-begun
	s.console.sessions.finish(b.session())
	<-ended
}

// announced tells when the first part of an answer is sent.
type announced struct {
	*httptest.ResponseRecorder
	begun chan struct{}
	once  sync.Once
}

func (a *announced) Flush() { a.once.Do(func() { close(a.begun) }) }
