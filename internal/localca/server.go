package localca

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"
)

const (
	serverCertFile = "server.crt"
	serverKeyFile  = "server.key"

	// serverLifetime is what the strictest clients take: Apple's refuse more than 398 days and ask to stay a
	// day below (https://support.apple.com/en-us/102028).
	serverLifetime = 397 * 24 * time.Hour

	// renewBefore is how long before its end a certificate is renewed.
	renewBefore = 30 * 24 * time.Hour
)

// openServer returns the server's certificate, a new one if what is there cannot go on.
func openServer(dir string, ca authority, names hostNames, now time.Time) (tls.Certificate, error) {
	certPath, keyPath := filepath.Join(dir, serverCertFile), filepath.Join(dir, serverKeyFile)
	cert, certErr := readCert(certPath)
	key, keyErr := readKey(keyPath)
	if certErr == nil && keyErr == nil && usable(cert, key, ca, names, now) {
		return pair(cert, key), nil
	}
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err = ca.issue(key, names, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := replaceFile(keyPath, text, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	// A crash between the two leaves a pair that does not match, which the next start replaces.
	if err := replaceFile(certPath, certPEM(cert.Raw), 0o644); err != nil {
		return tls.Certificate{}, err
	}
	return pair(cert, key), nil
}

func usable(cert *x509.Certificate, key *ecdsa.PrivateKey, ca authority, names hostNames, now time.Time) bool {
	return key.PublicKey.Equal(cert.PublicKey) &&
		cert.CheckSignatureFrom(ca.cert) == nil &&
		!now.Before(cert.NotBefore) &&
		cert.NotAfter.Sub(now) > renewBefore &&
		names.within(cert)
}

// issue signs a certificate for a server's key, which ends with the authority's own at the latest.
func (a authority) issue(key *ecdsa.PrivateKey, names hostNames, now time.Time) (*x509.Certificate, error) {
	begin := now.Add(-backdate)
	end := begin.Add(serverLifetime)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Trailhook"}, CommonName: "Trailhook server"},
		NotBefore:             begin,
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names.dns,
		IPAddresses:           names.ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", serverCertFile, err)
	}
	return x509.ParseCertificate(der)
}

func pair(cert *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// within tells whether the certificate names all the hosts.
func (n hostNames) within(cert *x509.Certificate) bool {
	for _, name := range n.dns {
		if !slices.Contains(cert.DNSNames, name) {
			return false
		}
	}
	for _, ip := range n.ips {
		if !slices.ContainsFunc(cert.IPAddresses, func(have net.IP) bool { return have.Equal(ip) }) {
			return false
		}
	}
	return true
}
