package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/outbound"
)

// proxy sends the request on and the answer back.
func (x *exchange) proxy() {
	x.proxied = true
	x.w.quiet = x.blocks() || !x.r.ProtoAtLeast(1, 1) // HTTP/1.0 has no interim answers
	if x.body == nil && x.match.service.scheme == "http" && fitsDirect(x.r) {
		x.forward()
		return
	}
	flush := time.Duration(0)
	if x.match.flushAtOnce {
		flush = -1
	}
	proxy := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      attempts{x},
		FlushInterval:  flush,
		BufferPool:     buffers,
		ModifyResponse: x.answered,
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { x.failed(err) },
		ErrorLog:       silent, // what fails is answered and counted
	}
	r := x.r
	if x.body != nil {
		r = r.WithContext(r.Context()) // a copy
		r.Body = x.body
	}
	proxy.ServeHTTP(x.w, r)
}

// silent is the log of what the reverse proxy says of broken connections.
var silent = log.New(io.Discard, "", 0)

// buffers are shared by all gateways of the process.
var buffers = bufferPool{&sync.Pool{New: func() any { return new([32 << 10]byte) }}}

type bufferPool struct{ pool *sync.Pool }

func (b bufferPool) Get() []byte  { return b.pool.Get().(*[32 << 10]byte)[:] }
func (b bufferPool) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// rewrite makes the request for the upstream of the client's. Hop-by-hop headers
// are gone by now, but for those of an upgrade. A protocol that the data plane
// does not know of could carry requests past its routes and its records, HTTP/2
// among them, so only WebSockets pass, as in Kong.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	s, out, in := x.match.service, p.Out, p.In
	if !strings.EqualFold(out.Header.Get("Upgrade"), "websocket") {
		delete(out.Header, "Connection")
		delete(out.Header, "Upgrade")
	}
	out.Trailer = in.Trailer    // of which the server fills in the values at the body's end
	delete(out.Header, "Proxy") // scripts take it for a setting of their own (httpoxy)
	out.URL.Scheme, out.URL.Host = s.scheme, s.host
	address(out.URL, upstreamPath(s.path, x.asked.path, x.match.rest, x.match.strips()))
	out.URL.RawQuery = in.URL.RawQuery // as it came, but for keys that are hidden
	if x.match.preserveHost {
		out.Host = in.Host
	} else {
		out.Host = s.host
	}
	x.tell(out.Header, in, in.Header["Via"])
}

// tell adds to a request's headers what the upstream is told.
func (x *exchange) tell(header http.Header, in *http.Request, via []string) {
	x.tellOrigin(header, in)
	for name, values := range x.identity {
		if len(values) == 0 {
			delete(header, name)
			continue
		}
		header[name] = values
	}
	header["X-Kong-Request-Id"] = x.strings(x.id)
	own := httpVersion(in) + " trailhook"
	if len(via) > 0 {
		own = strings.Join(via, ", ") + ", " + own
	}
	header["Via"] = x.strings(own)
}

func httpVersion(r *http.Request) string {
	switch {
	case r.ProtoMajor > 1:
		return strconv.Itoa(r.ProtoMajor)
	case r.ProtoMinor == 0:
		return "1.0"
	}
	return "1.1"
}

// tellOrigin says in X-Forwarded-… where the request comes from. What the client
// says itself counts only when it is a trusted proxy.
func (x *exchange) tellOrigin(header http.Header, in *http.Request) {
	host, port := x.forwardedHost()
	scheme := "http"
	if in.TLS != nil {
		scheme = "https"
	}
	peer, _, err := net.SplitHostPort(in.RemoteAddr)
	if err != nil {
		peer = in.RemoteAddr
	}
	path, prefix := in.URL.EscapedPath(), ""
	if x.match.stripPath && x.match.prefix != "/" {
		prefix = escapedPath(x.match.prefix)
	}
	if x.trusted() {
		scheme = x.said("X-Forwarded-Proto", scheme)
		path, prefix = x.said("X-Forwarded-Path", path), x.said("X-Forwarded-Prefix", prefix)
		if before := in.Header["X-Forwarded-For"]; len(before) > 0 {
			peer = strings.Join(before, ", ") + ", " + peer
		}
	}
	header["X-Forwarded-For"] = x.strings(peer)
	header["X-Forwarded-Proto"] = x.strings(scheme)
	header["X-Forwarded-Host"] = x.strings(host)
	header["X-Forwarded-Port"] = x.strings(port)
	header["X-Forwarded-Path"] = x.strings(path)
	header["X-Real-Ip"] = x.strings(x.source())
	if delete(header, "X-Forwarded-Prefix"); prefix != "" {
		header["X-Forwarded-Prefix"] = x.strings(prefix)
	}
	delete(header, "Forwarded")
}

// said is what a trusted proxy says in a header, where it says anything.
func (x *exchange) said(name, own string) string {
	if values := x.r.Header[name]; len(values) > 0 {
		return strings.Join(values, ", ")
	}
	return own
}

// answered looks at the upstream's answer before any of it is sent on.
func (x *exchange) answered(resp *http.Response) error {
	if err := x.record(resp.StatusCode); err != nil {
		return errUnrecorded
	}
	x.status = resp.StatusCode
	maps.Copy(resp.Header, x.headers)
	if via := resp.Header["Via"]; len(via) > 0 {
		resp.Header["Via"] = append(via, "1.1 trailhook")
	} else {
		resp.Header["Via"] = x.strings("1.1 trailhook")
	}
	resp.Header["X-Kong-Upstream-Latency"] = x.strings(strconv.FormatInt(x.waited.Milliseconds(), 10))
	resp.Header["X-Kong-Request-Id"] = x.strings(x.id)
	if p := x.chain[slotCORS]; p != nil {
		p.http.cors.clean(resp.Header, x.headers)
	}
	return nil
}

// failed answers when the upstream does not.
func (x *exchange) failed(err error) {
	var (
		resolve *net.DNSError
		refused *outbound.RefusedError
		timeout net.Error
		unknown x509.UnknownAuthorityError
		invalid *tls.CertificateVerificationError
	)
	status, message := http.StatusBadGateway, "An invalid response was received from the upstream server"
	switch {
	case errors.Is(err, errUnrecorded):
		x.answerUnrecorded()
		return
	case x.body.failure() != nil:
		status, message = x.brokenBody(x.body.failure())
		x.headers.Set("Connection", "close") // nobody knows where the next request begins
	case errors.Is(x.r.Context().Err(), context.Canceled):
		status, message = statusClientClosed, "the client closed the connection"
	case errors.As(err, &refused):
		message = "the address of the upstream is not one that services may be at"
	case errors.As(err, &resolve) && !resolve.IsTimeout:
		status, message = http.StatusServiceUnavailable, "name resolution failed"
	case errors.As(err, &timeout) && timeout.Timeout():
		status, message = http.StatusGatewayTimeout, "The upstream server is timing out"
	case errors.As(err, &unknown), errors.As(err, &invalid):
		message = "The certificate of the upstream server cannot be verified"
	}
	x.gateway.Logger.Debug("an upstream failed", "service", x.match.service.id, "status", status, "request_id", x.id, "error", err)
	x.answer(status, message)
}

// brokenBody answers a client whose request's body cannot be read to its end.
func (x *exchange) brokenBody(err error) (status int, message string) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, "the request's body did not come"
	case errors.Is(err, io.ErrUnexpectedEOF), x.r.Context().Err() != nil:
		return statusClientClosed, "the client closed the connection"
	}
	return http.StatusBadRequest, "the request's body cannot be read"
}

// statusClientClosed is what is recorded of a request whose client is gone; the
// number is nginx's.
const statusClientClosed = 499

// attempts tries to send a request as often as its service allows.
type attempts struct{ x *exchange }

// RoundTrip sends the request again after a failure where that can do no harm:
// when no connection could be made, or when the method is idempotent and there
// is no body.
func (a attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	x := a.x
	if x.body == nil {
		r.Body = nil
	}
	sent, repeatable := false, idempotent(r.Method) && x.body == nil
	if x.match.service.retries > 0 && !repeatable {
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}))
	}
	begun := x.gateway.Now()
	for left := x.match.service.retries; ; left-- {
		resp, err := x.match.service.transport.usual.RoundTrip(r)
		if err == nil {
			x.waited = x.gateway.Now().Sub(begun)
			return resp, nil
		}
		again := left > 0 && r.Context().Err() == nil && (repeatable || !sent && x.body.replayable()) && !permanent(err)
		if !again {
			x.waited = x.gateway.Now().Sub(begun)
			return nil, err
		}
		x.gateway.metrics.retries.Inc()
	}
}

// idempotent are the methods of which two requests do no more than one (RFC
// 9110, 9.2.2).
func idempotent(method string) bool { return safe(method) || method == "PUT" || method == "DELETE" }

// safe are the methods that change nothing (RFC 9110, 9.2.1).
func safe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// permanent are failures that another attempt meets again.
func permanent(err error) bool {
	var refused *outbound.RefusedError
	var certificate *tls.CertificateVerificationError
	var resolve *net.DNSError
	return errors.As(err, &refused) || errors.As(err, &certificate) || errors.As(err, &resolve) && resolve.IsNotFound
}
