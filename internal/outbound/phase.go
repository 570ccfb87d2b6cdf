package outbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
)

// FailedPhase names the phase in which a request has failed, as far as its error
// tells: the last one where it does not, and where there was an answer, which is
// no error. It is empty when the address is none, and nothing was tried.
// [Client.Trace] sees more, and costs a connection of its own.
func FailedPhase(err error) string {
	if err == nil {
		return PhaseResponse
	}
	if _, ok := errors.AsType[urlError](err); ok {
		return ""
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return PhaseResolve
	}
	if ofTLS(err) {
		return PhaseTLS
	}
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return PhaseConnect
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		switch network.Op {
		case "dial":
			return PhaseConnect
		case "write":
			return PhaseRequest
		}
	}
	return PhaseResponse
}

func ofTLS(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	deepest := innermost(err).Error() // net/http's error of a handshake that takes too long has no type
	return untrusted || noTLS || errors.Is(err, http.ErrSchemeMismatch) ||
		strings.HasPrefix(deepest, "tls: ") || strings.HasSuffix(deepest, "TLS handshake timeout")
}
