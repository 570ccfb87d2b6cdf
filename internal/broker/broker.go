// Package broker is Trailhook's one engine for everything that must survive a
// crash: NATS JetStream, embedded in the process. No port is opened; the
// process talks to its server through memory. Every write is fsynced before
// it is acknowledged (sync always).
//
// A Stream is made with [Broker.Stream], written with [Broker.Publish] (one
// message, or several that become visible together or not at all), and read
// in ranges with [Broker.Read]. A [Bucket] holds one kind of small object,
// watched into memory and written with compare-and-set.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxMessage is the largest message, headers included, that the broker takes,
// in bytes. It holds one line of the largest size a collector accepts.
const MaxMessage = 2 << 20

// ErrUnavailable says that the engine could not make a write durable: the disk
// is full, the server is stopping, or it did not answer in time.
var ErrUnavailable = errors.New("broker unavailable")

// Broker is a running engine and the connection to it.
type Broker struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	lock   *os.File
	logger *slog.Logger
}

// Open starts the engine in dir, which it makes when it is missing (0700) and
// holds alone: a second process on the same folder gets an error that names
// the first one.
func Open(ctx context.Context, dir string, logger *slog.Logger) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock, logger: logger}
	if err := b.start(ctx, dir); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Broker) start(ctx context.Context, dir string) error {
	opts := &server.Options{
		ServerName: "trailhook",
		DontListen: true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   filepath.Join(dir, "nats"),
		SyncAlways: true,
		MaxPayload: MaxMessage,
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("broker: embedded NATS in %s: %w", dir, err)
	}
	srv.SetLoggerV2(natsLog{b.logger}, false, false, false)
	b.server = srv
	srv.Start()
	if !srv.ReadyForConnections(readyWait(ctx)) {
		return fmt.Errorf("broker: embedded NATS in %s did not become ready: see the log", dir)
	}
	b.conn, err = nats.Connect("", nats.InProcessServer(srv), nats.Name("trailhook"), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			b.logger.Warn("broker connection", "error", err)
		}))
	if err != nil {
		return fmt.Errorf("broker: connect to the embedded NATS: %w", err)
	}
	b.js, err = jetstream.New(b.conn)
	if err != nil {
		return fmt.Errorf("broker: jetstream: %w", err)
	}
	return nil
}

// readyWait is how long the engine may take to start: recovery of a large
// stream reads its index, so it is generous, but never beyond ctx.
func readyWait(ctx context.Context) time.Duration {
	const most = 2 * time.Minute
	if deadline, ok := ctx.Deadline(); ok {
		return min(most, time.Until(deadline))
	}
	return most
}

// Close stops the engine after what it has acknowledged is on disk. It is safe
// to call more than once.
func (b *Broker) Close() {
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	if b.lock != nil {
		b.lock.Close()
		b.lock = nil
	}
}

// Healthy reports why the engine cannot be used, or nil.
func (b *Broker) Healthy() error {
	if !b.conn.IsConnected() {
		return fmt.Errorf("%w: not connected", ErrUnavailable)
	}
	if !b.server.JetStreamEnabled() {
		return fmt.Errorf("%w: JetStream was disabled, see the log (a full disk does this)", ErrUnavailable)
	}
	return nil
}

// Stream makes the stream, or brings an existing one to this configuration.
// Storage is files; single messages and batches can be published, ranges read.
func (b *Broker) Stream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	cfg.Storage = jetstream.FileStorage
	cfg.Replicas = 1
	cfg.AllowDirect = true
	cfg.AllowAtomicPublish = true
	stream, err := b.js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("broker: stream %s: %w", cfg.Name, err)
	}
	return stream, nil
}

// natsLog writes the engine's own log lines to ours; its notices are our debug
// lines, because what they tell matters only to who looks for trouble.
type natsLog struct{ logger *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) {
	l.logger.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Warnf(format string, v ...any) { l.logger.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l natsLog) Errorf(format string, v ...any) {
	l.logger.Error("nats: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Fatalf(format string, v ...any) {
	l.logger.Error("nats: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Debugf(string, ...any) {}
func (l natsLog) Tracef(string, ...any) {}
