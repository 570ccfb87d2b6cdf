package collector

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search"
)

// forwardPrefix begins every message (RFC 5424): facility 13, "log audit", and
// severity 6, informational. Time and host are those of the line itself, which
// is the message: left out here, the same line always is the same message.
const forwardPrefix = "<110>1 - - trailhook - - - "

// syslogTimeout bounds the writing of a batch.
const syslogTimeout = 30 * time.Second

// syslogLink is a connection to a syslog server, or none. Over TCP syslog has no
// acknowledgement: what was written when the connection broke off may be lost
// without a word, if the server closes after reading it or the network fails.
// Of a connection that the server has closed this is noticed.
type syslogLink struct {
	target outbound.Target
	conn   net.Conn
	gone   chan struct{} // closed when the other side closes
}

// send writes the lines, each in a frame with its length (RFC 6587, 3.4.1;
// RFC 5425, 4.3). After an error the connection is closed.
func (l *syslogLink) send(ctx context.Context, client *outbound.Client, target outbound.Target, batch []search.Stored) error {
	if l.conn != nil && (l.target != target || l.isGone()) {
		l.close()
	}
	if l.conn == nil {
		if err := l.open(ctx, client, target); err != nil {
			return err
		}
	}
	if err := l.write(ctx, batch); err != nil {
		l.close()
		return err
	}
	return nil
}

func (l *syslogLink) open(ctx context.Context, client *outbound.Client, target outbound.Target) error {
	conn, err := client.Dial(ctx, target)
	if err != nil {
		return err
	}
	l.target, l.conn, l.gone = target, conn, make(chan struct{})
	gone := l.gone
	go func() { // close waits for it
		defer close(gone)
		io.Copy(io.Discard, conn) // a syslog server says nothing
	}()
	return nil
}

func (l *syslogLink) write(ctx context.Context, batch []search.Stored) error {
	l.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)) // an error comes with the write
	defer context.AfterFunc(ctx, func() { l.conn.SetWriteDeadline(time.Unix(1, 0)) })()
	out := bufio.NewWriterSize(l.conn, 64<<10)
	for i := range batch {
		fmt.Fprintf(out, "%d %s%s", len(forwardPrefix)+len(batch[i].Raw), forwardPrefix, batch[i].Raw) // an error is kept, and comes with Flush
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if l.isGone() {
		return errClosed
	}
	return nil
}

var errClosed = fmt.Errorf("the syslog server closed the connection: %w", io.EOF)

func (l *syslogLink) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// close closes the connection, if there is one.
func (l *syslogLink) close() {
	if l.conn == nil {
		return
	}
	l.conn.Close() // given up in any case
	<-l.gone
	l.conn = nil
}
