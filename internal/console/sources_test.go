package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
)

// analyst is a browser signed in with a key that may only look.
func (s *stand) analyst() *browser {
	s.t.Helper()
	k, secret, err := s.catalog.CreateAccessKey(s.t.Context(), "looker", collector.Analyst)
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.browser()
	if w := b.signIn(url.Values{"id": {k.ID}, "key": {secret}}); w.Code != http.StatusSeeOther {
		s.t.Fatal(w.Code, w.Body)
	}
	return b
}

// done posts a form and returns the page that it leads to.
func (b *browser) done(address string, form url.Values) (path, page string) {
	b.t.Helper()
	w := b.post(address, form)
	if w.Code != http.StatusSeeOther {
		b.t.Fatalf("POST %s: %d %s", address, w.Code, w.Body)
	}
	path, _, _ = strings.Cut(w.Header().Get("Location"), "#")
	return path, b.get(path).Body.String()
}

// refused posts a form that is not accepted, and returns the page that says so.
func (b *browser) refused(address string, status int, form url.Values) string {
	b.t.Helper()
	w := b.post(address, form)
	if w.Code != status {
		b.t.Fatalf("POST %s: %d, want %d: %s", address, w.Code, status, w.Body)
	}
	return w.Body.String()
}

var etagOnPage = regexp.MustCompile(`name="etag" value="([^"]*)"`)

// etag is what the form on a page has of the object that it changes.
func (b *browser) etag(page string) string {
	b.t.Helper()
	found := etagOnPage.FindStringSubmatch(b.get(page).Body.String())
	if found == nil {
		b.t.Fatalf("%s has no ETag", page)
	}
	return strings.ReplaceAll(found[1], "&#34;", `"`)
}

// hides reports each text that a page has and should not.
func hides(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page holds %q:\n%s", text, page)
		}
	}
}

func TestAnEmptyServerLeadsToTheFirstLine(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.get("/sources").Body.String(), "Nothing is set up yet", `href="/sources/collectors/new"`)
	path, page := b.done("/sources/collectors/new", url.Values{"name": {"Konnect"}})
	holds(t, page, "The collector Konnect is there", "<h1>New source</h1>", `selected>Konnect</option>`)
	if path != "/sources/new?collector=1" {
		t.Error(path)
	}
	path, page = b.done("/sources/new", url.Values{"collector": {"1"}, "name": {"Audit"}})
	holds(t, page, "The source Audit is there", "curl &#39;http://siem.test/receiver/v1/http/", "/services/collector/event", "Send a test line", "nothing yet")
	path, page = b.done(path+"/test", url.Values{})
	holds(t, page, "The line arrived.", "See it in the search") // without scripts the page waits for it
	found := regexp.MustCompile(`href="(/\?[^"]*trailhook_test[^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal(page)
	}
	holds(t, b.get(strings.ReplaceAll(found[1], "&amp;", "&")).Body.String(), "1 record", "A test line from the console")
	part := b.get(strings.Replace(path, "?", "/line?", 1), "Sec-Fetch-Mode", "cors").Body.String()
	holds(t, part, "The line arrived.")
	hides(t, part, "<html")
	holds(t, b.get("/sources").Body.String(), "receiving", `<svg class="spark"`, "1 line in the last hour")
}

func TestATestLineIsFoundInQuarantineToo(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/sources/collectors/new", url.Values{"name": {"C"}})
	path, _ := b.done("/sources/new", url.Values{"collector": {"1"}, "name": {`odd "name" | OR`}, "policy": {"unsigned"}, "require_access_key": {"1"}})
	_, page := b.done(path+"/test", url.Values{})
	holds(t, page, "it is in quarantine", "with an access key besides", "Authorization: $SIEM_TOKEN")
}

func TestASourcesSettingsAreKeptByAnEditAndItsSecretsAreNot(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/sources/collectors/new", url.Values{"name": {"C"}})
	all := url.Values{
		"collector": {"1"}, "name": {"S"}, "category": {"audit"}, "host_name": {"h"}, "description": {"what it is"}, "fields": {"team=red\n env = prod\n"},
		"require_access_key": {"1"}, "policy": {"quarantine"}, "retention_days": {"400"}, "keys": {"url"}, "keys_url": {"https://keys.example/jwks"},
		"endpoint": {"http://127.0.0.1:9/in"}, "authorization": {"Bearer secret-of-the-forward"}, "skip_tls": {"1"}, "syslog": {"1"}, "port": {"8071"}, "networks": {"10.0.0.0/8, 192.168.0.0/16"},
	}
	path, page := b.done("/sources/new", all)
	holds(t, page, "400 days", "lines that do not verify are set apart", "https://keys.example/jwks", "with an authorization", "10.0.0.0/8", "logger --server", "team=red")
	edit := b.get(path + "/edit").Body.String()
	holds(t, edit, `value="audit"`, "env=prod\nteam=red", `value="400"`, `value="https://keys.example/jwks"`, `value="8071"`, "One is kept, and is not shown")
	hides(t, page+edit, "secret-of-the-forward")

	// What this page does not know, another client's setting, stays.
	v := s.visit(b)
	members, err := v.membersOf("/api/v1/collectors/1"+path, "source")
	if err != nil {
		t.Fatal(err)
	}
	members["cutoffTimestamp"] = json.RawMessage("9007199254740993")
	if err := v.replace("/api/v1/collectors/1"+path, "*", map[string]any{"source": members}); err != nil {
		t.Fatal(err)
	}
	all.Set("etag", b.etag(path+"/edit"))
	all.Del("authorization")
	all.Set("name", "T")
	all.Set("policy", "keep")
	_, page = b.done(path+"/edit", all)
	holds(t, page, "The source T was changed", "all lines are kept together", "with an authorization")
	if members, err = v.membersOf("/api/v1/collectors/1"+path, "source"); err != nil || string(members["cutoffTimestamp"].(json.RawMessage)) != "9007199254740993" {
		t.Errorf("%v %s", err, members["cutoffTimestamp"])
	}
	holds(t, b.refused(path+"/edit", http.StatusPreconditionFailed, all), "This does not go together with what is there", `value="T"`)
}

func TestASourceThatCannotBeSaysWhyAtItsField(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/sources/collectors/new", url.Values{"name": {"C"}})
	b.done("/sources/new", url.Values{"collector": {"1"}, "name": {"taken"}})
	for field, c := range map[string]struct {
		form url.Values
		want string
	}{
		"name":           {url.Values{"name": {"taken"}}, "the name is in use"},
		"retention_days": {url.Values{"retention_days": {"x"}}, "Give a number from 0 to 3,650"},
		"keys_url":       {url.Values{"keys": {"url"}, "keys_url": {"ftp://x"}}, "This must be an absolute URL"},
		"key_set":        {url.Values{"keys": {"inline"}, "key_set": {`{"keys": [{"kty": "RSA"}]}`}}, "JWKS"},
		"fields":         {url.Values{"fields": {"nothing"}}, "name=value"},
		"networks":       {url.Values{"syslog": {"1"}, "networks": {"10.0.0.1"}}, "is no network"},
		"port":           {url.Values{"syslog": {"1"}, "port": {"70000"}}, "65,535"},
		"endpoint":       {url.Values{"endpoint": {"mailto:x"}}, "This must begin with https://"},
	} {
		c.form.Set("collector", "1")
		if !c.form.Has("name") {
			c.form.Set("name", "kept "+field)
		}
		page := b.refused("/sources/new", http.StatusBadRequest, c.form)
		holds(t, page, c.want, `aria-describedby="about-`+field+`"`, `<p id="about-`+field+`" class="error">`, `value="`+c.form.Get("name")+`"`)
	}
	holds(t, b.refused("/sources/collectors/new", http.StatusBadRequest, url.Values{"name": {"C"}}), `<p id="about-name" class="error">`, "the name is in use")
	holds(t, b.refused("/sources/new", http.StatusNotFound, url.Values{"collector": {"7"}, "name": {"x"}}), "There is no such thing")
}

func TestACollectorIsChangedAndDeletedWithItsSources(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/sources/collectors/new", url.Values{"name": {"C"}})
	path, _ := b.done("/sources/new", url.Values{"collector": {"1"}, "name": {"S"}})
	_, page := b.done("/sources/collectors/1/edit", url.Values{"name": {"D"}, "description": {"of the team"}, "etag": {b.etag("/sources/collectors/1/edit")}})
	holds(t, page, "The collector D was changed", "of the team", "Delete the collector D?", "1 source goes with it")
	_, page = b.done(path+"/delete", url.Values{})
	holds(t, page, "The source was deleted", "This collector has no source yet")
	_, page = b.done("/sources/collectors/1/delete", url.Values{})
	holds(t, page, "Nothing is set up yet")
	if w := b.get(path); w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}

func TestWhoMayOnlyLookIsOfferedNoChangeOfSources(t *testing.T) {
	s := start(t)
	s.send("C", "S", "a line")
	source := s.catalog.Sources(s.catalog.Collectors()[0].ID)[0]
	b := s.analyst()
	list, page := b.get("/sources").Body.String(), b.get("/sources/2").Body.String()
	holds(t, list, "may look at sources", `href="/sources/2"`)
	holds(t, page, "may look at this source", "Latest lines")
	hides(t, list+page, source.Code, "Delete", "/edit", "Send a test line", "New collector")
	for address, form := range map[string]url.Values{
		"/sources/collectors/new": {"name": {"x"}}, "/sources/collectors/1/delete": {}, "/sources/new": {"collector": {"1"}, "name": {"x"}},
		"/sources/2/delete": {}, "/sources/2/edit": {"name": {"x"}, "etag": {"*"}}, "/sources/collectors/1/edit": {"name": {"x"}, "etag": {"*"}},
	} {
		holds(t, b.refused(address, http.StatusForbidden, form), "You may not do this")
	}
}

func TestFormsOfSourcesKeysAndAlertsComeFromTheirPagesOnly(t *testing.T) {
	s := start(t)
	s.send("C", "S", "a line")
	b := s.signedIn()
	for _, list := range [][]route{sourceRoutes(), accessKeyRoutes(), alertRoutes()} {
		for _, r := range list {
			path, posts := strings.CutPrefix(r.pattern, "POST ")
			if !posts {
				continue
			}
			if w := b.do("POST", strings.ReplaceAll(path, "{id}", "1"), url.Values{"csrf": {"x"}}); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	}
}

func TestNothingOfASourceAKeyOrASearchIsEverMarkup(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	b.done("/sources/collectors/new", url.Values{"name": {markup}, "category": {markup}, "description": {markup}})
	source, page := b.done("/sources/new", url.Values{"collector": {"1"}, "name": {markup}, "category": {markup}, "description": {markup}, "host_name": {markup}, "fields": {"x=" + markup}})
	pages := map[string]string{"source": page}
	_, pages["test"] = b.done(source+"/test", url.Values{})
	b.post("/keys/new", url.Values{"label": {markup}, "role": {"analyst"}})
	search, page := b.done("/alerts/new", url.Values{"name": {markup}, "description": {markup}, "query": {`"` + strings.ReplaceAll(markup, `"`, `\"`) + `"`}, "condition": {"count > 0 in 5m"}})
	pages["search"] = page
	pages["refused"] = b.refused("/alerts/new", http.StatusBadRequest, url.Values{"name": {markup}, "query": {markup + `"`}, "condition": {markup}, "url": {markup}})
	for _, path := range []string{"/sources", source + "/edit", "/sources/new?collector=" + url.QueryEscape(markup), "/sources/collectors/1/edit", source + "?line=" + url.QueryEscape(markup), "/keys", "/alerts", search + "/edit", "/alerts/new?query=" + url.QueryEscape(markup)} {
		pages[path] = b.get(path).Body.String()
	}
	for path, body := range pages {
		hides(t, body, "<script>", "<img")
		checkMarkup(t, path, body)
	}
}

func TestRatesAreWrittenByTheTimeInWhichThereIsOne(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 1234.4: "1,234/s", 12.5: "13/s", 1.25: "1.3/s", 0.5: "30/min", 0.1: "6/min", 1.0 / 3600: "1/h", 0.25 / 3600: "0.3/h"} {
		if got := (sourceRates{}).Rate(rate); got != want {
			t.Errorf("%v: %q, want %q", rate, got, want)
		}
	}
}

func TestTheDayOfASourceIsDrawnInAtMost96Steps(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	counts := make([]uint32, 1440)
	counts[0], counts[14], counts[1439] = 1, 2, 10
	c := newDayChart(&sourceMinutes{From: from, Received: counts, Rejected: make([]uint32, 1440), Invalid: counts})
	if c.Step != 15*time.Minute || len(c.Taken) != 2 || c.Taken[1].Height != 100 || c.Most != 10 || len(c.Refused) != 2 || !c.To.Equal(from.Add(24*time.Hour)) {
		t.Errorf("%+v", c)
	}
	if c = newDayChart(&sourceMinutes{From: from, Received: []uint32{1}}); c.Span() != 3600 || len(c.Taken) != 1 || c.Taken[0].X < 980 {
		t.Errorf("%+v", c)
	}
	if newDayChart(&sourceMinutes{From: from, Received: []uint32{0}}) != nil || newDayChart(nil) != nil {
		t.Error("nothing is drawn")
	}
}
