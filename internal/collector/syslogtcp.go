package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// ServeTCP takes messages from the connections of a listener until Shutdown,
// which closes it, and returns nil then. A listener that is to encrypt gives
// connections of TLS. How many there may be is the listener's to bound.
func (s *Syslog) ServeTCP(listener net.Listener) error {
	l := listening{listener}
	if !s.begin(l) {
		return listener.Close()
	}
	defer s.end(l)
	var pause time.Duration
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			pause = 0
			s.serveConnection(conn)
		case isClosed(err):
			return nil
		case pause > lastPause:
			return fmt.Errorf("syslog: accept at %s: %w", listener.Addr(), err)
		default: // out of files, or a peer that was gone already
			pause = max(2*pause, time.Millisecond)
			select {
			case <-time.After(pause):
			case <-s.closed:
			}
		}
	}
}

type listening struct{ net.Listener }

func (l listening) stop() { l.Close() }

func (s *Syslog) serveConnection(conn net.Conn) {
	c := &connection{syslog: s, conn: conn, transport: "tcp"}
	c.peer, c.port = peerOf(conn.RemoteAddr(), conn.LocalAddr())
	if _, encrypted := conn.(*tls.Conn); encrypted {
		c.transport = "tls"
	}
	if !s.begin(c) {
		conn.Close()
		return
	}
	go func() {
		defer s.end(c)
		defer conn.Close()
		s.open.Add(1)
		defer s.open.Add(-1)
		c.run()
	}()
}

// connection is a peer's connection.
type connection struct {
	syslog    *Syslog
	conn      net.Conn
	transport string
	peer      netip.Addr
	port      uint16 // of ours

	framer   framer
	lines    *grouper  // gathered and not durable yet
	window   time.Time // until when they are gathered
	began    time.Time // when the first byte of an incomplete message was there
	holdLong bool      // one of the places for long messages

	mu      sync.Mutex
	stopped bool // reading ends
}

// stop has the connection read no more. What it has read is dealt with.
func (c *connection) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.conn.SetReadDeadline(time.Unix(1, 0))
}

func (c *connection) run() {
	if !c.shakeHands() {
		return
	}
	defer c.releaseLong()
	c.framer = framer{in: c.conn, before: c.setDeadline, long: c.takeLong, note: func(f fault) {
		c.syslog.syslog.faults.WithLabelValues(string(f)).Inc()
	}}
	for {
		c.lines = &grouper{}
		c.window = time.Time{}
		err := c.gather()
		if err != nil {
			c.add(c.framer.rest())
		}
		// Durable before reading on.
		if !c.syslog.commit(&consignment{peer: c.peer, port: c.port, lines: c.lines}) || err != nil {
			return
		}
		if c.framer.shrink() {
			c.releaseLong()
		}
	}
}

func (c *connection) shakeHands() bool {
	encrypted, ok := c.conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	return encrypted.HandshakeContext(ctx) == nil
}

// gather reads messages until there are enough, or their time is over. It
// returns an error when there will be no more.
func (c *connection) gather() error {
	limit := min(groupBytes, max(firstBuffer, gatherBytes/int(max(1, c.syslog.open.Load()))))
	for c.lines.lines < gatherLines && c.lines.bytes < limit {
		frame, err := c.framer.next()
		switch {
		case err == nil:
			c.began = time.Time{}
			c.add(frame)
		case c.lines.lines > 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.isStopped():
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && c.framer.pending() && c.framer.octets == 0:
			c.framer.note(halfFrame)
			return err
		default:
			return err
		}
	}
	return nil
}

func (c *connection) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

func (c *connection) add(message []byte) {
	if len(message) == 0 {
		return
	}
	c.lines.add(oneMessage(message))
	c.syslog.syslog.messages.WithLabelValues(c.transport).Inc()
}

// setDeadline says how long the next read may take.
func (c *connection) setDeadline() error {
	now := time.Now()
	deadline := now.Add(c.syslog.idleTime)
	if c.framer.pending() {
		if c.began.IsZero() {
			c.began = now
		}
		deadline = c.began.Add(c.syslog.frameTime)
	}
	if c.lines.lines > 0 {
		if c.window.IsZero() {
			c.window = now.Add(gatherTime)
		}
		deadline = c.window
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return os.ErrDeadlineExceeded
	}
	return c.conn.SetReadDeadline(deadline)
}

// takeLong waits for one of the places for long messages.
func (c *connection) takeLong() error {
	if c.holdLong {
		return nil
	}
	select {
	case c.syslog.long <- struct{}{}:
		c.holdLong = true
		return nil
	case <-c.syslog.closed:
		return net.ErrClosed
	}
}

func (c *connection) releaseLong() {
	if c.holdLong {
		<-c.syslog.long
		c.holdLong = false
	}
}
