package server

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/require"
)

// startPlatform starts the platform's half of a server.
func startPlatform(t *testing.T, config Config) *Server {
	t.Helper()
	config.APIAddr, config.Region, config.Version, config.Logger = "127.0.0.1:0", "us", "test", slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	return s
}

func TestTheLocalAuthorityStaysOverARestart(t *testing.T) {
	dir := t.TempDir()
	var authorities []string
	for range 2 {
		s := startPlatform(t, Config{DataDir: dir, TLS: "auto"})
		if s.CAFile != filepath.Join(dir, "tls", "ca.crt") {
			t.Errorf("the authority's file: %s", s.CAFile)
		}
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		authorities = append(authorities, string(text))
		if err := s.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	if authorities[0] != authorities[1] {
		t.Error("the second start made another authority")
	}
	info, err := os.Stat(filepath.Join(dir, "tls", "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v, %v", info, err)
	}
}

func TestClientsGetVerifiedTLSFrom12UpAndHTTP2(t *testing.T) {
	s := startPlatform(t, Config{DataDir: t.TempDir(), TLS: "auto"})
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	address := s.api.Addr().String()
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "us.api.localhost", "us.api.konghq.com", "global.api.konghq.com"} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: name, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("%s: protocol %q", name, got)
		}
		conn.Close()
	}
	for version, works := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: version, MaxVersion: version})
		if (err == nil) != works {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// What docs/operations.md says of clients with hard-wired host names: the name
// leads here, and the authority is trusted through a file.
func TestCurlReachesTheAPIUnderKonnectsOwnNames(t *testing.T) {
	curl := require.Program(t, "curl", "apt-get install curl")
	s := startPlatform(t, Config{DataDir: t.TempDir(), TLS: "auto"})
	_, port, err := net.SplitHostPort(s.api.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"us.api.konghq.com", "global.api.konghq.com"} {
		for _, trust := range []string{"CURL_CA_BUNDLE", "SSL_CERT_FILE"} {
			command := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--noproxy", "*", "--write-out", "%{http_code}",
				"--resolve", host+":"+port+":127.0.0.1", "-H", "Authorization: Bearer "+s.Token, "https://"+host+":"+port+"/v2/control-planes")
			command.Env = []string{"PATH=" + os.Getenv("PATH"), trust + "=" + s.CAFile}
			output, err := command.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(output), "200") {
				t.Errorf("%s, %s: %v\n%s", host, trust, err, output)
			}
		}
	}
}

func TestAnOverlongHeaderIsRefusedOverHTTP2Too(t *testing.T) {
	s := startPlatform(t, Config{DataDir: t.TempDir(), TLS: "auto"})
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), "GET", s.APIURL+"/v2/control-planes", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 2*defaults.header))
	response, err := transport.RoundTrip(request)
	if err == nil { // the client may itself refuse to send more than the server says it takes
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", response.StatusCode)
		}
	}
}
