package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/localca"
)

// made is a certificate with its authority, as files and as the bytes in them.
type made struct {
	roots     *x509.CertPool
	cert, key []byte
}

func makePair(t *testing.T) made {
	t.Helper()
	dir := t.TempDir()
	ca, err := localca.Open(dir, []string{"localhost"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(filepath.Join(dir, "server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	return made{ca.Pool(), cert, key}
}

// replace puts a file in place by renaming, as careful tools do.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// encrypted is a running address that shows the pair in two files, and looks at
// them at every handshake.
type encrypted struct {
	cert, key string // the files
	address   string
	log       *lockedBuffer
}

func startEncrypted(t *testing.T, first made) encrypted {
	t.Helper()
	dir := t.TempDir()
	e := encrypted{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), log: &lockedBuffer{}}
	replace(t, e.cert, first.cert)
	replace(t, e.key, first.key)
	files := &pairFiles{certFile: e.cert, keyFile: e.key}
	shown, err := openCertificate(files.read, 0, slog.New(slog.NewTextHandler(e.log, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e.address = startListener(t, &encryption{config: serverConfig(shown)}, defaults, http.NotFoundHandler())
	return e
}

// shows tells whether clients that trust the pair's authority get through.
func (e encrypted) shows(t *testing.T, pair made) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", e.address, &tls.Config{RootCAs: pair.roots, ServerName: "localhost"})
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func TestARenewedPairIsUsedWithoutARestart(t *testing.T) {
	before, after := makePair(t), makePair(t)
	e := startEncrypted(t, before)
	if !e.shows(t, before) {
		t.Fatal("the first pair is not shown")
	}
	replace(t, e.cert, after.cert)
	if !e.shows(t, before) {
		t.Error("while the new key is missing, the old pair is not shown")
	}
	replace(t, e.key, after.key)
	if !e.shows(t, after) || e.shows(t, before) {
		t.Error("the new pair is not shown")
	}
	if log := e.log.String(); strings.Count(log, "level=ERROR") != 1 || strings.Count(log, "a new certificate is in use") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

func TestABrokenPairLeavesTheOldOneInUseAndIsLoggedOnce(t *testing.T) {
	before, after := makePair(t), makePair(t)
	chain := append(bytes.Clone(after.cert), before.cert...)
	for name, broken := range map[string][]byte{
		"an empty file":                    nil,
		"half a certificate":               after.cert[:len(after.cert)/2],
		"a chain cut within its second":    chain[:len(chain)-100],
		"a chain cut at its last line":     chain[:len(chain)-len("-----END CERTIFICATE-----\n")],
		"something else":                   []byte("not a certificate"),
		"the certificate of another's key": after.cert,
	} {
		t.Run(name, func(t *testing.T) {
			e := startEncrypted(t, before)
			if err := os.WriteFile(e.cert, broken, 0o600); err != nil { // in place, unlike replace
				t.Fatal(err)
			}
			for range 5 {
				if !e.shows(t, before) {
					t.Fatal("the old pair is not shown")
				}
			}
			if log := e.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, e.cert) {
				t.Errorf("log:\n%s", log)
			}
			replace(t, e.cert, after.cert)
			replace(t, e.key, after.key)
			if !e.shows(t, after) {
				t.Error("the good pair that follows is not shown")
			}
		})
	}
}

func TestAPairThatIsGoneLeavesTheOldOneInUse(t *testing.T) {
	before := makePair(t)
	e := startEncrypted(t, before)
	if err := os.Remove(e.key); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !e.shows(t, before) {
			t.Error("the old pair is not shown")
		}
	}
	if log := e.log.String(); strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

func TestABrokenPairIsRefusedAtTheStart(t *testing.T) {
	pair, dir := makePair(t), t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	replace(t, cert, pair.cert[:100])
	replace(t, key, pair.key)
	for _, setting := range []string{cert + "," + key, cert + "," + cert + ".missing", cert, "on"} {
		_, err := openEncryption(Config{TLS: setting, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.HasPrefix(err.Error(), "--tls: ") {
			t.Errorf("--tls %s: %v", setting, err)
		}
	}
}

func TestTheFilesAreReadOnceASecondHoweverManyHandshakesThereAre(t *testing.T) {
	now, reads := time.Now(), 0
	var pair tls.Certificate
	c, err := openCertificate(func() (*tls.Certificate, error) { reads++; return &pair, nil },
		time.Second, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for second := 1; second <= 3; second++ {
		for range 100 {
			if got, err := c.get(nil); err != nil || got != &pair {
				t.Fatalf("%p, %v", got, err)
			}
		}
		if reads != second {
			t.Errorf("second %d: read %d times", second, reads)
		}
		now = now.Add(time.Second)
	}
}

func TestACertificateOfTheLocalAuthorityIsRenewedWhileTheServerRuns(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	ca, err := localca.Open(t.TempDir(), []string{"localhost"}, clock)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCertificate(ca.Renew, lookAtOwn, slog.New(slog.DiscardHandler), clock)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := c.get(nil)
	for range 3 * 365 {
		now = now.Add(24 * time.Hour)
		shown, _ := c.get(nil)
		if left := shown.Leaf.NotAfter.Sub(now); left < 29*24*time.Hour {
			t.Fatalf("on %s a certificate is shown that ends in %s", now, left)
		}
		if _, err := shown.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "localhost", CurrentTime: now}); err != nil {
			t.Fatal(err)
		}
	}
	if last, _ := c.get(nil); last == first {
		t.Error("after three years the first certificate is still shown")
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
