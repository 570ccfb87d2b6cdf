package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/recorder"
)

// exchange is one request on its way through. It belongs to the goroutine that
// serves it.
type exchange struct {
	gateway *Gateway
	table   *table // nil: there is no configuration yet
	begun   time.Time

	w      *writer
	r      *http.Request // as it came, but for what plugins take away
	secure bool          // the client came by https
	id     string        // of the request, in decimal: the trace id of its events
	trail  *recorder.Trail
	asked  asked
	match  match
	chain  chain

	consumer   *consumer
	credential string
	anonymous  bool
	body       *body // nil: the request has none

	headers  http.Header // that plugins add to the answer
	identity http.Header // that plugins add to what goes to the upstream
	recorded bool        // the answer's event
	status   int
	waited   time.Duration // for the upstream's header
	proxied  bool

	texts [16]string // room for the values of headers
	used  int
}

// strings is a header's values: one text. They are in the exchange as long as
// there is room, since each would be a piece of memory of its own.
func (x *exchange) strings(text string) []string {
	if x.used == len(x.texts) {
		return []string{text}
	}
	at := x.used
	x.used++
	x.texts[at] = text
	return x.texts[at : at+1 : at+1]
}

// errUnrecorded says that an answer was withheld because it cannot be recorded.
var errUnrecorded = errors.New("the audit journal cannot take the event")

func (x *exchange) serve(w http.ResponseWriter, r *http.Request) {
	g := x.gateway
	faithful(r.URL)
	x.trail = g.Recorder.Begin(r, "")
	x.id = strconv.FormatUint(x.trail.TraceID(), 10)
	x.w, x.r, x.headers = &writer{ResponseWriter: w, pause: g.clientPause}, r, http.Header{}
	x.secure = r.TLS != nil || x.trusted() && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	defer x.end()
	if r.ContentLength != 0 { // over HTTP/2 even what has no body has a reader of one
		x.body = &body{from: r.Body, writer: w, pause: g.clientPause}
		defer x.body.end()
	}
	if x.table == nil {
		x.answer(http.StatusServiceUnavailable, "the data plane has no configuration yet")
		return
	}
	x.trail.InRegion(x.table.region)
	x.trail.Of(x.consumer.principal(x.table.organization))
	if r.Method == http.MethodConnect {
		x.chain = x.table.global
		x.answer(http.StatusMethodNotAllowed, "CONNECT is not served here")
		return
	}
	if r.URL.Opaque != "" || !strings.HasPrefix(r.URL.Path, "/") { // OPTIONS *, which is about no path
		x.chain = x.table.global
		x.answer(http.StatusBadRequest, "the target of the request is not a path")
		return
	}
	x.asked = x.table.router.asked(r, x.secure)
	x.match = x.table.router.find(x.asked)
	if x.match.route == nil {
		x.chain = x.table.global
		x.answer(http.StatusNotFound, "no Route matched with those values")
		return
	}
	x.chain = x.match.chain
	if x.match.onlyHTTPS && !x.secure {
		x.redirect()
		return
	}
	if !x.access() {
		return
	}
	if x.match.service == nil {
		x.answer(http.StatusServiceUnavailable, "no Service found with those values")
		return
	}
	if err := x.recordIntent(); err != nil {
		x.answerUnrecorded()
		return
	}
	x.proxy()
}

// access has the plugins decide; false: one of them has answered.
func (x *exchange) access() (goOn bool) {
	scheme := byHTTP
	if x.secure {
		scheme = byHTTPS
	}
	if p := x.chain[slotCORS]; p.runs(scheme) && !p.http.cors.access(x) {
		return false
	}
	if p := x.chain[slotKeyAuth]; p.runs(scheme) {
		if !p.http.keyAuth.access(x) {
			return false
		}
		x.trail.Of(x.consumer.principal(x.table.organization))
		if x.consumer != nil {
			x.chain = x.chain.of(x.consumer, x.match.route)
		}
	}
	if p := x.chain[slotRateLimiting]; p.runs(scheme) && !p.http.rateLimiting.access(x, p) {
		return false
	}
	if p := x.chain[slotTermination]; p.runs(scheme) && !p.http.termination.access(x) {
		return false
	}
	return true
}

// redirect tells who came by http to come by https (RFC 7231, 6.5.15 and 6.4).
func (x *exchange) redirect() {
	if status := x.match.redirectStatus; status != http.StatusUpgradeRequired {
		host, _ := x.forwardedHost()
		x.headers.Set("Location", "https://"+host+x.r.URL.RequestURI())
		x.answer(status, "Please use HTTPS protocol")
		return
	}
	x.headers.Set("Connection", "Upgrade")
	x.headers.Set("Upgrade", "TLS/1.2, HTTP/1.1")
	x.answer(http.StatusUpgradeRequired, "Please use HTTPS protocol")
}

// end tells the log and the metrics of what was.
func (x *exchange) end() {
	x.w.end()
	took := x.gateway.Now().Sub(x.begun)
	x.gateway.metrics.served(x.r.Method, x.status, x.proxied, took, x.waited)
	if p := x.chain[slotHTTPLog]; p != nil {
		x.gateway.logs.add(x, p, took)
	}
}

// trusted reports whether the peer is a proxy whose word on the client is taken.
func (x *exchange) trusted() bool {
	if len(x.gateway.Recorder.TrustedProxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	for _, network := range x.gateway.Recorder.TrustedProxies {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// source is the client's address.
func (x *exchange) source() string { return x.trail.Source() }

// timeless is the request's context without its end: what is recorded of a
// request does not depend on whether its client waits.
func (x *exchange) timeless() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(x.r.Context()), recordPatience)
}

// query is the request's query without what holds a key.
func (x *exchange) query() string {
	p := x.chain[slotKeyAuth]
	if p == nil || x.r.URL.RawQuery == "" || !p.http.keyAuth.InQuery {
		return x.r.URL.RawQuery
	}
	return p.http.keyAuth.withoutKeys(x.r.URL.RawQuery)
}

// forwardedHost is the host that the client asked for, without a port, and the
// port of this server that it came to: Kong's rule of X-Forwarded-Host and -Port.
func (x *exchange) forwardedHost() (host, port string) {
	host, _, err := net.SplitHostPort(x.r.Host)
	switch {
	case err != nil:
		host = x.r.Host
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	if local, ok := x.r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		port = strconv.Itoa(local.Port)
	}
	if !x.trusted() {
		return host, port
	}
	return x.said("X-Forwarded-Host", host), x.said("X-Forwarded-Port", port)
}
