package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/server"
)

// office is a whole server, whose admin can do everything by the API.
type office struct {
	t *testing.T
	s *server.Server
}

func openOffice(t *testing.T) *office {
	t.Helper()
	s, err := server.Start(context.WithoutCancel(t.Context()), server.Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	return &office{t, s}
}

// api calls the platform's API as the admin, and returns the answer's object.
func (o *office) api(method, path string, in any) map[string]any {
	o.t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			o.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.s.APIURL+path, &body)
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.s.Token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if answer.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
			o.t.Fatal(err)
		}
	}
	if answer.StatusCode >= 300 {
		o.t.Fatalf("%s %s: %d %v", method, path, answer.StatusCode, out)
	}
	return out
}

// me is the admin's id.
func (o *office) me() string { return o.api("GET", "/v3/users/me", nil)["id"].(string) }

// lowly adds a person with the roles, and returns a token of theirs. A role is
// its type of entity and its name.
func (o *office) lowly(roles ...[2]string) (token string) {
	o.t.Helper()
	user := "/v3/users/" + o.api("POST", "/trailhook/v1/users", map[string]any{"email": "low@example.com", "full_name": "Low Ly"})["id"].(string)
	for _, role := range roles {
		o.api("POST", user+"/assigned-roles", map[string]any{"entity_type_name": role[0], "role_name": role[1], "entity_id": "*", "entity_region": "*"})
	}
	return o.api("POST", user+"/access-tokens", map[string]any{"name": "low", "ttl_seconds": 3600})["konnect_token"].(string)
}

// clerk is somebody who has signed in, with a browser that runs no scripts.
type clerk struct {
	t      *testing.T
	origin string
	client *http.Client
}

func (o *office) clerk(token string) *clerk {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	c := &clerk{o.t, o.s.SIEMURL, &http.Client{Jar: jar}}
	c.post("/signin", url.Values{"token": {token}, "return": {"/tokens"}}, "/signin", http.StatusOK)
	return c
}

func (c *clerk) do(method, path string, form url.Values, status int) (body, at string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.StatusCode != status {
		c.t.Fatalf("%s %s %v: %d, want %d:\n%s", method, path, form, answer.StatusCode, status, content(string(text)))
	}
	c.shutIn(answer, string(text))
	return string(text), answer.Request.URL.RequestURI()
}

// inline is what the policy forbids; in a text that is escaped it has no quotes.
var inline = regexp.MustCompile(`<[^>]*\s(on\w+|style)=["']|<script[^>]*>[^<]|<style`)

// shutIn checks that a page has the policy that keeps scripts out, and keeps to it.
func (c *clerk) shutIn(answer *http.Response, page string) {
	c.t.Helper()
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
		c.t.Errorf("%s: the policy is %q", answer.Request.URL, policy)
	}
	if found := inline.FindString(page); found != "" {
		c.t.Errorf("%s: the page has %s", answer.Request.URL, found)
	}
}

func (c *clerk) get(path string, status int) string {
	c.t.Helper()
	body, _ := c.do("GET", path, nil, status)
	return body
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends a form with the token of a page, and returns the page that it leads
// to, and its path.
func (c *clerk) post(path string, form url.Values, page string, status int) (body, at string) {
	c.t.Helper()
	found := formToken.FindStringSubmatch(c.get(page, http.StatusOK))
	if found == nil {
		c.t.Fatalf("%s has no form", page)
	}
	form.Set("csrf", found[1])
	return c.do("POST", path, form, status)
}

// fields makes a form of names and values.
func fields(pairs ...string) url.Values {
	form := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return form
}

// content is what a page has beside its frame, without its empty lines.
func content(page string) string {
	if _, main, found := strings.Cut(page, "<main"); found {
		page, _, _ = strings.Cut(main, "</main>")
	}
	return regexp.MustCompile(`\n\s*\n`).ReplaceAllString(page, "\n")
}

// says reports each text that a page lacks.
func says(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q:\n%s", text, content(page))
		}
	}
}

// lacks reports each text that a page has.
func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page says %q:\n%s", text, content(page))
		}
	}
}

// hostile would be an element or an attribute wherever it is not escaped.
const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`

// inert checks that a page shows the hostile text, as text.
func inert(t *testing.T, page string) {
	t.Helper()
	says(t, page, "&lt;script&gt;alert(1)")
	lacks(t, page, "<script>alert", "<img")
}
