package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/trailhook/trailhook/internal/outbound"
)

// transportKey is what tells the connections of services apart.
type transportKey struct {
	connect, read, write time.Duration
	insecure             bool // certificates are not verified
}

// transport keeps connections to upstreams.
type transport struct {
	usual  *http.Transport
	direct *direct
}

// CloseIdleConnections closes what no request is on.
func (t *transport) CloseIdleConnections() {
	t.usual.CloseIdleConnections()
	t.direct.CloseIdleConnections()
}

// transports are the transports in use, over changes of the configuration.
type transports struct {
	policy outbound.Policy
	mu     sync.Mutex
	byKey  map[transportKey]*transport
}

func (t *transports) get(key transportKey) *transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byKey[key]; known != nil {
		return known
	}
	if t.byKey == nil {
		t.byKey = map[transportKey]*transport{}
	}
	made := newTransport(key, t.policy)
	t.byKey[key] = made
	return made
}

// keep drops the transports that no service needs any more. Requests that are on
// their way end on them.
func (t *transports) keep(needed map[transportKey]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, one := range t.byKey {
		if !needed[key] {
			one.CloseIdleConnections()
			delete(t.byKey, key)
		}
	}
}

func newTransport(key transportKey, policy outbound.Policy) *transport {
	dialer := &net.Dialer{Timeout: key.connect, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return policy.Check(at.Addr())
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &timedConn{Conn: conn, read: key.read, write: key.write}, nil
	}
	return &transport{direct: &direct{dial: dial}, usual: &http.Transport{
		DialContext:            dial,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: key.insecure},
		TLSHandshakeTimeout:    key.connect,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTime,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}}
}

// timedConn gives up a connection on which nothing comes, or goes, for the times
// of its service. A deadline is moved only when a tenth of its time has passed,
// and set that much later, since to move it costs.
type timedConn struct {
	net.Conn
	read, write time.Duration
	mu          sync.Mutex
	readSet     time.Time
	writeSet    time.Time
}

func (c *timedConn) Read(p []byte) (int, error) {
	c.extendRead(time.Now())
	return c.Conn.Read(p)
}

// Write gives reading its time anew too: an answer need not begin before the
// request is there.
func (c *timedConn) Write(p []byte) (int, error) {
	now := time.Now()
	c.mu.Lock()
	if now.Sub(c.writeSet) > c.write/10 {
		c.writeSet = now
		_ = c.Conn.SetWriteDeadline(now.Add(c.write + c.write/10))
	}
	c.mu.Unlock()
	c.extendRead(now)
	return c.Conn.Write(p)
}

func (c *timedConn) extendRead(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.readSet) > c.read/10 {
		c.readSet = now
		_ = c.Conn.SetReadDeadline(now.Add(c.read + c.read/10))
	}
}
