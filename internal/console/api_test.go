package console

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// visit is a visit of a page by whoever is signed in with the browser.
func (s *stand) visit(b *browser) *visit {
	return &visit{console: s.console, w: httptest.NewRecorder(), r: httptest.NewRequest("GET", "/", nil), session: s.console.sessions.find(b.session())}
}

func TestACallIsMadeAsThePersonWhoIsSignedIn(t *testing.T) {
	s := start(t)
	v := s.visit(s.signedIn())
	body := map[string]any{"collector": map[string]string{"collectorType": "Hosted", "name": "made"}}
	var made struct{ Collector struct{ ID int64 } }
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/collectors", body, &made); err != nil || made.Collector.ID == 0 {
		t.Fatal(err, made)
	}
	var list struct{ Collectors []struct{ Name string } }
	if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", url.Values{"limit": {"10"}}, &list); err != nil || len(list.Collectors) != 1 {
		t.Fatal(err, list)
	}
	err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/collectors", body, nil)
	refused, ok := errors.AsType[*apiError](err)
	if !ok || refused.Status != http.StatusBadRequest || refused.Code != "invalid_request" || refused.Message == "" || refused.ID == "" {
		t.Errorf("%#v", err)
	}
	v.session = nil
	if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", nil, &list); err == nil {
		t.Error("nobody is somebody")
	}
	if err := v.get(v.ctx(), platformHalf, "/v3/users/me", nil, &list); err == nil {
		t.Error("a half that does not run answers")
	}
}

func TestNoPartOfAPathLeadsElsewhere(t *testing.T) {
	if got := pathOf("api", "v1", "collectors", "../x?y=1#z"); got != "/api/v1/collectors/..%2Fx%3Fy=1%23z" {
		t.Error(got)
	}
}

func TestARefusalIsReadInEitherHalfsForm(t *testing.T) {
	siemSays := newAPIError(call{half: siemHalf, path: "/x"}, answer{status: 400, body: []byte(
		`{"status":400,"id":"AAAAA","code":"invalid_query","message":"1:3: wrong","line":1,"column":3}`)})
	if siemSays.Message != "1:3: wrong" || siemSays.ID != "AAAAA" || siemSays.Line != 1 || siemSays.Column != 3 || fieldErrors(siemSays) != nil {
		t.Errorf("%+v", siemSays)
	}
	platformSays := newAPIError(call{half: platformHalf, path: "/x"}, answer{status: 400, body: []byte(
		`{"status":400,"title":"Bad Request","instance":"kong:trace:7","detail":"Invalid Parameters",
		"invalid_parameters":[{"field":"name","rule":"required","reason":"name is required","source":"body"},{"field":"name","reason":"again"}]}`)})
	if platformSays.Message != "Invalid Parameters" || platformSays.ID != "7" {
		t.Errorf("%+v", platformSays)
	}
	if diff := cmp.Diff(map[string]string{"name": "name is required"}, fieldErrors(platformSays)); diff != "" {
		t.Error(diff)
	}
	unreadable := newAPIError(call{path: "/x"}, answer{status: 502, body: []byte("<html>")})
	if unreadable.Status != 502 || unreadable.Message == "" {
		t.Errorf("%+v", unreadable)
	}
}

func TestAnAPIThatPanicsIsAnError(t *testing.T) {
	s := start(t)
	v := s.visit(s.signedIn())
	s.console.halves[siemHalf] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("odd") })
	if err := v.get(v.ctx(), siemHalf, "/x", nil, nil); err == nil {
		t.Error("no error")
	}
}

func TestMessagesBecomeSentences(t *testing.T) {
	for given, want := range map[string]string{"": "", "a thing": "A thing.", "Done!": "Done!", "über": "Über.", "1:2: x": "1:2: x.", "x": "X."} {
		if got := sentence(given); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
}
