package console

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

// everyPage are the addresses of all pages and parts of the SIEM's half, and of
// what they load. The platform's have tests of their own, beside a platform.
func everyPage() []string {
	list := []string{"/?query=(", "/?query=*|count+by+kind", "/?query=nothing", "/export?format=none", "/export?format=csv&query=(", "/static/base.css", "/static/console.js", "/static/icon.svg", "/static/nothing.css"}
	for _, r := range routes() {
		if path, ok := strings.CutPrefix(r.pattern, "GET "); ok && r.needs != platform && !strings.HasSuffix(path, "/events") {
			list = append(list, strings.TrimSuffix(path, "{$}"))
		}
	}
	return list
}

func TestEveryAnswerCarriesTheHeadersThatShutThePageIn(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", konnectLine(nil))
	for _, b := range []*browser{s.browser(), s.signedIn()} {
		for _, path := range everyPage() {
			h := b.get(path).Header()
			policy := h.Get("Content-Security-Policy")
			for _, want := range []string{
				"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "frame-ancestors 'none'",
				"base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'",
			} {
				if !strings.Contains(policy, want) {
					t.Errorf("%s: the policy %q lacks %s", path, policy, want)
				}
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
				h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s: %v", path, h)
			}
			if kept := h.Get("Cache-Control"); kept != "no-store" && !strings.HasPrefix(path, "/static/") && path != "/search/words" {
				t.Errorf("%s: a page that may be kept: %q", path, kept)
			}
		}
	}
}

func TestNoPageHasInlineScriptsOrStylesOrLoadsFromElsewhere(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", konnectLine(nil))
	for _, b := range []*browser{s.browser(), s.signedIn()} {
		for _, path := range everyPage() {
			w := b.get(path)
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				checkMarkup(t, path, w.Body.String())
			}
		}
	}
}

// checkMarkup looks for what the policy would refuse.
func checkMarkup(t *testing.T, page, markup string) {
	t.Helper()
	for _, e := range elements(t, markup) {
		attribute := map[string]string{}
		for _, a := range e.Attr {
			name := strings.ToLower(a.Name.Local)
			attribute[name] = a.Value
			if strings.HasPrefix(name, "on") || name == "style" || name == "srcdoc" {
				t.Errorf("%s: <%s %s=%q>", page, e.Name.Local, name, a.Value)
			}
			if slices.Contains([]string{"href", "src", "action", "formaction", "data", "poster"}, name) && !ofOurs(a.Value) {
				t.Errorf("%s: <%s %s=%q> leads elsewhere", page, e.Name.Local, name, a.Value)
			}
		}
		switch strings.ToLower(e.Name.Local) {
		case "script":
			if attribute["type"] != "module" || !strings.HasPrefix(attribute["src"], "/static/") {
				t.Errorf("%s: a script that is not a file of ours: %v", page, e.Attr)
			}
		case "style", "iframe", "object", "embed", "base", "img":
			t.Errorf("%s: <%s>", page, e.Name.Local)
		}
	}
}

func ofOurs(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && (strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") || strings.HasPrefix(address, "#"))
}

// elements lists the elements of a page.
func elements(t *testing.T, page string) []xml.StartElement {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var list []xml.StartElement
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		if start, ok := token.(xml.StartElement); ok {
			list = append(list, start.Copy())
		}
	}
}

// markup would be an element, an attribute or an entity wherever it is not escaped.
const markup = `"><script>alert(1)</script><img src=x onerror='alert(2)' x="&lt;b&gt;{{.}}`

// hostileLines have markup in every field of every kind of event.
func hostileLines() []string {
	hostile := func(change func(*audit.Event)) string {
		return konnectLine(func(e *audit.Event) {
			e.Source, e.OrgID, e.PrincipalID, e.PrincipalName, e.ActorID, e.UserAgent = markup, markup, markup, markup, markup, markup
			e.Service, e.Resource, e.Action, e.Request, e.Query, e.Method = markup, markup, markup, markup, markup, markup
			change(e)
		})
	}
	return []string{
		hostile(func(*audit.Event) {}),
		hostile(func(e *audit.Event) { e.PrincipalName = "" }),
		hostile(func(e *audit.Event) { e.Kind, e.Status = audit.Access, 200 }),
		hostile(func(e *audit.Event) {
			e.Kind, e.Outcome, e.AuthType = audit.Authentication, audit.Outcome(markup), audit.AuthType(markup)
		}),
		`CEF:0|` + markup + `|` + markup + `|1|` + markup + `|` + markup + `|` + markup + `|act=` + markup + ` suser=` + markup,
		`CEF:0|KongInc|Konnect|1.0|konnect|Authz.` + markup + `|1|rt=` + markup, // with a parse error that quotes it
		markup,
		"javascript:alert(3)",
	}
}

func TestNothingOfALineIsEverMarkup(t *testing.T) {
	s := start(t)
	lines := hostileLines()
	s.send(markup, markup, strings.Join(lines, "\n"), "X-Sumo-Name", markup, "X-Sumo-Host", markup, "X-Sumo-Category", markup, "X-Sumo-Fields", "a="+markup)
	b := s.signedIn()
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(markup) + `"`
	for _, query := range []string{
		"", `"script"`, markup, markup + `"`, "src=" + quoted, `NOT "` + strings.ReplaceAll(markup, `"`, ``) + `"`,
		"* | count by principal_name", "* | timeslice 1h | count by _timeslice, src", "* | " + quoted + " as x | count by x",
		`* | count by %` + quoted, `* | parse regex "(?<found>.*)"`,
	} {
		for _, path := range []string{"/", "/search/results", "/search/histogram", "/tail"} {
			for _, more := range []url.Values{{}, {"from": {markup}}, {"to": {markup}}, {"timeZone": {markup}}, {"sort": {markup}}, {"view": {markup}}, {"before": {markup}}} {
				if len(more) > 0 && (path != "/" || query != "") {
					continue
				}
				more.Set("query", query)
				w := b.get(path + "?" + more.Encode())
				body := w.Body.String()
				if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
					t.Errorf("%s?%s: markup came out: %s", path, more.Encode(), body)
				}
				checkMarkup(t, fmt.Sprintf("%s?%s", path, more.Encode()), body)
				if path == "/" && query == "" && len(more) == 1 && strings.Count(body, "&lt;script&gt;alert(1)") < 3*len(lines) {
					t.Errorf("the lines are not all shown: %s", body)
				}
			}
		}
	}
	for _, path := range []string{"/signin?return=" + url.QueryEscape("/"+markup), "/follow?return=" + url.QueryEscape("/?query="+markup), "/follow?return=javascript:alert(1)"} {
		checkMarkup(t, path, b.get(path).Body.String())
	}
	failed := b.signIn(url.Values{"id": {markup}, "key": {"x"}, "return": {markup}})
	checkMarkup(t, "sign in", failed.Body.String())
}

func TestThePathsOfTheConsoleAreItsOwnOnly(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	for path, want := range map[string]int{
		"/": 200, "/static/base.css": 200, "/static/": 404, "/static/x": 404, "/static/..%2fconsole.go": 404, "/nothing": 404, "/api/v1/collectors": 401,
		"/control-planes": 404, // its half does not run here
	} {
		if w := b.get(path); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
	if w := b.get("/nothing", "Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate"); w.Code != 404 || !strings.Contains(w.Body.String(), "There is no such page") {
		t.Errorf("GET /nothing in a browser: %d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %d", w.Code)
	}
	if w := b.do("HEAD", "/", nil); w.Code != http.StatusOK {
		t.Errorf("HEAD /: %d", w.Code)
	}
}

func TestAFileIsSentAgainOnlyWhenItChanged(t *testing.T) {
	s := start(t)
	b := s.browser()
	w := b.get("/static/console.js")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w = b.get("/static/console.js", "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("%d", w.Code)
	}
}

func TestTheChosenColoursAreThePages(t *testing.T) {
	s := start(t)
	b := s.browser()
	for _, c := range []struct{ chosen, want string }{{"dark", `<html lang="en" data-theme="dark">`}, {"light", `data-theme="light"`}, {"", `<html lang="en">`}, {markup, `<html lang="en">`}} {
		b.post("/theme", url.Values{"theme": {c.chosen}, "return": {"/signin"}})
		holds(t, b.get("/signin").Body.String(), c.want)
	}
}

func TestPagesThatAreNotThereAreNotInTheNavigation(t *testing.T) {
	s := start(t)
	page := s.signedIn().get("/").Body.String()
	holds(t, page, `<a href="/" data-go="s" aria-current="page">Search</a>`, `<a href="/tail" data-go="l">Live tail</a>`)
	for _, path := range []string{"/control-planes", "/people"} {
		if strings.Contains(page, `href="`+path+`"`) {
			t.Errorf("%s is linked to, and its half does not run", path)
		}
	}
}

// The console is a client like any other: what it may know of the halves is the
// syntax of queries.
func TestTheConsoleImportsNeitherHalf(t *testing.T) {
	const module = "github.com/trailhook/trailhook/"
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dep := range strings.Fields(string(out)) {
		if name, ours := strings.CutPrefix(dep, module); ours && !slices.Contains([]string{"audit", "internal/search", "internal/tracing", "internal/console"}, name) {
			t.Errorf("it imports %s", name)
		}
	}
}
