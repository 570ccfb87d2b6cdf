package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
)

// memoryNet is a network of one server, without sockets, so that the real client and the real server can run
// on the clock of testing/synctest.
type memoryNet struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// serveInMemory starts a server and returns how to reach it, and how to stop it, which must be done before
// the bubble ends.
func serveInMemory(handler http.Handler) (dial dialFunc, stop func()) {
	network := &memoryNet{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(network) })
	return network.dial, func() {
		server.Close()
		serving.Wait()
	}
}

func (n *memoryNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.accepted <- server:
		return client, nil
	case <-n.closed:
		return nil, errors.New("the server is closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *memoryNet) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accepted:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memoryNet) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *memoryNet) Addr() net.Addr { return &net.TCPAddr{} }

// loopback are options for tests with real servers on this machine.
func loopback() Options {
	return Options{Policy: Policy{AllowPrivate: true}, UserAgent: "trailhook-test"}
}

func newTestClient(t *testing.T, o Options) *Client {
	t.Helper()
	client := New(o)
	t.Cleanup(client.CloseIdleConnections)
	return client
}
