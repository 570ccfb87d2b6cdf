package outbound

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestATraceTellsHowFarARequestCame(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/401":
			w.WriteHeader(401)
		case "/302":
			http.Redirect(w, r, "http://elsewhere.example.com/SECRET", http.StatusFound)
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	}))
	plain.Config.ErrorLog = quiet()
	t.Cleanup(plain.Close)
	encrypted := newTLSServer(t)
	port := func(s *httptest.Server) string { return ":" + portOf(t, s) }
	names := fixed(map[string]string{
		"siem.example.com": "127.0.0.1", "metadata.example.com": "169.254.169.254", "example.com": "127.0.0.1", "siem.example.org": "127.0.0.1",
	})
	trusting := loopback()
	trusting.RootCAs = x509.NewCertPool()
	trusting.RootCAs.AddCert(encrypted.Certificate())
	silent := rawServer(t, func(conn *net.TCPConn, _ []byte) { conn.Close() })

	for _, c := range []struct {
		name    string
		options Options
		request Request
		want    string // the phases, the failed one with an exclamation mark
		detail  string // in the last phase
		remedy  string // in the last phase
	}{
		{"over http", loopback(), Request{URL: plain.URL}, "resolve connect request response", "200 OK", ""},
		{"to a name", loopback(), Request{URL: "http://siem.example.com" + port(plain)}, "resolve connect request response", "200 OK", ""},
		{"over https", trusting, Request{URL: "https://example.com" + port(encrypted)}, "resolve connect tls request response", "200 OK", ""},
		{"without verification", loopback(), Request{URL: encrypted.URL, SkipTLSVerify: true}, "resolve connect tls request response", "200 OK", ""},
		{"refused by the receiver", loopback(), Request{URL: plain.URL + "/401"}, "resolve connect request response!", "401 Unauthorized", "authorization"},
		{"redirected", loopback(), Request{URL: plain.URL + "/302"}, "resolve connect request response!", "302 Found (redirects are not followed)", "endpoint"},
		{"not answered", loopback(), Request{URL: plain.URL + "/abort"}, "resolve connect request response!", "connection closed without an answer", "log"},
		{"to nobody", loopback(), Request{URL: "http://unknown.example.com"}, "resolve!", "host not found: unknown.example.com", "resolver"},
		{"to a closed port", loopback(), Request{URL: "http://" + unusedAddress(t)}, "resolve connect!", "connection refused", "port"},
		{"to loopback", Options{}, Request{URL: "http://siem.example.com" + port(plain)}, "resolve connect!", "address 127.0.0.1 is refused: loopback", "--allow-private-destinations"},
		{"to a metadata service", loopback(), Request{URL: "http://metadata.example.com/"}, "resolve connect!", "address 169.254.169.254 is refused", "--allow-destinations"},
		{"to an unknown authority", loopback(), Request{URL: "https://example.com" + port(encrypted)}, "resolve connect tls!", "certificate is not trusted", "--destination-ca"},
		{"to another host's certificate", trusting, Request{URL: "https://siem.example.org" + port(encrypted)}, "resolve connect tls!", "certificate of O=Acme Co", "host that the certificate names"},
		{"with TLS to a port without", loopback(), Request{URL: "https://siem.example.org" + port(plain)}, "resolve connect tls!", "does not speak TLS", "TLS 1.2"},
		{"with TLS to who hangs up", loopback(), Request{URL: strings.Replace(silent, "http:", "https:", 1)}, "resolve connect tls!", "connection", "TLS 1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.request.Body = []byte("a line")
			trace, response, err := newResolvingClient(t, c.options, names).Trace(t.Context(), c.request)
			if got := summary(trace); got != c.want {
				t.Fatalf("phases %q, want %q: %+v, %v", got, c.want, trace, err)
			}
			last := trace[len(trace)-1]
			if !strings.Contains(last.Detail, c.detail) || !strings.Contains(last.Remedy, c.remedy) || (c.remedy == "") != (last.Remedy == "") {
				t.Errorf("last phase %+v, want detail %q and remedy %q", last, c.detail, c.remedy)
			}
			if (err == nil) != (last.Name == PhaseResponse && response.Status != 0) {
				t.Errorf("status %d, error %v", response.Status, err)
			}
			for _, phase := range trace {
				checkMessage(t, phase.Detail)
				if strings.Contains(phase.Detail, "SEC") || phase.Took < 0 {
					t.Errorf("phase %+v", phase)
				}
			}
		})
	}
}

func TestATraceNamesTheAddressesAndTheCertificate(t *testing.T) {
	server := newTLSServer(t)
	options := loopback()
	options.RootCAs = x509.NewCertPool()
	options.RootCAs.AddCert(server.Certificate())
	client := newResolvingClient(t, options, fixed(map[string]string{"example.com": "127.0.0.1"}))
	trace, _, err := client.Trace(t.Context(), Request{URL: "https://example.com:" + portOf(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	var details []string
	for _, phase := range trace {
		details = append(details, phase.Detail)
	}
	want := []string{
		"127.0.0.1", "127.0.0.1:" + portOf(t, server),
		"TLS 1.3, certificate of O=Acme Co from O=Acme Co until 2084-01-29", "sent", "200 OK",
	}
	if diff := cmp.Diff(want, details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

// A connection that is kept would hide what a new one would meet.
func TestEveryTraceConnectsAnewByTheSameGuard(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	client := newTestClient(t, Options{Policy: Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
	if _, err := client.Post(t.Context(), Request{URL: server.URL}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if trace, _, err := client.Trace(t.Context(), Request{URL: server.URL}); err != nil || summary(trace) != "resolve connect request response" {
			t.Errorf("phases %q, %v", summary(trace), err)
		}
	}
}

func TestATraceEndsWithTheLimitsOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		dial, stop := serveInMemory(silent())
		defer stop()
		client := newClient(Options{}, dial)
		trace, _, err := client.Trace(t.Context(), Request{URL: "http://siem.example.com/"})
		if err == nil || time.Since(begin) != DefaultHeaderTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		last := trace[len(trace)-1]
		if last.Name != PhaseResponse || last.OK || last.Detail != "timed out" || last.Took != DefaultHeaderTimeout {
			t.Errorf("last phase %+v", last)
		}
	})
}

func TestAMalformedURLHasNoPhases(t *testing.T) {
	trace, _, err := newTestClient(t, loopback()).Trace(t.Context(), Request{URL: "https://user:SECRET@siem.example.com"})
	if err == nil || strings.Contains(err.Error(), "SECRET") || len(trace) > 1 {
		t.Errorf("%+v, %v", trace, err)
	}
}

func summary(trace Trace) string {
	var names []string
	for _, phase := range trace {
		name := phase.Name
		if !phase.OK {
			name += "!"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
