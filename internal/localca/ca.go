// Package localca is the certificate authority that Trailhook makes for itself, for --tls auto and for the
// demo: HTTPS with verified certificates on machines that have no certificates yet.
//
// A folder holds four PEM files:
//
//	ca.crt      what clients trust (curl --cacert, the system's trust store); valid ten years
//	ca.key      its key, 0600
//	server.crt  the server's certificate; valid 397 days, the longest that all clients take
//	server.key  its key, 0600
//
// The authority is precious, since clients were told to trust it: it is made once, never replaced, and a
// damaged one is an error. The server's certificate is not: whatever is wrong with it, Open makes another.
//
// All keys are ECDSA P-256. The authority may sign server certificates only, and no further authorities. It
// carries no name constraints: they would have to list the hosts, and the first host added later would need
// another authority, which all clients had to be told to trust again.
package localca

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// CA is an opened authority together with the server's certificate.
type CA struct {
	dir       string
	authority authority
	names     hostNames
	now       func() time.Time

	mu     sync.Mutex
	server *tls.Certificate
}

// Open opens the authority in dir, which must exist, and makes what is missing. The server's certificate is
// renewed when it lacks one of the hosts, expires within 30 days of now() or is unusable.
//
// Hosts are DNS names, wildcard names (*.api.example.com) and IP addresses; at least one. Clients that use
// OpenSSL do not accept a wildcard directly below a top-level name (*.localhost).
func Open(dir string, hosts []string, now func() time.Time) (*CA, error) {
	names, err := parseHosts(hosts)
	if err != nil {
		return nil, err
	}
	authority, err := openAuthority(dir, now())
	if err != nil {
		return nil, fmt.Errorf("open local CA in %q: %w", dir, err)
	}
	ca := &CA{dir: dir, authority: authority, names: names, now: now}
	if _, err := ca.Renew(); err != nil {
		return nil, err
	}
	return ca, nil
}

// Renew returns the server's certificate with its key: another one than before
// if that expires within 30 days of now, was deleted or is damaged. A server
// that runs for long calls it now and then.
func (c *CA) Renew() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	server, err := openServer(c.dir, c.authority, c.names, c.now())
	if err != nil {
		return nil, fmt.Errorf("make server certificate in %q: %w", c.dir, err)
	}
	if c.server == nil || !c.server.Leaf.Equal(server.Leaf) {
		c.server = &server
	}
	return c.server, nil
}

// Certificate is the server's certificate with its key, as last opened or renewed.
func (c *CA) Certificate() tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.server
}

// Pool is a new pool that holds this authority and no other.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.authority.cert)
	return pool
}

// File is the path of ca.crt, for clients that take a file.
func (c *CA) File() string { return filepath.Join(c.dir, caCertFile) }
