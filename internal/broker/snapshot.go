package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stalledAfter is how long the engine may take for the next piece of a snapshot.
const stalledAfter = time.Minute

// Embedded reports whether the engine is in this process, with its files in the
// data directory.
func (b *Broker) Embedded() bool { return b.engine != nil }

// Hold has no write under way, of this process, until release is called: writes wait
// rather than fail, so it is for moments. It waits for those that have begun. What
// is read from several streams meanwhile is of one moment. release may be called
// more than once.
func (b *Broker) Hold() (release func()) {
	b.holding.Lock()
	return sync.OnceFunc(b.holding.Unlock)
}

// Streams names all streams, those of buckets included, in the order of their names.
func (b *Broker) Streams(ctx context.Context) ([]string, error) {
	listed := b.js.StreamNames(ctx)
	var names []string
	for name := range listed.Name() {
		names = append(names, name)
	}
	if err := listed.Err(); err != nil {
		return nil, fmt.Errorf("broker: list the streams: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// IsBucket reports whether a stream is that of a [Bucket].
func IsBucket(stream string) bool { return strings.HasPrefix(stream, bucketStream("")) }

// Snapshot is a stream as it was when the snapshot was made: all messages with their
// sequences and times. What is removed from the stream before Read comes to it is
// missing, though; what comes later is not in it. It is to be read to its end or
// closed.
type Snapshot struct {
	// About is the stream's configuration and state, in the engine's words: what
	// [Broker.RestoreStream] needs besides the bytes.
	About json.RawMessage

	ctx  context.Context // of who made it
	sub  *nats.Subscription
	left []byte
	err  error // what Read returned last
}

var errStalled = errors.New("the engine sends nothing more")

// Snapshot makes a snapshot of a stream, by the API that `nats stream backup` uses.
// Reading it ends with ctx.
func (b *Broker) Snapshot(ctx context.Context, stream string) (*Snapshot, error) {
	s, err := b.snapshot(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("broker: snapshot of %s: %w", stream, err)
	}
	return s, nil
}

func (b *Broker) snapshot(ctx context.Context, stream string) (_ *Snapshot, err error) {
	s := &Snapshot{ctx: ctx}
	inbox := b.conn.NewInbox()
	if s.sub, err = b.conn.SubscribeSync(inbox); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// The engine sends no more than its window ahead.
	if err := s.sub.SetPendingLimits(-1, -1); err != nil {
		return nil, err
	}
	// The consumers are those of our own watches, which are made anew.
	request := map[string]any{"deliver_subject": inbox, "no_consumers": true}
	answer, err := b.ask(ctx, "$JS.API.STREAM.SNAPSHOT."+stream, request)
	if err != nil {
		return nil, err
	}
	var about struct {
		Config json.RawMessage `json:"config"`
		State  json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(answer, &about); err != nil {
		return nil, err
	}
	s.About, err = json.Marshal(about)
	return s, err
}

// ask makes a request of the engine's API and returns its answer, unless that is an
// error.
func (b *Broker) ask(ctx context.Context, subject string, request any) (json.RawMessage, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	ctx, done, err := pass(ctx, b.timeout, b.linked)
	if err != nil {
		return nil, err
	}
	defer done()
	reply, err := b.conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return nil, because(ctx, err)
	}
	return reply.Data, refusal(reply.Data)
}

// refusal is the error that an answer of the engine's API tells; nil when it tells
// none.
func refusal(answer []byte) error {
	var told struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return fmt.Errorf("an answer that cannot be read: %w", err)
	}
	if told.Error != nil {
		return told.Error
	}
	return nil
}

// Read implements [io.Reader].
func (s *Snapshot) Read(p []byte) (int, error) {
	for len(s.left) == 0 && s.err == nil {
		s.left, s.err = s.next()
	}
	if len(s.left) == 0 {
		return 0, s.err
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// next waits for the next piece, and lets the engine send one more.
func (s *Snapshot) next() ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, stalledAfter, errStalled)
	defer cancel()
	m, err := s.sub.NextMsgWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("broker: snapshot: %w", because(ctx, err))
	}
	if len(m.Data) > 0 {
		if m.Reply != "" {
			err = m.Respond(nil)
		}
		return m.Data, err
	}
	if status := m.Header.Get("Status"); status != "" && status != "204" {
		return nil, fmt.Errorf("broker: snapshot: the engine broke it off: %s %s", status, m.Header.Get("Description"))
	}
	return nil, io.EOF
}

// Close ends the snapshot; the engine gives up what was not read.
func (s *Snapshot) Close() {
	_ = s.sub.Unsubscribe() // it fails only with the connection
}

// Restoring is an engine in a new data directory, into which streams are restored.
// It does not sync what it writes before Close does, so that a million messages do
// not take as many syncs.
type Restoring struct {
	broker *Broker
	dir    string
}

// Restore starts an engine for restoring in a data directory that has none yet, and
// holds the directory as [Open] does.
func Restore(ctx context.Context, o Options) (*Restoring, error) {
	if _, err := os.Stat(filepath.Join(o.Dir, "nats")); err == nil {
		return nil, fmt.Errorf("broker: %s holds an engine's files already", o.Dir)
	}
	b, err := openWith(ctx, o, func(e *engine) { e.unsynced = true })
	if err != nil {
		return nil, err
	}
	return &Restoring{b, o.Dir}, nil
}

// Stream makes a stream from a snapshot of it.
func (r *Restoring) Stream(ctx context.Context, about json.RawMessage, content io.Reader) error {
	var stream struct {
		Config struct {
			Name string `json:"name"`
		} `json:"config"`
	}
	if err := json.Unmarshal(about, &stream); err != nil {
		return fmt.Errorf("broker: restore a stream: %w", err)
	}
	if err := r.restore(ctx, stream.Config.Name, about, content); err != nil {
		return fmt.Errorf("broker: restore %s: %w", stream.Config.Name, err)
	}
	return nil
}

func (r *Restoring) restore(ctx context.Context, name string, about json.RawMessage, content io.Reader) error {
	answer, err := r.broker.ask(ctx, "$JS.API.STREAM.RESTORE."+name, about)
	if err != nil {
		return err
	}
	var begun struct {
		Subject string `json:"deliver_subject"`
	}
	if err := json.Unmarshal(answer, &begun); err != nil {
		return err
	}
	piece := make([]byte, 256<<10)
	for {
		n, readErr := io.ReadFull(content, piece)
		if n > 0 {
			if err := r.send(ctx, begun.Subject, piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(readErr, io.EOF), errors.Is(readErr, io.ErrUnexpectedEOF):
			return r.send(ctx, begun.Subject, nil) // which ends it
		case readErr != nil:
			return readErr
		}
	}
}

// send sends a piece and waits until the engine has it.
func (r *Restoring) send(ctx context.Context, subject string, piece []byte) error {
	ctx, done, err := pass(ctx, stalledAfter, r.broker.linked)
	if err != nil {
		return err
	}
	defer done()
	answer, err := r.broker.conn.RequestWithContext(ctx, subject, piece)
	if err != nil {
		return because(ctx, err)
	}
	if len(answer.Data) == 0 {
		return nil
	}
	return refusal(answer.Data)
}

// Close stops the engine and syncs what it has written.
func (r *Restoring) Close() error {
	r.broker.Close()
	return filepath.WalkDir(filepath.Join(r.dir, "nats"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}
