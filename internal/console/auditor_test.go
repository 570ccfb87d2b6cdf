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
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/server"
)

// auditServer is a whole server, whose webhooks may reach this machine.
func auditServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		AllowPrivateDestinations: true, Logger: slog.New(slog.DiscardHandler), Batch: server.BatchLimits{Wait: 50 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	return s
}

// auditor is a browser without scripts, of somebody who signs in.
type auditor struct {
	t      *testing.T
	s      *server.Server
	client *http.Client
}

func newAuditor(t *testing.T, s *server.Server, credentials ...url.Values) *auditor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &auditor{t, s, &http.Client{Jar: jar}}
	for _, form := range credentials {
		a.get("/signin", http.StatusOK)
		form.Set("return", "/audit-logs")
		if page := a.submit("/signin", form, "/signin", http.StatusOK); !strings.Contains(page, "<h1>Audit log setup</h1>") && len(credentials) == 1 {
			t.Fatalf("not signed in: %s", page)
		}
	}
	return a
}

func byToken(token string) url.Values { return url.Values{"token": {token}} }
func byKey(s *server.Server) url.Values {
	return url.Values{"id": {s.AccessID}, "key": {s.AccessKey}}
}

func (a *auditor) do(r *http.Request, status int) string {
	a.t.Helper()
	answer, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if answer.StatusCode != status {
		a.t.Fatalf("%s %s: %d, want %d: %s", r.Method, r.URL, answer.StatusCode, status, body)
	}
	return string(body)
}

func (a *auditor) get(path string, status int) string {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.s.SIEMURL+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.do(r, status)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// submit posts a form that a page has, and returns the page that it leads to.
func (a *auditor) submit(path string, form url.Values, page string, status int) string {
	a.t.Helper()
	found := csrfField.FindStringSubmatch(a.get(page, http.StatusOK))
	if found == nil {
		a.t.Fatalf("%s has no form", page)
	}
	form.Set("csrf", found[1])
	return a.post(path, form, status)
}

func (a *auditor) post(path string, form url.Values, status int) string {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.s.SIEMURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return a.do(r, status)
}

// api calls the platform's API as the server's first admin.
func api(t *testing.T, s *server.Server, method, path string, in, out any) {
	t.Helper()
	apiAs(t, s, "test", method, path, in, out)
}

// apiAs calls it by the name of a program.
func apiAs(t *testing.T, s *server.Server, program, method, path string, in, out any) {
	t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.APIURL+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", program)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode > 299 {
		t.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatal(err)
		}
	}
}

// must fails the test unless the page has all the texts.
func must(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q:\n%s", text, main(page))
		}
	}
}

func main(page string) string {
	_, page, _ = strings.Cut(page, "<main")
	return page
}

func never(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page has %q:\n%s", text, main(page))
		}
	}
}

// soon tries until the page has the text.
func soon(t *testing.T, text string, page func() string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := page()
		if strings.Contains(got, text) {
			return got
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still no %q:\n%s", text, main(got))
		}
	}
}
