package console_test

import (
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

// person is a browser at a running server.
type person struct {
	t      *testing.T
	client *http.Client
	server *server.Server
}

func startServer(t *testing.T, change func(*server.Config)) *person {
	t.Helper()
	config := server.Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		Logger: slog.New(slog.DiscardHandler), AllowPrivateDestinations: true, Batch: server.BatchLimits{Wait: time.Millisecond},
	}
	if change != nil {
		change(&config)
	}
	s, err := server.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, &http.Client{Jar: jar}, s}
}

// get fetches a page, following redirects, and returns its path and what it says.
func (p *person) get(path string) (at, body string) {
	p.t.Helper()
	return p.read(p.client.Get(p.server.SIEMURL + path))
}

func (p *person) read(response *http.Response, err error) (at, body string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.Request.URL.RequestURI(), string(text)
}

var csrf = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (p *person) signIn(form url.Values) (at, body string) {
	p.t.Helper()
	_, page := p.get("/signin")
	form.Set("csrf", csrf.FindStringSubmatch(page)[1])
	return p.read(p.client.PostForm(p.server.SIEMURL+"/signin", form))
}

func (p *person) events(path string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), "GET", p.server.APIURL+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.server.Token)
	_, body := p.read(http.DefaultClient.Do(request))
	return body
}

func TestOneSessionHoldsTheCredentialsOfBothHalves(t *testing.T) {
	p := startServer(t, nil)
	if at, body := p.signIn(url.Values{"token": {p.server.Token}, "return": {"/tail?query=x"}}); at != "/tail?query=x" ||
		!strings.Contains(body, "This page needs your access key") || !strings.Contains(body, `name="return" value="/tail?query=x"`) ||
		strings.Contains(body, `name="token"`) {
		t.Fatalf("signed in with a token, %s says %s", at, body)
	}
	if at, body := p.signIn(url.Values{"id": {p.server.AccessID}, "key": {p.server.AccessKey}, "return": {"/tail?query=x"}}); at != "/tail?query=x" ||
		!strings.Contains(body, "data-tail=") || strings.Contains(body, "Sign in to the other half") {
		t.Fatalf("signed in with both, %s says %s", at, body)
	}
	if _, body := p.get("/"); !strings.Contains(body, p.server.AccessID+", ") {
		t.Error("the page does not show who is signed in, to which half")
	}
}

func TestAWrongTokenSignsNobodyIn(t *testing.T) {
	p := startServer(t, nil)
	for _, token := range []string{"kpat_wrong", "x", ""} {
		at, body := p.signIn(url.Values{"token": {token}})
		if at != "/signin" || !strings.Contains(body, `id="token-error"`) {
			t.Errorf("%q: %s says %s", token, at, body)
		}
	}
}

func TestASignInWithATokenIsRecorded(t *testing.T) {
	p := startServer(t, nil)
	p.signIn(url.Values{"token": {p.server.Token}})
	body := p.events("/v3/audit-logs")
	for _, want := range []string{`"type":"authentication"`, `"uri":"/v3/users/me"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no event of the sign-in (%s): %s", want, body)
		}
	}
}

func TestOnlyTheHalfThatRunsIsAskedFor(t *testing.T) {
	p := startServer(t, func(c *server.Config) { c.APIAddr = "" })
	at, body := p.get("/tail")
	if at != "/signin?return=%2Ftail" || strings.Contains(body, `name="token"`) || !strings.Contains(body, `name="key"`) {
		t.Errorf("%s says %s", at, body)
	}
}
