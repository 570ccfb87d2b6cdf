package localca_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/localca"
)

func open(t *testing.T, dir string, hosts []string, now time.Time) *localca.CA {
	t.Helper()
	ca, err := localca.Open(dir, hosts, func() time.Time { return now })
	if err != nil {
		t.Fatalf("open the local CA: %v", err)
	}
	return ca
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

func parseCert(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(read(t, dir)[name]))
	if block == nil {
		t.Fatalf("%s holds no PEM block", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// The following are ways to break what is in a folder.

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func overwrite(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func chmod(name string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// from takes files from the folder of another authority.
func from(names ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		other := t.TempDir()
		open(t, other, hosts(), time.Now())
		for _, name := range names {
			overwrite(name, read(t, other)[name])(t, dir)
		}
	}
}

// swap puts one certificate and its key in place of another.
func swap(good, bad string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		files := read(t, dir)
		overwrite(bad+".crt", files[good+".crt"])(t, dir)
		overwrite(bad+".key", files[good+".key"])(t, dir)
	}
}
