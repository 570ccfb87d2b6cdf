package gateway

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// How long a client may take between two reads of its request's body, or two
// writes of its answer.
const clientPause = time.Minute

// body is a request's body. It knows whether any of it was read, after which it
// cannot be sent a second time, and gives a client that sends nothing up.
type body struct {
	from   io.ReadCloser
	writer http.ResponseWriter
	head   []byte // read by a plugin, and still to be sent
	read   atomic.Bool
	set    time.Time // when the time for reading was last set
}

func (b *body) Read(p []byte) (int, error) {
	b.read.Store(true)
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if now := time.Now(); now.Sub(b.set) > clientPause/10 {
		b.set = now
		_ = http.NewResponseController(b.writer).SetReadDeadline(now.Add(clientPause + clientPause/10)) // as far as the connection can
	}
	return b.from.Read(p)
}

// Close leaves the body open: an attempt that has failed closes it, and another
// may follow. The server closes it in the end.
func (b *body) Close() error { return nil }

func (b *body) end() {
	if !b.set.IsZero() {
		_ = http.NewResponseController(b.writer).SetReadDeadline(time.Time{})
	}
}

// peek reads up to limit bytes, which are sent on all the same; ok says that
// this is all of the body.
func (b *body) peek(limit int) (text []byte, ok bool) {
	text, err := io.ReadAll(io.LimitReader(b, int64(limit)+1))
	b.head = text
	b.read.Store(false) // none of it has gone further
	return text, err == nil && len(text) <= limit
}

// replayable reports whether the body can be sent from its beginning.
func (b *body) replayable() bool { return b == nil || !b.read.Load() }

// writer is the way back to the client.
type writer struct {
	http.ResponseWriter
	quiet   bool // interim answers are held back
	wrote   bool
	bytes   int64
	set     time.Time // when the time for writing was last set
	pending int       // bytes since
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols && w.quiet {
		return
	}
	w.wrote = w.wrote || status >= 200 || status == http.StatusSwitchingProtocols
	w.ResponseWriter.WriteHeader(status)
}

// writeAhead is how much a client that reads nothing is sent before it is
// watched: about what the system holds for a connection anyway.
const writeAhead = 32 << 10

func (w *writer) Write(p []byte) (int, error) {
	w.wrote = true
	if w.pending += len(p); w.pending > writeAhead {
		if now := time.Now(); now.Sub(w.set) > clientPause/10 {
			w.set = now
			_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(clientPause + clientPause/10))
		}
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (w *writer) end() {
	if !w.set.IsZero() {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Time{})
	}
}
