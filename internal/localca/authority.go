package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

const (
	caCertFile = "ca.crt"
	caKeyFile  = "ca.key"

	caYears = 10

	// backdate lets a certificate be used at once by clients whose clock is behind.
	backdate = time.Hour
)

// authority is the certificate that clients trust, and its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// openAuthority reads the authority or makes it. The key is written first and the certificate made from it,
// so that a crash in between leaves something to go on with.
func openAuthority(dir string, now time.Time) (authority, error) {
	certPath, keyPath := filepath.Join(dir, caCertFile), filepath.Join(dir, caKeyFile)
	cert, err := readCert(certPath)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return authority{}, fmt.Errorf("%w: restore it from a backup, or delete %s and %s for a new CA that clients must be told to trust", err, caCertFile, caKeyFile)
	}
	key, err := readKey(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		if !missing {
			return authority{}, fmt.Errorf("%s is there but not its key %s: restore the key, or delete %s for a new CA that clients must be told to trust", caCertFile, caKeyFile, caCertFile)
		}
		key, err = createKey(keyPath)
	}
	if err != nil {
		return authority{}, err
	}
	if missing {
		if cert, err = createRoot(certPath, key, now); err != nil {
			return authority{}, err
		}
	}
	return authority{cert, key}, checkAuthority(cert, key, now)
}

func checkAuthority(cert *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) error {
	switch {
	case !cert.IsCA:
		return fmt.Errorf("%s is not a certificate authority", caCertFile)
	case !key.PublicKey.Equal(cert.PublicKey):
		return fmt.Errorf("%s is not the key of %s: restore the pair that belongs together", caKeyFile, caCertFile)
	case now.Before(cert.NotBefore):
		return fmt.Errorf("%s is valid from %s, and it is only %s here: set the clock",
			caCertFile, cert.NotBefore.Format(time.RFC3339), now.Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return fmt.Errorf("%s expired on %s: delete %s and %s for a new CA that clients must be told to trust",
			caCertFile, cert.NotAfter.Format(time.DateOnly), caCertFile, caKeyFile)
	}
	return nil
}

// createRoot makes the authority's certificate and returns the one that is on the disk then, which is another
// process's if that was faster.
func createRoot(path string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	name, err := rootName(key)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               name,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", caCertFile, err)
	}
	if err := createFile(path, certPEM(der), 0o644); err != nil {
		return nil, err
	}
	return readCert(path)
}

// rootName tells authorities apart by a part of their key's hash. Two of one name in a trust store confuse
// people, and clients that look for an issuer by its name.
func rootName(key *ecdsa.PrivateKey) (pkix.Name, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return pkix.Name{}, fmt.Errorf("name the CA: %w", err)
	}
	hash := sha256.Sum256(der)
	return pkix.Name{
		Organization: []string{"Trailhook"},
		CommonName:   fmt.Sprintf("Trailhook local CA %x", hash[:4]),
	}, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// createKey puts a new key at path and returns the one that is on the disk then.
func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	if err := createFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return readKey(path)
}
