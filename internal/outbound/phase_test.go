package outbound

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
)

func TestAnErrorTellsThePhaseInWhichTheRequestFailed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, PhaseResponse},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Name: "a.test", IsNotFound: true}}, PhaseResolve},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, PhaseConnect},
		{&net.OpError{Op: "write", Err: syscall.ECONNRESET}, PhaseRequest},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, PhaseResponse},
		{&tls.CertificateVerificationError{Err: errors.New("expired")}, PhaseTLS},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}, PhaseTLS},
		{http.ErrSchemeMismatch, PhaseTLS},
		{io.EOF, PhaseResponse},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("post: %w", err)
		}
		if got := FailedPhase(err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	client := newResolvingClient(t, loopback(), fixed(nil))
	_, err := client.Post(t.Context(), Request{URL: "https://absent.example.com/"})
	if got := FailedPhase(err); got != PhaseResolve {
		t.Errorf("%v: %q", err, got)
	}
	if _, err := client.Post(t.Context(), Request{URL: "nonsense"}); FailedPhase(err) != "" {
		t.Errorf("%v: %q", err, FailedPhase(err))
	}
}

func TestARefusedAddressFailsToConnect(t *testing.T) {
	client := New(Options{})
	_, err := client.Post(t.Context(), Request{URL: "https://127.0.0.1:1/"})
	if got := FailedPhase(err); got != PhaseConnect {
		t.Errorf("%v: %q", err, got)
	}
}
