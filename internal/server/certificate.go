package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is what the encrypted addresses show. It is looked after at
// handshakes, so that a server that runs for years follows its files, and an
// idle one does nothing. Connections that are open keep what they have.
type certificate struct {
	read   func() (*tls.Certificate, error) // the same pointer while nothing has changed
	every  time.Duration                    // between two looks
	logger *slog.Logger
	now    func() time.Time

	current   atomic.Pointer[tls.Certificate]
	mu        sync.Mutex // held by the handshake that looks; the others go on with current
	looked    time.Time
	complaint string // what the last look failed with
}

// openCertificate reads the certificate. At the start a failure is the
// caller's; later ones are logged and leave the last good one in use.
func openCertificate(read func() (*tls.Certificate, error), every time.Duration, logger *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{read: read, every: every, logger: logger, now: now, looked: now()}
	first, err := read()
	if err != nil {
		return nil, err
	}
	c.current.Store(first)
	return c, nil
}

// get is a [tls.Config]'s GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if now := c.now(); now.Sub(c.looked) >= c.every {
			c.looked = now
			c.look()
		}
	}
	return c.current.Load(), nil
}

// look says what is wrong once, not at every handshake.
func (c *certificate) look() {
	fresh, err := c.read()
	if err != nil {
		if err.Error() != c.complaint {
			c.complaint = err.Error()
			c.logger.Error("the new certificate cannot be used; the old one stays in use", "error", err)
		}
		return
	}
	c.complaint = ""
	if fresh != c.current.Swap(fresh) {
		c.logger.Info("a new certificate is in use", "valid_until", fresh.Leaf.NotAfter)
	}
}

// pairFiles are a certificate with its chain, and its key, as somebody else
// renews them.
type pairFiles struct {
	certFile, keyFile string

	cert, key []byte // what pair was made of
	pair      *tls.Certificate
}

// read compares the contents, not the times: tools that put files in place by
// renaming, or through symbolic links, often keep old times.
func (f *pairFiles) read() (*tls.Certificate, error) {
	cert, err := os.ReadFile(f.certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.keyFile)
	if err != nil {
		return nil, err
	}
	if f.pair != nil && bytes.Equal(cert, f.cert) && bytes.Equal(key, f.key) {
		return f.pair, nil
	}
	pair, err := parsePair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.certFile, f.keyFile, err)
	}
	f.cert, f.key, f.pair = cert, key, pair
	return pair, nil
}

// parsePair also refuses a file that ends within a block. Package tls takes
// the blocks before it, which would be a chain that few clients can follow.
func parsePair(cert, key []byte) (*tls.Certificate, error) {
	for _, text := range [][]byte{cert, key} {
		if bytes.Count(text, []byte("-----BEGIN ")) != bytes.Count(text, []byte("-----END ")) || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("-----")) {
			return nil, errors.New("a file ends within a PEM block: put it in place by renaming")
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}
