package console

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestAnAccessKeyIsShownOnceChangedAndDeleted(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	w := b.post("/keys/new", url.Values{"label": {"konnect"}, "role": {"sender"}})
	found := regexp.MustCompile(`aria-label="the access key">([^<]+)<`).FindStringSubmatch(w.Body.String())
	id := regexp.MustCompile(`aria-label="the access id">([^<]+)<`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || found == nil || id == nil {
		t.Fatal(w.Code, w.Body)
	}
	if _, outcome := s.catalog.Authenticate(id[1], found[1]); outcome != audit.OutcomeSuccess {
		t.Error(outcome)
	}
	list := b.get("/keys").Body.String()
	holds(t, list, "konnect", id[1], "sender", "can be neither disabled, nor deleted", "yours")
	hides(t, list, found[1])
	key := "/keys/" + id[1]
	_, page := b.done(key+"/disable", url.Values{})
	holds(t, page, "was disabled", `<span class="badge doubt">disabled</span>`)
	_, page = b.done(key+"/enable", url.Values{})
	holds(t, page, "was enabled")
	holds(t, b.get(key+"/edit").Body.String(), `value="konnect"`, `<option value="sender" selected>`)
	_, page = b.done(key+"/edit", url.Values{"label": {"boss"}, "role": {"administrator"}})
	holds(t, page, "The access key boss was changed", "You are signed in with this key") // there is another administrator now
	_, page = b.done(key+"/delete", url.Values{})
	holds(t, page, "was deleted")
}

func TestAnAccessKeyThatCannotBeSaysWhyAtItsField(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.refused("/keys/new", http.StatusBadRequest, url.Values{"role": {"sender"}}), "Give a label", `<p id="about-label" class="error">`)
	holds(t, b.refused("/keys/new", http.StatusBadRequest, url.Values{"label": {"x"}, "role": {"king"}}), "Role must be", `<p id="about-role" class="error">`)
	if w := b.get("/keys/nothing/edit"); w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}

func TestTheLastAdministratorsKeyStaysAndThePageSaysWhy(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.get("/keys/"+s.id+"/edit").Body.String(), "the last enabled key of an administrator", `type="hidden" name="role" value="administrator"`)
	for _, what := range []string{"disable", "delete"} {
		holds(t, b.refused("/keys/"+s.id+"/"+what, http.StatusConflict, url.Values{}), "make another one first")
	}
	holds(t, b.refused("/keys/"+s.id+"/edit", http.StatusConflict, url.Values{"label": {"x"}, "role": {"sender"}}), "make another one first", `value="x"`)
}

func TestAccessKeysAreForAdministrators(t *testing.T) {
	s := start(t)
	b := s.analyst()
	w := b.get("/keys")
	holds(t, w.Body.String(), "You may not do this")
	holds(t, b.refused("/keys/new", http.StatusForbidden, url.Values{"label": {"x"}, "role": {"administrator"}}), "You may not do this")
	holds(t, b.refused("/keys/"+s.id+"/delete", http.StatusForbidden, url.Values{}), "You may not do this")
}
