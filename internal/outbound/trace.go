package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The phases of a request, in their order. A request over http has no TLS.
const (
	PhaseResolve  = "resolve"  // the name, to addresses
	PhaseConnect  = "connect"  // to the first address that takes a connection, past the guard
	PhaseTLS      = "tls"      // the handshake, and the certificate's verification
	PhaseRequest  = "request"  // headers and body on their way
	PhaseResponse = "response" // until the end of the answer
)

var phaseNames = [...]string{PhaseResolve, PhaseConnect, PhaseTLS, PhaseRequest, PhaseResponse}

// Trace is how far a request came, phase by phase: those that went well, and
// after them the one that did not. As with [Describe], it holds nothing of the
// request and nothing of the answer's body or headers.
type Trace []Phase

// Phase is one phase of a request. Its texts are single lines that may be shown.
type Phase struct {
	Name   string
	OK     bool
	Took   time.Duration
	Detail string // what came of it, or why it failed
	Remedy string // what can be done about it; may be empty
}

// Trace posts once, as Post does, by the same guard, certificates and limits,
// but on a connection of its own, so that every phase takes place.
func (c *Client) Trace(ctx context.Context, r Request) (Trace, Response, error) {
	client := c.unused(r.SkipTLSVerify)
	defer client.CloseIdleConnections()
	watch := &phases{skipVerify: r.SkipTLSVerify}
	response, _, err := c.once(httptrace.WithClientTrace(ctx, watch.hooks()), client, http.MethodPost, r)
	return watch.finish(response, err), response, err
}

// phases gathers what net/http tells. It may go on telling, from goroutines of
// its own, when the request is over.
type phases struct {
	skipVerify bool

	mu    sync.Mutex
	over  bool
	steps [len(phaseNames)]timing
}

type timing struct {
	began, ended time.Time
	detail       string
}

const (
	resolve = iota
	connect
	handshake
	sending
	answering
)

func (p *phases) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { p.begin(resolve) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err != nil {
				return
			}
			var addresses []string
			for _, address := range info.Addrs {
				addresses = append(addresses, address.String())
			}
			p.end(resolve, strings.Join(addresses, ", "))
		},
		ConnectStart: func(string, string) {
			p.end(resolve, "the endpoint names an address") // unless a name was resolved
			p.begin(connect)
		},
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				p.end(connect, address)
			}
		},
		TLSHandshakeStart: func() { p.begin(handshake) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				p.end(handshake, describeTLS(state, p.skipVerify))
			}
		},
		GotConn: func(httptrace.GotConnInfo) { p.begin(sending) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				p.end(sending, "sent")
				p.begin(answering)
			}
		},
	}
}

// begin counts for the first of the addresses that are tried.
func (p *phases) begin(which int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step := &p.steps[which]; !p.over && step.began.IsZero() {
		step.began = time.Now()
	}
}

func (p *phases) end(which int, detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	step := &p.steps[which]
	if p.over || !step.ended.IsZero() {
		return
	}
	step.ended, step.detail = time.Now(), detail
	if step.began.IsZero() {
		step.began = step.ended
	}
}

// finish lists the phases.
func (p *phases) finish(response Response, err error) Trace {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	last := p.reached()
	if err == nil {
		last = answering
	}
	var trace Trace
	for which, step := range p.steps[:last] {
		if !step.began.IsZero() {
			trace = append(trace, step.done(phaseNames[which]))
		}
	}
	result := Phase{Name: phaseNames[last], Took: since(p.steps[last].began)}
	if err == nil {
		_, message := Describe(response, nil)
		result.OK = response.Status >= 200 && response.Status <= 299
		result.Detail, result.Remedy = fmt.Sprintf("%d %s", response.Status, clean(message)), remedyOfStatus(response.Status)
	} else {
		message, _ := explain(err)
		detail, remedy := describeFailure(last, message, err)
		result.Detail, result.Remedy = clean(detail), remedy
	}
	return append(trace, result)
}

// reached is the phase in which a request that failed ended: the last that
// began, or the one after it.
func (p *phases) reached() int {
	for which := answering; which >= 0; which-- {
		switch step := p.steps[which]; {
		case step.began.IsZero():
		case step.ended.IsZero():
			return which
		default:
			return min(which+1, answering)
		}
	}
	return resolve
}

// done is a phase that went well. An answer may come before all of the request
// was sent: that is the receiver's word, and no failure of ours.
func (t timing) done(name string) Phase {
	if t.ended.IsZero() {
		return Phase{Name: name, OK: true, Took: since(t.began), Detail: "answered before all of it was sent"}
	}
	return Phase{Name: name, OK: true, Took: t.ended.Sub(t.began), Detail: clean(t.detail)}
}

func since(began time.Time) time.Duration {
	if began.IsZero() {
		return 0
	}
	return time.Since(began)
}

func describeTLS(state tls.ConnectionState, skipVerify bool) string {
	detail := tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		detail += ", " + describeCertificate(state.PeerCertificates[0])
	}
	if skipVerify {
		detail += ", not verified (skip_ssl_verification)"
	}
	return detail
}

// describeCertificate names what the server says of itself, shortened so that
// no part of it crowds the others out.
func describeCertificate(c *x509.Certificate) string {
	return fmt.Sprintf("certificate of %s from %s until %s",
		shorten(nameOf(c)), shorten(c.Issuer.String()), c.NotAfter.UTC().Format(time.DateOnly))
}

func nameOf(c *x509.Certificate) string {
	if c.Subject.String() == "" && len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.String()
}

func shorten(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	if text == "" {
		return "nobody"
	}
	return text
}

// describeFailure says why a phase failed and what can be done.
func describeFailure(which int, message string, err error) (detail, remedy string) {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refusal(refused.Addr, refused.Reason), remedyOfRefusal(refused)
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		if len(untrusted.UnverifiedCertificates) > 0 {
			message += "; it is the " + describeCertificate(untrusted.UnverifiedCertificates[0])
		}
		return message, remedyOfCertificate(untrusted.Err)
	}
	switch which {
	case resolve:
		return message, "Check the host in the endpoint, and that the server's resolver knows it."
	case connect:
		return message, "Check the endpoint's port, that the receiver is running, and that firewalls between let the server through."
	case handshake:
		return message, "Check that the endpoint's port speaks TLS 1.2 or newer."
	case sending:
		return message, "The receiver hung up while it was sent to: look at its log, or at what stands before it."
	}
	return message, "The receiver took the request and did not answer it: look at its log, or at what stands before it."
}

func refusal(addr netip.Addr, reason string) string {
	return fmt.Sprintf("address %s is refused: %s", addr, reason)
}

func remedyOfRefusal(e *RefusedError) string {
	if e.private {
		return "Webhooks reach private networks only when the server is started with --allow-private-destinations, or with --allow-destinations and the network."
	}
	return "Webhooks reach this address only when the server is started with --allow-destinations and its network."
}

func remedyOfCertificate(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "Use in the endpoint a host that the certificate names."
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "Start the server with --destination-ca and the PEM file of the certificate's authority."
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "Renew the receiver's certificate, and check both clocks."
	}
	return "Give the receiver a certificate that verifies."
}

func remedyOfStatus(status int) string {
	switch {
	case status >= 200 && status <= 299:
		return ""
	case status >= 300 && status <= 399:
		return "Give the destination the address that the receiver redirects to as its endpoint."
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "Check the destination's authorization: it is sent as it is, the scheme included."
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusMethodNotAllowed:
		return "Check the path of the destination's endpoint."
	case status == http.StatusUnsupportedMediaType, status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return "Check that the receiver takes gzip, and the destination's log format."
	case status == http.StatusTooManyRequests:
		return "The receiver asks for fewer requests: deliveries wait and try again."
	}
	return "Look at the receiver's log: what it answered is not about the destination's settings."
}
