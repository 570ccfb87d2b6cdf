package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// Target is where Dial connects to.
type Target struct {
	Address       string // host:port
	TLS           bool   // otherwise everything is sent in the clear
	SkipTLSVerify bool   // accept any certificate
}

// Dial connects over TCP, for protocols other than HTTP. The address is held
// against the policy when the connection is made, as for every request, and the
// time-outs for connecting and for the handshake are the client's. A proxy is
// for HTTP and has no part in it.
func (c *Client) Dial(ctx context.Context, t Target) (net.Conn, error) {
	dialer := &net.Dialer{
		Timeout:        orDefault(c.options.Timeouts.Connect, DefaultConnectTimeout),
		ControlContext: c.options.Policy.control,
	}
	conn, err := dialer.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Address, conceal(err))
	}
	if !t.TLS {
		return conn, nil
	}
	host, _, err := net.SplitHostPort(t.Address)
	if err != nil { // not possible: it was connected to
		conn.Close()
		return nil, fmt.Errorf("connect to %s: %w", t.Address, err)
	}
	secure := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: c.options.RootCAs, ServerName: host, InsecureSkipVerify: t.SkipTLSVerify,
	})
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.options.Timeouts.TLS, DefaultTLSTimeout))
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to %s: %w", t.Address, conceal(err))
	}
	return secure, nil
}
