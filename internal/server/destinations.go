package server

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/trailhook/trailhook/internal/outbound"
)

// newDestinationClient makes the client that webhooks are sent with. It trusts
// the authorities of --destination-ca beside those that every request of ours
// trusts.
func (s *Server) newDestinationClient() (*outbound.Client, error) {
	roots := s.encryption.roots
	if s.config.DestinationCA != "" {
		var err error
		if roots, err = withAuthorities(roots, s.config.DestinationCA); err != nil {
			return nil, fmt.Errorf("--destination-ca: %w", err)
		}
	}
	client := outbound.New(outbound.Options{
		Policy: outbound.Policy{
			AllowPrivate: s.config.AllowPrivateDestinations,
			Allowed:      s.config.AllowDestinations,
		},
		RootCAs: roots, UserAgent: s.userAgent(), Proxy: s.config.DestinationProxy,
		Timeouts: outbound.Timeouts{Headers: s.config.DeliveryTimeout, Whole: 2 * s.config.DeliveryTimeout},
	})
	s.clients = append(s.clients, client)
	return client, nil
}

// withAuthorities returns the pool, or the system's for nil, with the
// certificates of a PEM file.
func withAuthorities(roots *x509.CertPool, file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if roots == nil {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
	} else {
		roots = roots.Clone()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}
