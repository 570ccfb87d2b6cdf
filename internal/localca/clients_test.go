package localca_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/localca"
	"github.com/trailhook/trailhook/internal/require"
)

func TestGoTrustsTheServerThroughThePool(t *testing.T) {
	ca := open(t, t.TempDir(), hosts(), time.Now())
	server := serve(t, ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get(server.URL)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	answer.Body.Close()
}

func TestCurlTrustsTheServerThroughTheFile(t *testing.T) {
	curl := require.Program(t, "curl", "apt-get install curl")
	ca := open(t, t.TempDir(), hosts(), time.Now())
	other := open(t, t.TempDir(), hosts(), time.Now())
	port := port(t, serve(t, ca))
	const untrusted = 60 // curl's exit status when a certificate cannot be verified

	cases := []struct {
		name, host, file string
		status           int
	}{
		{"a name", "localhost", ca.File(), 0},
		{"a longer name", "siem.trailhook.test", ca.File(), 0},
		{"a wildcard name", "us.api.trailhook.test", ca.File(), 0},
		{"an IP address", "127.0.0.1", ca.File(), 0},
		{"a name that is not listed", "konghq.com", ca.File(), untrusted},
		{"an address that is not listed", "127.0.0.2", ca.File(), untrusted},
		{"another authority", "localhost", other.File(), untrusted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			output, err := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--noproxy", "*", "--cacert", c.file,
				"--connect-to", "::127.0.0.1:"+port, "https://"+c.host+":"+port).CombinedOutput()
			if status := exitStatus(t, err); status != c.status {
				t.Fatalf("exit status %d, want %d: %s", status, c.status, output)
			}
			if c.status == 0 && string(output) != "hello" {
				t.Errorf("answered %q", output)
			}
		})
	}
}

func TestOpenSSLVerifiesTheChainStrictly(t *testing.T) {
	openssl := require.Program(t, "openssl", "apt-get install openssl")
	dir := t.TempDir()
	ca := open(t, dir, hosts(), time.Now())
	output, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-purpose", "sslserver",
		"-CAfile", ca.File(), strings.Replace(ca.File(), "ca.crt", "server.crt", 1)).CombinedOutput()
	if err != nil {
		t.Errorf("openssl verify: %v: %s", err, output)
	}
}

func serve(t *testing.T, ca *localca.CA) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("hello"))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Certificate()}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are part of the test
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func port(t *testing.T, server *httptest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := err.(*exec.ExitError)
	if !ok {
		t.Fatalf("run: %v", err)
	}
	return exit.ExitCode()
}
