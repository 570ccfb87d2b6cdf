package broker_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
	"github.com/trailhook/trailhook/internal/localca"
)

// serve runs a single NATS server with JetStream, but for what change changes.
func serve(t *testing.T, change func(*server.Options)) (url string) {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), MaxPayload: broker.MaxMessage,
	}
	change(o)
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the server did not start")
	}
	return "nats://" + srv.Addr().String()
}

// silent is an address where nobody says a word, or, with nobody there at all,
// one that refuses.
func silent(t *testing.T, there bool) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if there {
		t.Cleanup(func() { listener.Close() })
	} else {
		listener.Close()
	}
	return "nats://" + listener.Addr().String()
}

func withPassword(o *server.Options) { o.Username, o.Password = "trail", "s3cret" }

func openCA(t *testing.T) *localca.CA {
	t.Helper()
	ca, err := localca.Open(t.TempDir(), []string{"127.0.0.1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func withTLS(ca *localca.CA, clientAuth tls.ClientAuthType) func(*server.Options) {
	return func(o *server.Options) {
		o.TLS, o.TLSTimeout = true, 5
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Certificate()}, ClientAuth: clientAuth}
	}
}

func TestAClusterThatCannotBeUsedStopsTheStartAndSaysWhatToCheck(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(*server.Options) {})
	nobody := silent(t, false)
	ca, otherCA := openCA(t), openCA(t)
	locked := serve(t, withPassword)
	wrong := strings.Replace(locked, "nats://", "nats://trail:wr0ng@", 1)
	quiet := silent(t, true)
	cluster := brokertest.Cluster(t)
	for _, tt := range []struct {
		name    string
		options broker.Options
		want    []string
	}{
		{"nobody there", broker.Options{URLs: nobody}, []string{"check the addresses", nobody}},
		{"silence", broker.Options{URLs: quiet + "," + silent(t, true) + "," + nobody}, []string{"check the addresses", quiet}},
		{"no address of NATS", broker.Options{URLs: "https://127.0.0.1"}, []string{"nats://host:port"}},
		{"no address at all", broker.Options{URLs: "nats://"}, []string{"nats://host:port"}},
		{"a wrong password", broker.Options{URLs: wrong}, []string{"refuses these credentials", locked}},
		{"no credentials file", broker.Options{URLs: plain, Credentials: "/nowhere/x.creds"}, []string{"/nowhere/x.creds"}},
		{"another CA", broker.Options{URLs: serve(t, withTLS(ca, tls.NoClientCert)), CAFile: otherCA.File()}, []string{"not trusted", otherCA.File()}},
		{"no CA", broker.Options{URLs: serve(t, withTLS(ca, tls.NoClientCert))}, []string{"not trusted", "CA file"}},
		{"no client certificate", broker.Options{URLs: serve(t, withTLS(ca, tls.RequireAnyClientCert)), CAFile: ca.File()}, []string{"client certificate"}},
		{"a certificate without a key", broker.Options{URLs: quiet, CertFile: "x.crt"}, []string{"needs its key"}},
		{"a server without TLS", broker.Options{URLs: plain, CAFile: ca.File()}, []string{"check that the servers use TLS"}},
		{"no JetStream", broker.Options{URLs: serve(t, func(o *server.Options) { o.JetStream = false }), Replicas: 1}, []string{"JetStream is not enabled", "jetstream {}"}},
		{"small messages", broker.Options{URLs: serve(t, func(o *server.Options) { o.MaxPayload = 1 << 20 })}, []string{"max_payload: 2097152"}},
		{"no cluster", broker.Options{URLs: plain}, []string{"not part of a cluster", "3 replicas"}},
		{"TLS files without a cluster", broker.Options{Dir: t.TempDir(), CAFile: "x"}, []string{"no address"}},
		{"replicas without a cluster", broker.Options{Dir: t.TempDir(), Replicas: 3}, []string{"need a NATS cluster"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			b, err := broker.Open(t.Context(), tt.options)
			if err == nil {
				b.Close()
				t.Fatal("it was opened")
			}
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("it took %s", took)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	t.Run("more replicas than servers", func(t *testing.T) {
		b, err := broker.Open(t.Context(), broker.Options{URLs: cluster.URLs(), Replicas: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		_, err = broker.OpenBucket[string](t.Context(), b, "things")
		if err == nil || !strings.Contains(err.Error(), "cannot keep 5 replicas") || !strings.Contains(err.Error(), cluster.URL(0)) {
			t.Errorf("a bucket with 5 replicas: %v", err)
		}
	})
}

func TestADataDirectoryIsHeldAloneBesideAClusterToo(t *testing.T) {
	t.Parallel()
	o := broker.Options{Dir: t.TempDir(), URLs: serve(t, func(*server.Options) {}), Replicas: 1}
	b, err := broker.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := broker.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "in use by another trailhook") {
		t.Errorf("a second open: %v", err)
	}
}

func TestAPasswordAndTLSOpenACluster(t *testing.T) {
	t.Parallel()
	ca := openCA(t)
	url := serve(t, func(o *server.Options) {
		withPassword(o)
		withTLS(ca, tls.RequireAnyClientCert)(o)
	})
	dir := filepath.Dir(ca.File())
	b, err := broker.Open(t.Context(), broker.Options{
		URLs: strings.Replace(url, "nats://", "nats://trail:s3cret@", 1), Replicas: 1,
		CAFile: ca.File(), CertFile: filepath.Join(dir, "server.crt"), KeyFile: filepath.Join(dir, "server.key"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	makeStream(t, b)
	if _, err := b.Publish(t.Context(), message("s.a", "1"), message("s.a", "2")); err != nil {
		t.Error(err)
	}
}

func TestACredentialsFileOpensItsAccountAndNoOther(t *testing.T) {
	t.Parallel()
	op := newOperator(t)
	account, stranger := op.account(t, "trailhook"), op.account(t, "stranger")
	url := serve(t, op.configure)
	b, err := broker.Open(t.Context(), broker.Options{URLs: url, Replicas: 1, Credentials: account.user(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	makeStream(t, b)
	if _, err := b.Publish(t.Context(), message("s.a", "1")); err != nil {
		t.Error(err)
	}

	unknown := newOperator(t).account(t, "unknown")
	if _, err := broker.Open(t.Context(), broker.Options{URLs: url, Replicas: 1, Credentials: unknown.user(t)}); err == nil || !strings.Contains(err.Error(), "refuses these credentials") {
		t.Errorf("credentials of another operator: %v", err)
	}
	other, err := broker.Open(t.Context(), broker.Options{URLs: url, Replicas: 1, Credentials: stranger.user(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Publish(t.Context(), message("s.a", "2")); err == nil {
		t.Error("another account wrote to the stream")
	}
}

// operator signs accounts, as in NATS's decentralized authentication.
type operator struct {
	key      nkeys.KeyPair
	claims   *jwt.OperatorClaims
	system   string
	resolver *server.MemAccResolver
}

type account struct{ key nkeys.KeyPair }

func newOperator(t *testing.T) *operator {
	t.Helper()
	key, public := newKey(t, nkeys.CreateOperator)
	o := &operator{key: key, resolver: &server.MemAccResolver{}}
	system := o.account(t, "system")
	var err error
	if o.system, err = system.key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	claims := jwt.NewOperatorClaims(public)
	claims.SystemAccount = o.system
	token, err := claims.Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	if o.claims, err = jwt.DecodeOperatorClaims(token); err != nil {
		t.Fatal(err)
	}
	return o
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return key, public
}

func (o *operator) configure(options *server.Options) {
	options.TrustedOperators = []*jwt.OperatorClaims{o.claims}
	options.AccountResolver = o.resolver
	options.SystemAccount = o.system
}

func (o *operator) account(t *testing.T, name string) account {
	t.Helper()
	key, public := newKey(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(public)
	claims.Name = name
	if name != "system" {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	token, err := claims.Encode(o.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.resolver.Store(public, token); err != nil {
		t.Fatal(err)
	}
	return account{key}
}

// user writes the credentials file of a new user of the account.
func (a account) user(t *testing.T) (path string) {
	t.Helper()
	key, public := newKey(t, nkeys.CreateUser)
	token, err := jwt.NewUserClaims(public).Encode(a.key)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(path, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
