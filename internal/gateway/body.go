package gateway

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is a request's body. It knows whether any of it was read, after which it
// cannot be sent a second time, and gives a client that sends nothing up. An
// upstream that answers early leaves it in the middle of a read, which may last
// longer than the exchange.
type body struct {
	from   io.ReadCloser
	writer http.ResponseWriter
	pause  time.Duration // that a client may make
	head   []byte        // read by a plugin, and still to be sent
	read   atomic.Bool

	mu    sync.Mutex
	set   time.Time // when the time for reading was last set
	err   error     // of reading, which the client is to answer for
	ended bool      // the connection is the server's again
}

func (b *body) Read(p []byte) (int, error) {
	b.read.Store(true)
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if now := time.Now(); b.due(now) {
		b.limit(now.Add(b.pause + b.pause/10))
	}
	n, err := b.from.Read(p)
	switch {
	case err == io.EOF:
		// The server goes on listening whether the client is there, and would take
		// the end of this time for its being gone while the upstream thinks.
		b.limit(time.Time{})
	case err != nil:
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

// failure is why the body could not be read to its end; nil when that is not
// known, or when there is none.
func (b *body) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// due reports whether the time for reading is to be moved, which costs, and is
// done when a tenth of it has passed.
func (b *body) due(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Sub(b.set) > b.pause/10
}

// limit sets the time for reading, as far as the connection can.
func (b *body) limit(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.set = time.Now()
	_ = http.NewResponseController(b.writer).SetReadDeadline(until)
}

// end leaves the connection to the server. A read that goes on ends in its time.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// Close leaves the body open: an attempt that has failed closes it, and another
// may follow. The server closes it in the end.
func (b *body) Close() error { return nil }

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
	pause   time.Duration // that a client may make
	quiet   bool          // interim answers are held back
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
		if now := time.Now(); now.Sub(w.set) > w.pause/10 {
			w.set = now
			_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(w.pause + w.pause/10))
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
