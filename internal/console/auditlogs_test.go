package console_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAnEmptyInstallationIsSetUpInThreeSteps(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	must(t, a.get("/audit-logs", 200), "Three steps", "Sign in with an access key", s.APIURL+"/v2/audit-log-webhook/jwks.json")
	a = newAuditor(t, s, byToken(s.Token), byKey(s))
	page := a.submit("/audit-logs/first/source", url.Values{}, "/audit-logs", 200)
	must(t, page, "The source Konnect is made", "Make it for the source Konnect")
	must(t, a.submit("/audit-logs/first/source", url.Values{}, "/audit-logs", 200), "There is a source already")
	page = a.submit("/audit-logs/first/destination", url.Values{}, "/audit-logs", 200)
	must(t, page, "The destination Konnect is made", "Turn the webhook on")
	never(t, page, "/receiver/v1/http/")
	id := regexp.MustCompile(`<option value="([0-9a-f-]{36})" selected>Konnect`).FindStringSubmatch(page)
	if id == nil {
		t.Fatalf("the destination is not chosen: %s", main(page))
	}
	page = a.submit("/audit-logs/webhook", url.Values{"destination": {id[1]}, "enabled": {"true"}}, "/audit-logs", 200)
	must(t, page, "The webhook is enabled", "Active", "Webhook of the organization", "Disable")
	soon(t, "Everything is delivered", func() string { return a.get("/audit-logs/live", 200) })

	page = a.submit("/audit-logs/destinations/"+id[1]+"/test", url.Values{}, "/audit-logs", 200)
	must(t, page, "Delivered.", "Connect", "Wait for the answer", "Find it in the search")
	page = a.submit("/audit-logs/webhook", url.Values{"enabled": {"false"}}, "/audit-logs", 200)
	must(t, page, "The webhook is disabled", "Nothing is sent.", "Enable")
	must(t, a.submit("/audit-logs/webhook/delete", url.Values{}, "/audit-logs", 200), "The webhook is deleted", "Three steps")
}

func TestADestinationIsMadeChangedAndDeleted(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	must(t, a.get("/audit-logs/destinations", 200), "No destinations yet", "New destination")
	var given atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		given.Store(r.Header.Get("Authorization"))
	}))
	t.Cleanup(receiver.Close)
	form := func(pairs ...string) url.Values {
		values := url.Values{"name": {"A <b>SIEM</b>"}, "endpoint": {receiver.URL + "/secret"}, "log_format": {"json"}}
		for i := 0; i < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		return values
	}
	const list, form0 = "/audit-logs/destinations", "/audit-logs/destinations/new"
	refused := a.submit(list, form("endpoint", "nowhere", "authorization", "Bearer hush"), form0, 400)
	must(t, refused, `aria-invalid="true"`, "Endpoint ", `value="nowhere"`, "Give it once more", "A &lt;b&gt;SIEM&lt;/b&gt;")
	never(t, refused, "hush")
	must(t, a.submit(list, form("name", ""), form0, 400), `id="field-name" name="name" type="text" value="" autocomplete="off" spellcheck="false" required aria-invalid="true"`)
	page := a.submit(list, form("authorization", "Bearer hush"), form0, 200)
	must(t, page, "is made", "A &lt;b&gt;SIEM&lt;/b&gt;", "No webhook of this region sends to it")
	never(t, page, "hush", "<b>SIEM")
	var all struct{ Data []struct{ ID string } }
	api(t, s, "GET", "/v3/audit-log-destinations", nil, &all)
	if len(all.Data) != 1 {
		t.Fatalf("there are %d destinations", len(all.Data))
	}
	one := list + "/" + all.Data[0].ID

	for _, c := range []struct {
		change url.Values
		want   string
	}{
		{form("name", "Mine"), "Bearer hush"},
		{form("name", "Mine", "authorization", "other"), "other"},
		{form("name", "Mine", "no_authorization", "1", "skip_ssl_verification", "1"), ""},
	} {
		must(t, a.submit(one, c.change, one, 200), "The destination Mine is changed")
		must(t, a.submit(one+"/test", url.Values{}, one, 200), "Delivered.")
		if given.Load() != c.want {
			t.Errorf("the endpoint was given %q, want %q", given.Load(), c.want)
		}
	}
	must(t, a.get(list, 200), "certificate not verified", strings.TrimPrefix(receiver.URL, "http://"))
	never(t, a.get(list, 200), "/secret")
	must(t, a.submit(one, form("endpoint", "nowhere"), one, 400), `aria-invalid="true"`)

	api(t, s, "PATCH", "/v3/audit-log-webhook", map[string]any{"audit_log_destination_id": all.Data[0].ID, "enabled": false}, nil)
	must(t, a.get(one, 200), "<b>the organization&#39;s webhook</b>", "It can be deleted once")
	must(t, a.submit(one+"/delete", url.Values{}, one, 409), "in use by a webhook", "<b>the organization&#39;s webhook</b>")
	api(t, s, "DELETE", "/v3/audit-log-webhook", nil, nil)
	must(t, a.submit(one+"/delete", url.Values{}, one, 200), "The destination Mine is deleted", "No destinations yet")
	a.get(one, 404)
}

func TestATestOfADestinationTellsThePhaseThatFailed(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no <i>room</i>", http.StatusInsufficientStorage)
	}))
	t.Cleanup(receiver.Close)
	var made struct{ ID string }
	api(t, s, "POST", "/v3/audit-log-destinations", map[string]any{"name": "Full", "endpoint": receiver.URL, "authorization": "", "log_format": "cef"}, &made)
	test := "/audit-logs/destinations/" + made.ID + "/test"
	must(t, a.submit(test, url.Values{}, "/audit-logs/destinations", 200), "Not delivered", "no &lt;i&gt;room&lt;/i&gt;", "507", `<span class="badge bad">failed</span>`)
	receiver.Close()
	page := a.submit(test, url.Values{}, "/audit-logs/destinations", 200)
	must(t, page, "Not delivered", "Connect")
	never(t, page, "Wait for the answer")
}

func TestLinesSetAsideAreSentAgainOrGivenUp(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	must(t, a.get("/audit-logs/set-aside", 200), "No lines are set aside")
	var mended atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		if lines, _ := io.ReadAll(body); bytes.Contains(lines, []byte("poison")) && !mended.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(receiver.Close)
	var made struct{ ID string }
	api(t, s, "POST", "/v3/audit-log-destinations", map[string]any{"name": "Fussy", "endpoint": receiver.URL, "authorization": "", "log_format": "cef"}, &made)
	api(t, s, "PATCH", "/v3/audit-log-webhook", map[string]any{"audit_log_destination_id": made.ID, "enabled": true}, nil)
	for i := range 3 { // of each call two events are recorded
		apiAs(t, s, fmt.Sprintf("poison%d", i), "GET", "/v2/control-planes", nil, nil)
		api(t, s, "GET", "/v2/control-planes", nil, nil)
	}
	id := regexp.MustCompile(`name="id" value="([0-9]+)"`)
	page := soon(t, `<b>6</b> 422`, func() string { return a.get("/audit-logs/set-aside", 200) })
	must(t, page, "poison0", "Give up")
	must(t, soon(t, "Set aside, ever", func() string { return a.get("/audit-logs", 200) }), "6 lines", "6 lines were refused by the endpoint, ever, and set aside.")
	first := id.FindStringSubmatch(page)
	must(t, a.submit("/audit-logs/set-aside/resend", url.Values{"id": {first[1]}}, "/audit-logs/set-aside", 200), "1 line refused again. The last answer: 422")
	page = a.submit("/audit-logs/set-aside/discard", url.Values{"id": {first[1]}}, "/audit-logs/set-aside", 200)
	must(t, page, "The line is given up", `<b>5</b> 422`)
	a.submit("/audit-logs/set-aside/discard", url.Values{"id": {first[1]}}, "/audit-logs/set-aside", 404)
	mended.Store(true)
	page = a.submit("/audit-logs/set-aside/resend", url.Values{}, "/audit-logs/set-aside", 200)
	must(t, page, "5 lines taken by the endpoint.", "No lines are set aside")
}

func TestAReplayIsAskedForAndWatched(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	must(t, a.get("/audit-logs/replay", 200), "None was asked for yet", "There is no enabled webhook")
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	var made struct{ ID string }
	api(t, s, "POST", "/v3/audit-log-destinations", map[string]any{"name": "D", "endpoint": receiver.URL, "authorization": "", "log_format": "cef"}, &made)
	api(t, s, "PATCH", "/v3/audit-log-webhook", map[string]any{"audit_log_destination_id": made.ID, "enabled": true}, nil)
	const path = "/audit-logs/replay"
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"last": {"-1y"}}, "Choose a time."},
		{url.Values{"last": {"custom"}, "from": {"soon"}, "to": {"2026-01-01T00:00"}}, "Give a date and a time of day."},
		{url.Values{"last": {"custom"}, "from": {"2001-01-01T00:00"}, "to": {"2001-01-02T00:00"}}, "Must lie within the last 7 days"},
		{url.Values{"last": {"custom"}, "timeZone": {"Europe/Berlin"}, "from": {"2001-01-02T00:00"}, "to": {""}}, "Give a date and a time of day."},
	} {
		page := a.submit(path, c.form, path, 400)
		must(t, page, c.want, `aria-invalid="true"`)
	}
	must(t, a.submit(path, url.Values{"last": {"-1h"}}, path, 200), "The replay is accepted")
	page := soon(t, "completed", func() string { return a.get("/audit-logs/replay/jobs", 200) })
	must(t, page, "The organization", "events sent")
	never(t, page, "data-running", "<html")
}

func TestAPortalsWebhookHasAPageOfItsOwn(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	var portal, made struct{ ID string }
	api(t, s, "POST", "/v3/portals", map[string]any{"name": "Dev & Co"}, &portal)
	api(t, s, "POST", "/v3/audit-log-destinations", map[string]any{"name": "D", "endpoint": "https://siem.example.com/x", "authorization": "", "log_format": "cef"}, &made)
	page := "/audit-logs?portal=" + portal.ID
	must(t, a.get(page, 200), "Audit events of the portal Dev &amp; Co", "Turn the webhook on")
	must(t, a.submit("/audit-logs/webhook?portal="+portal.ID, url.Values{"destination": {made.ID}, "enabled": {"true"}}, page, 200), "Webhook of the portal Dev &amp; Co", "The webhook is enabled")
	must(t, a.get("/audit-logs", 200), "Three steps", "All webhooks of the region", "Portal Dev &amp; Co")
	must(t, a.get("/audit-logs/destinations", 200), "the webhook of the portal Dev &amp; Co")
	must(t, a.get("/audit-logs/set-aside?portal="+portal.ID, 200), "No lines are set aside")
	must(t, a.get("/audit-logs/replay?portal="+portal.ID, 200), "The events of the portal Dev &amp; Co")
	a.get("/audit-logs?portal=nothing", 404)
	must(t, a.get("/audit-logs?region=eu", 200), `<option value="eu" selected>`, "Three steps")
}

func TestWhoMayOnlyLookIsNotOfferedMore(t *testing.T) {
	s := auditServer(t)
	var user, token struct {
		ID    string
		Token string `json:"konnect_token"`
	}
	api(t, s, "POST", "/trailhook/v1/users", map[string]any{"email": "v@example.com", "full_name": "V"}, &user)
	api(t, s, "POST", "/v3/users/"+user.ID+"/access-tokens", map[string]any{"name": "test", "ttl_seconds": 3600}, &token)
	for _, c := range []struct {
		role   string
		status int
	}{{"", 403}, {"Viewer", 200}} {
		if c.role != "" {
			api(t, s, "POST", "/v3/users/"+user.ID+"/assigned-roles", map[string]any{
				"role_name": c.role, "entity_type_name": "Audit Logs", "entity_id": "*", "entity_region": "*"}, nil)
		}
		jar, _ := cookiejar.New(nil)
		a := &auditor{t, s, &http.Client{Jar: jar}}
		a.submit("/signin", url.Values{"token": {token.Token}, "return": {"/audit-logs"}}, "/signin", c.status)
		if c.status == 403 {
			must(t, a.get("/audit-logs", 403), "You may not do this", "Ask who administers")
			continue
		}
		must(t, a.get("/audit-logs", 200), "Audit log setup")
		must(t, a.submit("/audit-logs/destinations", url.Values{"name": {"n"}, "endpoint": {"https://x.example"}, "log_format": {"cef"}}, "/audit-logs/destinations", 403), "You may not do this")
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token))
	for _, path := range []string{
		"/audit-logs/webhook", "/audit-logs/webhook/delete", "/audit-logs/first/source", "/audit-logs/first/destination",
		"/audit-logs/destinations", "/audit-logs/destinations/x", "/audit-logs/destinations/x/delete", "/audit-logs/destinations/x/test",
		"/audit-logs/set-aside/resend", "/audit-logs/set-aside/discard", "/audit-logs/replay",
	} {
		must(t, a.post(path, url.Values{"csrf": {"made up"}}, 403), "This form was not accepted")
	}
}

// What makes a page's policy fail, or its data markup, is looked for on each.
func TestTheSetupsPagesHoldNothingInlineAndNoMarkupOfOthers(t *testing.T) {
	s := auditServer(t)
	a := newAuditor(t, s, byToken(s.Token), byKey(s))
	const markup = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	var portal, made struct{ ID string }
	api(t, s, "POST", "/v3/portals", map[string]any{"name": markup}, &portal)
	api(t, s, "POST", "/v3/audit-log-destinations", map[string]any{
		"name": markup, "endpoint": "https://example.com/" + url.PathEscape(markup), "authorization": "", "log_format": "cef"}, &made)
	api(t, s, "PATCH", "/v3/portals/"+portal.ID+"/audit-log-webhook", map[string]any{"audit_log_destination_id": made.ID, "enabled": true}, nil)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+="|<script>|<img|javascript:`)
	for _, path := range []string{
		"/audit-logs", "/audit-logs/live", "/audit-logs/destinations", "/audit-logs/destinations/new", "/audit-logs/destinations/" + made.ID,
		"/audit-logs/set-aside", "/audit-logs/replay", "/audit-logs/replay/jobs",
	} {
		for _, query := range []string{"", "?portal=" + portal.ID, "?region=" + url.QueryEscape(markup)} {
			if found := inline.FindString(a.get(path+query, http.StatusOK)); found != "" {
				t.Errorf("%s has %q in it", path+query, found)
			}
		}
	}
}
