package collector

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

const (
	// maxCompressed is the longest body that is taken, in bytes as it is sent.
	maxCompressed = 10 << 20
	// maxDecompressed is the longest body that is taken, in bytes after
	// decompression.
	maxDecompressed = 100 << 20
	// maxHeld is how many bytes the bodies may have together, as they are sent,
	// that are being read or wait to be decoded.
	maxHeld = 128 << 20
	// maxDecoding is how many bodies are held decompressed at once; the others
	// wait, compressed. It also keeps below the engine's limit of 50 atomic
	// batches under way in one stream.
	maxDecoding = 8
	// A body that has more than largeBody bytes after decompression is large;
	// of these, maxLarge are held at once, so that bombs leave room for others.
	largeBody = 16 << 20
	maxLarge  = 2

	firstBuffer = 4 << 10 // bytes for a body, to begin with
)

var (
	// errTooLarge is wrapped by what exceeds a limit of the receiver.
	errTooLarge = errors.New("too large")
	// errBusy says that others have all the memory that bodies may take.
	errBusy = errors.New("too many bodies at once")
)

// admission bounds what bodies take of memory, all together: 128 MiB as they
// are sent and, decompressed, eight of up to 16 MiB and two of up to 100 MiB.
// What finds no room is refused for now, with [errBusy].
type admission struct {
	held     atomic.Int64
	decoding chan struct{}
	large    chan struct{}
}

func newAdmission() *admission {
	return &admission{decoding: make(chan struct{}, maxDecoding), large: make(chan struct{}, maxLarge)}
}

// read reads a request's body. release gives its memory back, and must be
// called after an error too.
func (a *admission) read(w http.ResponseWriter, req *http.Request) (body []byte, release func(), err error) {
	reader := http.MaxBytesReader(w, req.Body, maxCompressed)
	release = func() { a.held.Add(int64(-cap(body))) }
	for {
		// Memory is taken for bytes that came, not for those that are announced:
		// who announces much and sends slowly keeps nobody out.
		if len(body) == cap(body) {
			size := max(firstBuffer, 2*cap(body))
			if a.held.Add(int64(size-cap(body))) > maxHeld {
				a.held.Add(int64(cap(body) - size))
				return nil, release, errBusy
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, release, nil
		}
		if err != nil {
			return nil, release, bodyError(err)
		}
	}
}

func bodyError(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fmt.Errorf("%w: the body has more than %d bytes: send smaller ones", errTooLarge, maxCompressed)
	}
	return &rejection{http.StatusBadRequest, "incomplete", "the body ended early"}
}

// enter waits until a body may be decoded, or until done is closed.
func (a *admission) enter(done <-chan struct{}) bool {
	select {
	case a.decoding <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

func (a *admission) leave() { <-a.decoding }

// decode gives the decompressed body to split, within the limits. free must be
// called when what split has made of it is no longer held.
func (a *admission) decode(encoding string, body []byte, split func(io.Reader) error) (free func(), err error) {
	free = func() {}
	decoded, err := decodeBody(encoding, body)
	if err != nil {
		return free, err
	}
	defer decoded.Close()
	m := &meter{in: decoded, large: a.large}
	return m.free, split(m)
}

// meter counts what a body decompresses to.
type meter struct {
	in    io.Reader
	large chan struct{}
	read  int
	holds bool // one of the places for large bodies
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.read += n
	if m.read > maxDecompressed {
		return 0, fmt.Errorf("%w: the body has more than %d bytes after decompression", errTooLarge, maxDecompressed)
	}
	if m.read > largeBody && !m.holds {
		select {
		case m.large <- struct{}{}:
			m.holds = true
		default:
			return 0, errBusy
		}
	}
	return n, err
}

func (m *meter) free() {
	if m.holds {
		<-m.large
		m.holds = false
	}
}
