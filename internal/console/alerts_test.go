package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestASearchIsSavedFromTheSearchPageAndDeleted(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.search("who=ann", "-7d").Body.String(), `href="/alerts/new?query=who%3dann`)
	holds(t, b.get("/alerts/new?query=who%3Dann&from=-7d&timeZone=Europe/Berlin").Body.String(), "who=ann</textarea>", `value="-7d"`, `value="Europe/Berlin"`)
	path, page := b.done("/alerts/new", url.Values{"name": {"ann"}, "query": {"who=ann"}, "range": {"-7d"}})
	holds(t, page, "The search ann was saved.", "search only", "No alert", `href="/?from=-7d&amp;query=who%3Dann"`)
	holds(t, b.get("/alerts").Body.String(), "ann</a>", "search only", "Recommended", "Konnect: denied", "none of them is on")
	_, page = b.done(path+"/edit", url.Values{"name": {"bob"}, "query": {"who=bob"}, "condition": {"count > 0 in 5m"}, "etag": {b.etag(path + "/edit")}})
	holds(t, page, "The search bob was changed. Its alert is off", "every 1m")
	holds(t, b.refused(path+"/edit", http.StatusPreconditionFailed, url.Values{"name": {"carl"}, "query": {"*"}, "etag": {`"1"`}}), "This does not go together with what is there", `value="carl"`)
	_, page = b.done(path+"/delete", url.Values{})
	holds(t, page, "was deleted", "Nothing was saved yet")
}

func TestASearchThatCannotBeSaysWhyAtItsField(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/alerts/new", url.Values{"name": {"taken"}, "query": {"*"}})
	for field, c := range map[string]struct {
		form url.Values
		want string
	}{
		"name":          {url.Values{"name": {"taken"}}, "the name is in use"},
		"query":         {url.Values{"query": {"a=b |"}}, `<pre aria-hidden="true">a=b |<mark> </mark></pre>`},
		"condition":     {url.Values{"condition": {"count is 3"}}, "1:"},
		"range":         {url.Values{"range": {"yesterday"}}, "ange"},
		"time_zone":     {url.Values{"time_zone": {"Nowhere"}}, "not the name of a time zone"},
		"every":         {url.Values{"condition": {"count > 0 in 5m"}, "every": {"1h"}}, "must not be longer"},
		"url":           {url.Values{"condition": {"count > 0 in 5m"}, "enabled": {"1"}}, "there is nobody to tell"},
		"authorization": {url.Values{"condition": {"count > 0 in 5m"}, "url": {"http://127.0.0.1:9/"}, "authorization": {"a\x01b"}}, "control characters"},
	} {
		for name, value := range map[string]string{"name": "kept " + field, "query": "*"} {
			if !c.form.Has(name) {
				c.form.Set(name, value)
			}
		}
		holds(t, b.refused("/alerts/new", http.StatusBadRequest, c.form), c.want, `<p id="about-`+field+`" class="error">`, `value="`+c.form.Get("name")+`"`)
	}
	holds(t, b.refused("/alerts/new", http.StatusBadRequest, url.Values{"name": {"x"}, "query": {"*"}, "enabled": {"1"}}), "Give a condition, such as")
}

// receiver takes posts with one status after the other, the last for good.
func receiver(t *testing.T, statuses ...int) *httptest.Server {
	var mu sync.Mutex
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(statuses[0])
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestARecommendedAlertIsEnabledTestedAndSwitchedOff(t *testing.T) {
	s, r := start(t), receiver(t, 503, 202)
	b := s.signedIn()
	const path = "/alerts/konnect-denied"
	holds(t, b.get(path).Body.String(), "recommended", "This one came with the server", "Nowhere yet", "Enable the alert")
	holds(t, b.refused(path+"/enable", http.StatusBadRequest, url.Values{}), "there is nobody to tell", `<p id="about-url" class="error">`)
	holds(t, b.refused(path+"/enable", http.StatusBadRequest, url.Values{"url": {"ftp://x"}}), "This must be an absolute URL", `value="ftp://x"`)
	_, page := b.done(path+"/enable", url.Values{"url": {r.URL}, "authorization": {"Bearer secret-of-the-hook"}})
	holds(t, page, "is on. Test the webhook", "with an authorization", "Send a test post", "recommended")
	hides(t, page, "secret-of-the-hook")
	w := b.post(path+"/test", url.Values{})
	holds(t, w.Body.String(), "The webhook did not accept the test post", "It answered with status 503")
	_, page = b.done(path+"/test", url.Values{})
	holds(t, page, "The webhook accepted the test post with status 202")
	holds(t, b.get("/alerts").Body.String(), "1 of them is on")
	_, page = b.done(path+"/disable", url.Values{})
	holds(t, page, "The alert is off", "Leave this empty to go on with it")
	_, page = b.done(path+"/enable", url.Values{"url": {r.URL}}) // with the authorization that is kept
	holds(t, page, "with an authorization")
}

func TestAFiringAlertShowsItsGroupsAndThePostsThatWait(t *testing.T) {
	s, r := start(t), receiver(t, 403)
	s.send("C", "S", `{"who": "ann"}`)
	b := s.signedIn()
	path, _ := b.done("/alerts/new", url.Values{"name": {"ann"}, "query": {"who=*"}, "condition": {"count > 0 in 5m by who"}, "enabled": {"1"}, "url": {r.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.alerts.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	var page string
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(page, "Posts that wait") && time.Now().Before(deadline); {
		page = b.get(path).Body.String()
	}
	holds(t, page, "who=ann", "Groups that fire", "The condition holds for 1 group", "Its lines", "fires")
	holds(t, b.get("/alerts").Body.String(), "firing", "1 group since", "1 post waits")
}

func TestWhoMayOnlyLookIsOfferedNoChangeOfAlerts(t *testing.T) {
	s := start(t)
	b := s.analyst()
	const path = "/alerts/konnect-denied"
	list, page := b.get("/alerts").Body.String(), b.get(path).Body.String()
	holds(t, list, "may look at saved searches", "Run")
	hides(t, list+page, "/edit", "/delete", "Enable the alert", "New search")
	for _, address := range []string{"/alerts/new", path + "/enable", path + "/disable", path + "/test", path + "/delete", path + "/edit"} {
		holds(t, b.refused(address, http.StatusForbidden, url.Values{"name": {"x"}, "query": {"*"}, "url": {"https://hook.example/"}, "etag": {"*"}}), "You may not do this")
	}
}
