package outbound

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestADialIsHeldAgainstThePolicy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	target := Target{Address: listener.Addr().String()}
	_, err = New(Options{}).Dial(t.Context(), target)
	if _, refused := errors.AsType[*RefusedError](err); !refused {
		t.Errorf("loopback: %v", err)
	}
	proxy, err := ParseProxy("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = New(Options{Proxy: proxy}).Dial(t.Context(), target); err == nil || !strings.Contains(err.Error(), "refused: loopback") {
		t.Errorf("with a proxy: %v", err)
	}
	conn, err := New(Options{Policy: Policy{AllowPrivate: true}}).Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestADialWithTLSChecksTheCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	address := server.Listener.Addr().String()
	policy := Policy{AllowPrivate: true}
	for _, test := range []struct {
		name    string
		options Options
		target  Target
		wrong   string
	}{
		{"an authority that is trusted", Options{Policy: policy, RootCAs: roots}, Target{Address: address, TLS: true}, ""},
		{"an authority that is not", Options{Policy: policy}, Target{Address: address, TLS: true}, "certificate"},
		{"any certificate", Options{Policy: policy}, Target{Address: address, TLS: true, SkipTLSVerify: true}, ""},
	} {
		conn, err := New(test.options).Dial(t.Context(), test.target)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
