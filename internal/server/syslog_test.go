package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func syslogConfig(t *testing.T) Config {
	return Config{
		DataDir: t.TempDir(), SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "auto", Version: "test",
		SyslogAddrs: []string{"127.0.0.1:0", "127.0.0.1:0"}, SyslogTLSAddrs: []string{"127.0.0.1:0"},
		Logger: slog.New(slog.DiscardHandler),
	}
}

func TestSyslogIsTakenAtEachOfItsAddresses(t *testing.T) {
	s, err := Start(t.Context(), syslogConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for i, shown := range s.Syslog {
		address, speaks, _ := strings.Cut(shown, " ")
		var conns []net.Conn
		switch speaks {
		case "(TCP, UDP)":
			conns = []net.Conn{reach(t, "tcp", address), reach(t, "udp", address)}
		case "(TLS)":
			conns = []net.Conn{tls.Client(reach(t, "tcp", address), &tls.Config{RootCAs: roots, ServerName: "localhost"})}
		}
		for j, conn := range conns {
			if _, err := fmt.Fprintf(conn, "<13>app: message %d of address %d\n", j, i); err != nil {
				t.Error(err)
			}
			conn.Close()
		}
	}
	if len(s.Syslog) != 3 {
		t.Errorf("addresses: %q", s.Syslog)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	limit, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for found := 0; found != 5; {
		select {
		case <-tick.C:
			found = searchCount(t, client, s)
		case <-limit:
			t.Fatalf("%d messages are found", found)
		}
	}
}

func reach(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// searchCount is how many syslog messages a search finds.
func searchCount(t *testing.T, client *http.Client, s *Server) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.SIEMURL+"/trailhook/v1/search?query=_source%3Dsyslog", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(s.AccessID, s.AccessKey)
	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", response.Status, body, err)
	}
	return strings.Count(string(body), "\n")
}

func TestSyslogThatCannotBeTakenStopsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, change := range map[string]func(*Config){
		"--syslog-addr: listen tcp":                                 func(c *Config) { c.SyslogAddrs = []string{taken.Addr().String()} },
		"--syslog-tls-addr: listen tcp":                             func(c *Config) { c.SyslogTLSAddrs = []string{taken.Addr().String()} },
		"--syslog-tls-addr: needs a certificate: set --tls to auto": func(c *Config) { c.TLS = "off" },
	} {
		config := syslogConfig(t)
		change(&config)
		s, err := Start(t.Context(), config)
		if err == nil {
			s.Shutdown()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
