package delivery

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// try makes a destination and tries it out.
func (o *tenant) try(endpoint, authorization string, skipVerify bool) Trial {
	o.Helper()
	d, err := o.registry.CreateDestination(o.Context(), registry.Destination{
		OrgID: o.id, Name: "siem", Endpoint: endpoint, LogFormat: audit.CEF, SkipSSLVerification: skipVerify,
	}, authorization)
	if err != nil {
		o.Fatal(err)
	}
	trial, err := o.manager.Try(o.Context(), d, event(o.id, 1, "test/1"))
	if err != nil {
		o.Fatal(err)
	}
	return trial
}

func TestATrialSendsWhatADeliveryOfTheEventWould(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	r, org := receive(t, taking(200)), p.organization()
	org.sendTo(r)
	org.record(1)
	r.awaitRequests(1)
	if trial := org.try(r.URL, "key", false); !trial.Delivered || trial.Status != 200 || trial.Answer != "" {
		t.Errorf("trial: %+v", trial)
	}
	requests := r.awaitRequests(2)
	if diff := cmp.Diff(requests[0].header, requests[1].header); diff != "" {
		t.Errorf("headers (-delivery +trial):\n%s", diff)
	}
	if diff := cmp.Diff(requests[0].lines, requests[1].lines); diff != "" {
		t.Errorf("lines (-delivery +trial):\n%s", diff)
	}
}

func TestATrialIsMadeOnceAndLeavesTheWebhookAlone(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	r, org := receive(t, taking(503)), p.organization()
	trial := org.try(r.URL, "key", false)
	last := trial.Phases[len(trial.Phases)-1]
	if trial.Delivered || trial.Status != 503 || last.Name != outbound.PhaseResponse || last.OK || last.Detail != "503 Service Unavailable" {
		t.Errorf("trial: %+v", trial)
	}
	if requests, _ := r.all(); len(requests) != 1 {
		t.Errorf("%d requests were made", len(requests))
	}
	if states := p.manager.states.List(""); len(states) != 0 {
		t.Errorf("states: %+v", states)
	}
}

func TestATrialIsRefusedWhatADeliveryIs(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), func(o *Options) { o.Client = outbound.New(outbound.Options{}) })
	org := p.organization()
	reached := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the address was reached") }))
	t.Cleanup(reached.Close)
	port := reached.URL[strings.LastIndexByte(reached.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"} {
		trial := org.try("http://"+host+port, "", false)
		last := trial.Phases[len(trial.Phases)-1]
		if trial.Delivered || last.Name != outbound.PhaseConnect || last.OK || !strings.Contains(last.Detail, "is refused") || last.Remedy == "" {
			t.Errorf("%s: %+v", host, trial)
		}
	}
}

func TestATrialShowsACertificateThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	org := p.organization()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	trial := org.try(server.URL, "", false)
	last := trial.Phases[len(trial.Phases)-1]
	if trial.Delivered || last.Name != outbound.PhaseTLS || !strings.Contains(last.Detail, "O=Acme Co") || !strings.Contains(last.Remedy, "--destination-ca") {
		t.Errorf("trial: %+v", trial)
	}
	if trial := org.try(server.URL, "", true); !trial.Delivered {
		t.Errorf("with skip_ssl_verification: %+v", trial)
	}
}

func TestATrialShowsTheBeginningOfARefusalButNoSecret(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	org := p.organization()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("siem:pass word"))
	for _, c := range []struct {
		name, authorization string
		answer              func(authorization string) string
		want                string
	}{
		{"text", "key-1", func(string) string { return "no such\r\n\x1b[31m source" }, "no such [31m source"},
		{"nothing", "key-1", func(string) string { return "" }, ""},
		{"the header", "Bearer key-2", func(a string) string { return "bad " + a }, ""},
		{"the credentials", "Bearer key-3", func(string) string { return "bad token 'key-3'" }, ""},
		{"in JSON", `key"4`, func(a string) string { return fmt.Sprintf("%q", a) }, ""},
		{"the password", basic, func(string) string { return "user siem has not the password pass word" }, ""},
		{"the password in a URL", basic, func(string) string { return "/?p=pass+word" }, ""},
		{"in base64", "key-5", func(a string) string { return base64.StdEncoding.EncodeToString([]byte(a)) }, ""},
		{"beyond the limit", "key-6", func(a string) string { return strings.Repeat("é", 1000) + a }, ""},
		{"binary", "key-7", func(string) string { return "\xff\xfe" }, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			io.WriteString(w, c.answer(r.Header.Get("Authorization")))
		}))
		if got := org.try(server.URL, c.authorization, false).Answer; got != c.want {
			t.Errorf("%s: shown is %q, want %q", c.name, got, c.want)
		}
		server.Close()
	}
	long := excerpt([]byte(strings.Repeat("é", 1000)), "")
	if len(long) > maxTrialAnswer || !utf8.ValidString(long) || !strings.HasSuffix(long, "é…") {
		t.Errorf("cut to %d bytes: %q", len(long), long)
	}
}
