package localca_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/localca"
)

const day = 24 * time.Hour

// hosts are of each kind that a certificate can name.
func hosts() []string {
	return []string{"localhost", "*.api.trailhook.test", "siem.trailhook.test", "127.0.0.1", "::1"}
}

func TestTheFirstOpenMakesFourFilesAndTheSecondChangesNone(t *testing.T) {
	dir := t.TempDir()
	ca := open(t, dir, hosts(), time.Now())
	before := read(t, dir)
	open(t, dir, hosts(), time.Now())
	if diff := cmp.Diff(before, read(t, dir)); diff != "" {
		t.Errorf("the second start changed files:\n%s", diff)
	}
	modes := map[string]os.FileMode{}
	for name := range before {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		modes[name] = info.Mode().Perm()
	}
	want := map[string]os.FileMode{"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files and modes (-want +got):\n%s", diff)
	}
	if ca.File() != filepath.Join(dir, "ca.crt") {
		t.Errorf("File() = %q", ca.File())
	}
}

func TestTheServerCertificateIsValidForItsHostsAndNoOthers(t *testing.T) {
	ca := open(t, t.TempDir(), hosts(), time.Now())
	for host, valid := range map[string]bool{
		"localhost":               true,
		"LOCALHOST":               true,
		"us.api.trailhook.test":   true,
		"siem.trailhook.test":     true,
		"127.0.0.1":               true,
		"::1":                     true,
		"api.trailhook.test":      false,
		"a.us.api.trailhook.test": false,
		"trailhook.test":          false,
		"127.0.0.2":               false,
		"konghq.com":              false,
	} {
		_, err := ca.Certificate().Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: ca.Pool()})
		if (err == nil) != valid {
			t.Errorf("%s: %v, want valid=%v", host, err, valid)
		}
	}
}

func TestTheCertificatesAreWhatStrictClientsAccept(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	ca := open(t, dir, hosts(), now)
	leaf, root := ca.Certificate().Leaf, parseCert(t, dir, "ca.crt")

	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 397*day || life < 396*day {
		t.Errorf("the server's certificate is valid for %v", life)
	}
	if want := now.AddDate(10, 0, 0); !root.NotAfter.Equal(want) {
		t.Errorf("the authority is valid until %v, want %v", root.NotAfter, want)
	}
	for _, cert := range []*x509.Certificate{leaf, root} {
		if cert.NotBefore.After(now) {
			t.Errorf("%s is not valid yet", cert.Subject)
		}
		if cert.SignatureAlgorithm != x509.ECDSAWithSHA256 {
			t.Errorf("%s is signed with %v", cert.Subject, cert.SignatureAlgorithm)
		}
		if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, cert.ExtKeyUsage); diff != "" {
			t.Errorf("%s: extended key usage %s", cert.Subject, diff)
		}
	}
	if !root.IsCA || !root.MaxPathLenZero || leaf.IsCA {
		t.Errorf("authority: CA %v, path length zero %v; server: CA %v", root.IsCA, root.MaxPathLenZero, leaf.IsCA)
	}
}

func TestTheServerCertificateIsRenewedWhenItCannotGoOn(t *testing.T) {
	start := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name    string
		after   time.Duration
		hosts   []string
		damage  func(t *testing.T, dir string)
		renewed bool
	}{
		{name: "soon after", after: day},
		{name: "31 days before its end", after: 366*day - 2*time.Hour},
		{name: "less than 30 days before its end", after: 367 * day, renewed: true},
		{name: "after its end", after: 500 * day, renewed: true},
		{name: "a name more", hosts: append(hosts(), "collector.trailhook.test"), renewed: true},
		{name: "an address more", hosts: append(hosts(), "10.1.2.3"), renewed: true},
		{name: "a name less", hosts: []string{"localhost"}},
		{name: "another spelling", hosts: []string{"LocalHost", "::ffff:127.0.0.1"}},
		{name: "certificate lost", damage: remove("server.crt"), renewed: true},
		{name: "key lost", damage: remove("server.key"), renewed: true},
		{name: "certificate damaged", damage: overwrite("server.crt", "nonsense"), renewed: true},
		{name: "key damaged", damage: overwrite("server.key", "nonsense"), renewed: true},
		{name: "key open to others", damage: chmod("server.key", 0o644), renewed: true},
		{name: "another server's key", damage: from("server.key"), renewed: true},
		{name: "another authority's certificate and key", damage: from("server.crt", "server.key"), renewed: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir, hosts(), start)
			before := read(t, dir)
			if c.damage != nil {
				c.damage(t, dir)
			}
			if c.hosts == nil {
				c.hosts = hosts()
			}
			now := start.Add(c.after)
			ca := open(t, dir, c.hosts, now)
			after := read(t, dir)

			if renewed := after["server.crt"] != before["server.crt"]; renewed != c.renewed {
				t.Errorf("renewed %v, want %v", renewed, c.renewed)
			}
			if after["ca.crt"] != before["ca.crt"] || after["ca.key"] != before["ca.key"] {
				t.Error("the authority was changed")
			}
			if _, err := tls.X509KeyPair([]byte(after["server.crt"]), []byte(after["server.key"])); err != nil {
				t.Errorf("the files do not match: %v", err)
			}
			for _, host := range c.hosts {
				if _, err := ca.Certificate().Leaf.Verify(x509.VerifyOptions{
					DNSName: strings.ReplaceAll(host, "*", "us"), Roots: ca.Pool(), CurrentTime: now,
				}); err != nil {
					t.Errorf("not valid: %v", err)
				}
			}
		})
	}
}

func TestAServerCertificateFromAClockThatWasAheadIsRenewed(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	open(t, dir, hosts(), start)
	remove("server.crt")(t, dir)
	open(t, dir, hosts(), start.Add(10*day))
	if begin := open(t, dir, hosts(), start).Certificate().Leaf.NotBefore; begin.After(start) {
		t.Errorf("valid only from %v", begin)
	}
}

func TestTheServerCertificateDoesNotOutliveTheAuthority(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	open(t, dir, hosts(), start)
	late := open(t, dir, hosts(), start.AddDate(9, 11, 0))
	if root := parseCert(t, dir, "ca.crt"); late.Certificate().Leaf.NotAfter.After(root.NotAfter) {
		t.Errorf("server until %v, authority until %v", late.Certificate().Leaf.NotAfter, root.NotAfter)
	}
}

func TestAnAuthorityThatCannotGoOnIsAnErrorAndIsLeftAsItIs(t *testing.T) {
	cases := []struct {
		name   string
		damage func(t *testing.T, dir string)
		after  time.Duration
		want   string
	}{
		{name: "certificate damaged", damage: overwrite("ca.crt", "nonsense"), want: "ca.crt"},
		{name: "key damaged", damage: overwrite("ca.key", "nonsense"), want: "ca.key"},
		{name: "key lost", damage: remove("ca.key"), want: "restore the key"},
		{name: "key of another", damage: from("ca.key"), want: "not the key of ca.crt"},
		{name: "a server's certificate", damage: swap("server", "ca"), want: "not a certificate authority"},
		{name: "key open to others", damage: chmod("ca.key", 0o640), want: "chmod 600"},
		{name: "expired", after: 3660 * day, want: "expired on 20"},
		{name: "not yet valid", after: -2 * day, want: "set the clock"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir, hosts(), time.Now())
			if c.damage != nil {
				c.damage(t, dir)
			}
			before := read(t, dir)
			_, err := localca.Open(dir, hosts(), func() time.Time { return time.Now().Add(c.after) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if diff := cmp.Diff(before, read(t, dir)); diff != "" {
				t.Errorf("files were changed:\n%s", diff)
			}
		})
	}
}

func TestAnAuthorityLeftHalfMadeIsCompletedWithItsKey(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, hosts(), time.Now())
	key := read(t, dir)["ca.key"]
	for _, name := range []string{"ca.crt", "server.crt", "server.key"} {
		remove(name)(t, dir)
	}
	open(t, dir, hosts(), time.Now())
	if read(t, dir)["ca.key"] != key {
		t.Error("the key was changed")
	}
}

func TestTwoAuthoritiesHaveDifferentNames(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	open(t, one, hosts(), time.Now())
	open(t, other, hosts(), time.Now())
	if a, b := parseCert(t, one, "ca.crt"), parseCert(t, other, "ca.crt"); bytes.Equal(a.RawSubject, b.RawSubject) {
		t.Errorf("both are %s", a.Subject)
	}
}

func TestAllThatOpenAtOnceEndWithOneAuthority(t *testing.T) {
	dir := t.TempDir()
	opened := make([]*localca.CA, 8)
	var done sync.WaitGroup
	for i := range opened {
		done.Go(func() {
			ca, err := localca.Open(dir, hosts(), time.Now)
			if err != nil {
				t.Errorf("open: %v", err)
			}
			opened[i] = ca
		})
	}
	done.Wait()
	if t.Failed() {
		return
	}
	for _, server := range opened {
		for _, client := range opened {
			if _, err := server.Certificate().Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: client.Pool()}); err != nil {
				t.Fatalf("one does not trust the other: %v", err)
			}
		}
	}
	if files := read(t, dir); len(files) != 4 {
		t.Errorf("%d files, want 4", len(files))
	}
}

func TestHostsThatNoCertificateCanNameAreRefused(t *testing.T) {
	for name, bad := range map[string][]string{
		"none":             nil,
		"empty":            {""},
		"with a port":      {"localhost:8080"},
		"a URL":            {"https://localhost"},
		"brackets":         {"[::1]"},
		"a zone":           {"fe80::1%eth0"},
		"a star alone":     {"*"},
		"a star inside":    {"us.*.trailhook.test"},
		"two stars":        {"*.*.trailhook.test"},
		"an empty label":   {"us..test"},
		"a hyphen at last": {"us-.test"},
		"outside ASCII":    {"bücher.test"},
		"a space":          {"local host"},
		"too long":         {strings.Repeat("a.", 127) + "test"},
		"a long label":     {strings.Repeat("a", 64) + ".test"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := localca.Open(dir, bad, time.Now); err == nil {
				t.Errorf("%q was taken", bad)
			}
			if files := read(t, dir); len(files) != 0 {
				t.Errorf("files were made: %d", len(files))
			}
		})
	}
}
