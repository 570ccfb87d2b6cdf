package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/localca"
)

// encryption is how the addresses are encrypted, and whom requests of our own
// trust.
type encryption struct {
	config *tls.Config    // nil: they are not
	shown  *certificate   // nil: none
	roots  *x509.CertPool // nil: the system's
	caFile string
}

// How often the certificate is looked at, at most. A look at files of others
// costs two small reads, one at our own reads and checks a signature.
const (
	lookAtFiles = time.Second
	lookAtOwn   = time.Hour
)

// openEncryption reads the --tls setting.
func openEncryption(c Config) (*encryption, error) {
	switch c.TLS {
	case "", "off":
		return &encryption{}, nil
	case "auto":
		return openAuto(c)
	}
	cert, key, found := strings.Cut(c.TLS, ",")
	if !found {
		return nil, fmt.Errorf("--tls: %q is none of off, auto, CERT,KEY (two PEM files)", c.TLS)
	}
	files := &pairFiles{certFile: cert, keyFile: key}
	shown, err := openCertificate(files.read, lookAtFiles, c.Logger, time.Now)
	if err != nil {
		return nil, fmt.Errorf("--tls: %w", err)
	}
	return &encryption{config: serverConfig(shown), shown: shown}, nil
}

// openAuto makes certificates with an authority of our own in the data
// directory. Requests of our own trust it beside the system's: a webhook may
// lead to this very server or to any other.
func openAuto(c Config) (*encryption, error) {
	hosts := []string{"localhost", "*.api.localhost", "*.api.konghq.com", "*.api.konghq.localhost", "127.0.0.1", "::1"}
	for _, address := range append([]string{c.APIAddr, c.SIEMAddr}, c.SyslogTLSAddrs...) {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err == nil && host != "" && !ip.IsUnspecified() && !ip.IsLoopback() && host != "localhost" {
			hosts = append(hosts, host)
		}
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(hosts, strings.ToLower(name))
	}
	dir := filepath.Join(c.DataDir, "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--tls auto: %w", err)
	}
	ca, err := localca.Open(dir, hosts, time.Now)
	if err != nil {
		return nil, fmt.Errorf("--tls auto: %w", err)
	}
	shown, err := openCertificate(ca.Renew, lookAtOwn, c.Logger, time.Now)
	if err != nil {
		return nil, fmt.Errorf("--tls auto: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	own, err := os.ReadFile(ca.File())
	if err != nil {
		return nil, fmt.Errorf("--tls auto: %w", err)
	}
	roots.AppendCertsFromPEM(own)
	return &encryption{config: serverConfig(shown), shown: shown, roots: roots, caFile: ca.File()}, nil
}

func serverConfig(shown *certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: shown.get, NextProtos: []string{"h2", "http/1.1"}}
}
