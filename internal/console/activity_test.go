package console_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestActivityShowsWhatWasDoneNewestFirst(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	says(t, c.get("/activity", 200), "<h1>Activity</h1>", "Nothing of this kind yet")
	c.post("/control-planes", fields("name", "first"), "/control-planes/new", 200)
	c.post("/control-planes", fields("name", ""), "/control-planes/new", 400)
	page := c.get("/activity", 200)
	says(t, page, "POST /v2/control-planes", "refused, 400", "done", "127.0.0.1", "Search for all of this trace", "gateway_access", "Admin")
	if strings.Index(page, "refused, 400") > strings.Index(page, "done</span>") {
		t.Error("the newest is not first")
	}
	lacks(t, page, "list control-planes")
	says(t, c.get("/activity?kind=authorization&since=1h", 200), "list audit-logs", "granted", `<option value="1h" selected>`)
	says(t, c.get("/activity?kind=authentication", 200), "sign-in", "success")
	says(t, c.get("/activity?region=eu", 200), "Nothing of this kind yet")
	says(t, c.get("/activity?kind=nonsense", 400), "Something in this is not right")
	says(t, c.get("/activity?after=nonsense", 400), "begin again at the first page")
}

var olderActivity = regexp.MustCompile(`href="([^"]+)" rel="next"`)

func TestOlderActivityIsAPageAway(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	for i := range 60 {
		o.api("POST", "/v2/control-planes", map[string]any{"name": fmt.Sprint(i)})
	}
	page := c.get("/activity", 200)
	if shown := strings.Count(page, "<li data-row>"); shown != 50 {
		t.Fatalf("%d rows", shown)
	}
	next := strings.ReplaceAll(olderActivity.FindStringSubmatch(page)[1], "&amp;", "&")
	if u, err := url.Parse(next); err != nil || u.Query().Get("after") == "" {
		t.Fatalf("older: %s", next)
	}
	page = c.get(next, 200)
	if shown := strings.Count(page, "<li data-row>"); shown != 10 {
		t.Errorf("%d rows on the second page", shown)
	}
	says(t, page, `href="/activity">Newest</a>`)
}
