package localca

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY"
)

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

func readCert(path string) (*x509.Certificate, error) {
	der, err := readBlock(path, certBlock)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate %q: %w", path, err)
	}
	return cert, nil
}

// readKey refuses a key that others may read: with the authority's they can be any server to its clients.
func readKey(path string) (*ecdsa.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key %q is open to others (mode %04o): run chmod 600 %s", path, mode, path)
	}
	der, err := readBlock(path, keyBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("key %q is damaged: restore it from a backup", path)
	}
	ecdsaKey, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key %q is not an ECDSA key", path)
	}
	return ecdsaKey, nil
}

func readBlock(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%q is damaged: it does not begin with a PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

// createFile puts a file at path unless one is there, which it leaves as it is. A link, unlike a rename,
// cannot replace what another process has just made.
func createFile(path string, content []byte, mode fs.FileMode) error {
	return place(path, content, mode, func(fresh string) error {
		if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// replaceFile puts a file at path in place of what is there.
func replaceFile(path string, content []byte, mode fs.FileMode) error {
	return place(path, content, mode, func(fresh string) error { return os.Rename(fresh, path) })
}

// place writes and syncs the content under another name, has it moved, and syncs the folder: at no time is
// there half a file at path.
func place(path string, content []byte, mode fs.FileMode, move func(fresh string) error) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := move(file.Name()); err != nil {
		return err
	}
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
