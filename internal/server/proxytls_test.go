package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestTheDataPlaneServesTheSameOverTLSAndHTTP2(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		fmt.Fprintf(w, "%s %s %s %d %v from %s %s", r.Proto, r.Method, r.URL, n, err, r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Via"))
		w.Header().Set("X-Sum", "7")
	}))
	t.Cleanup(upstream.Close)
	srv := startPlatform(t, Config{DataDir: t.TempDir(), TLS: "auto", ProxyAddr: "127.0.0.1:0", ProxyTLSAddr: "127.0.0.1:0", ProxyControlPlane: "quickstart"})
	authority, err := os.ReadFile(srv.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	call := func(method, path, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, srv.APIURL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+srv.Token)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
			t.Fatalf("%s: %s %s", path, resp.Status, text)
		}
	}
	call("POST", "/v2/control-planes", `{"name":"quickstart"}`)
	plane, _ := srv.platform.registry.FirstOrganization()
	core := "/v2/control-planes/" + srv.platform.registry.ControlPlanes(plane.ID, "us")[0].ID + "/core-entities"
	call("PUT", core+"/services/s", fmt.Sprintf(`{"url":%q}`, upstream.URL))
	call("PUT", core+"/services/s/routes/r", `{"paths":["/a"],"protocols":["https"]}`)
	call("POST", core+"/plugins", `{"name":"audit"}`)
	plain, encrypted := srv.Proxy[0], srv.Proxy[1]
	if !strings.HasPrefix(plain, "http://") || !strings.HasPrefix(encrypted, "https://") {
		t.Fatalf("the addresses are %v", srv.Proxy)
	}
	answers(t, plain+"/a", http.StatusUpgradeRequired, "use HTTPS")
	for _, test := range []struct{ method, body, want string }{
		{"GET", "", "HTTP/1.1 GET /x 0 <nil> from https 2 trailhook"},
		{"POST", "", "HTTP/1.1 POST /x 0 <nil> from https 2 trailhook"},
		{"POST", strings.Repeat("x", 3<<20), "HTTP/1.1 POST /x 3145728 <nil> from https 2 trailhook"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, encrypted+"/a/x", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || resp.Proto != "HTTP/2.0" || string(text) != test.want || resp.Trailer.Get("X-Sum") != "7" || resp.Header.Get("X-Hop") != "" {
			t.Errorf("%s with %d bytes: %s %d %q %v %v %v", test.method, len(test.body), resp.Proto, resp.StatusCode, text, resp.Header, resp.Trailer, err)
		}
	}
	if _, err := http.Get(encrypted + "/a"); err == nil {
		t.Error("the certificate is good for whoever does not know the authority")
	}
}

func TestADataPlaneOverTLSWithoutACertificateDoesNotStart(t *testing.T) {
	s, err := Start(t.Context(), Config{DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", ProxyTLSAddr: "127.0.0.1:0", Region: "us", Version: "test"})
	if err == nil || !strings.Contains(err.Error(), "set --tls") {
		t.Errorf("%v", err)
	}
	if s != nil {
		s.Shutdown()
	}
}
