// Package broker is Trailhook's one engine for everything that must survive a
// crash: NATS JetStream, embedded in the process or a cluster of its own.
//
// Embedded, no port is opened; the process talks to its server through memory,
// and every write is fsynced before it is acknowledged (sync always). In a
// cluster a write is acknowledged when a majority of its replicas has it.
//
// A Stream is made with [Broker.Stream], written with [Broker.Publish] (one
// message, or several that become visible together or not at all), read in
// ranges with [Broker.Read], and followed with [Broker.Watch]. A [Bucket] holds
// one kind of small object, watched into memory and written with
// compare-and-set.
//
// # When the engine fails
//
// A call that the engine does not carry out fails with [ErrUnavailable], at once
// where that can be known: nothing is kept back and sent later. The Broker
// itself stays usable and heals without help. A connection that is lost is made
// anew for as long as it takes, and watches are taken up where they were. A
// full disk is refused before its last bytes, and an engine that could not
// write all the same is restarted as soon as there is room.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxMessage is the largest message, headers included, that the broker takes,
// in bytes. It holds one line of the largest size a collector accepts.
const MaxMessage = 2 << 20

var (
	// ErrUnavailable says that the engine could not make a write durable: the
	// disk is full, the cluster has no majority or cannot be reached, the server
	// is stopping, or it did not answer in time.
	ErrUnavailable = errors.New("broker unavailable")

	// ErrFull says that the stream holds as many bytes as it may. It wraps
	// [ErrUnavailable].
	ErrFull = fmt.Errorf("stream is full: %w", ErrUnavailable)

	errConnecting = errors.New("not connected")
	errRestarting = errors.New("the embedded engine is being restarted")
	errClosed     = errors.New("the broker is closed")
)

// Options say which engine to use.
type Options struct {
	// Dir is the data directory. It is made when it is missing (0700) and held
	// alone: a second process on the same one gets an error that names the
	// first. With a cluster it may be empty, and then none is held.
	Dir    string
	Logger *slog.Logger // nil: nothing is logged

	// URLs are the addresses of a cluster, nats://a,nats://b,nats://c (the
	// others of the same cluster are found by themselves). Empty: the engine is
	// embedded, and the rest of the options does not apply.
	URLs        string
	Credentials string // a .creds file
	CAFile      string // certificates that the servers' are signed by; empty: the system's
	CertFile    string // the client's certificate, where the servers want one
	KeyFile     string
	// Replicas is how many servers keep each message. 0: 3 in a cluster, 1
	// embedded, where there is no other choice.
	Replicas int
}

// Broker is a running engine and the connection to it.
type Broker struct {
	replicas int
	logger   *slog.Logger
	lock     *os.File
	engine   *engine  // nil when a cluster is used
	cluster  *cluster // nil when the engine is embedded
	conn     *nats.Conn
	js       jetstream.JetStream
	timeout  time.Duration // for an answer that is neither yes nor no
	pulse    time.Duration // between signs of life of a watch
	batches  chan struct{} // a token for each atomic batch in flight

	linked   *gate // open while connected
	writable *gate // open while the engine can write

	holding sync.RWMutex // held for reading by every write

	// lastWrite is how the last write to a cluster ended.
	lastWrite atomic.Pointer[outcome]

	mu       sync.Mutex
	watching map[*Watching]struct{}
	streams  map[string]*led // of a cluster, by name
	stopTend context.CancelFunc
	tended   chan struct{} // closed when nobody tends the engine any more
}

// Open starts the embedded engine, or connects to the cluster. A cluster that
// cannot be reached or used is an error within about 10 seconds that says what
// to check.
func Open(ctx context.Context, o Options) (*Broker, error) {
	return openWith(ctx, o, func(*engine) {})
}

func openWith(ctx context.Context, o Options, prepare func(*engine)) (*Broker, error) {
	b, err := newBroker(o)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if b.engine != nil {
		prepare(b.engine)
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		if b.lock, err = lockDir(o.Dir); err != nil {
			return nil, err
		}
	}
	if b.cluster != nil {
		err = b.join(ctx)
	} else {
		err = b.start(ctx)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

func newBroker(o Options) (b *Broker, err error) {
	b = &Broker{
		replicas: o.Replicas,
		logger:   o.Logger,
		timeout:  10 * time.Second,
		pulse:    5 * time.Second,
		batches:  make(chan struct{}, batchesInFlight),
		linked:   newGate(errConnecting),
		writable: newGate(errConnecting),
		watching: map[*Watching]struct{}{},
		streams:  map[string]*led{},
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.URLs == "" && (o.Credentials != "" || o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""):
		return nil, errors.New("credentials and TLS files are for a NATS cluster, but no address of one is given")
	case o.URLs == "" && o.Replicas > 1:
		return nil, fmt.Errorf("%d replicas need a NATS cluster, but no address of one is given", o.Replicas)
	case o.URLs == "" && o.Dir == "":
		return nil, errors.New("no data directory is given")
	case o.URLs == "":
		b.replicas = 1
		b.engine = newEngine(o.Dir, b.logger)
		return b, nil
	}
	if b.replicas == 0 {
		b.replicas = 3
	}
	o.Replicas = b.replicas
	// A server of a cluster can go without a word, and take with it what a
	// request or a watch waits for.
	b.timeout, b.pulse = 5*time.Second, time.Second
	b.cluster, err = newCluster(o)
	return b, err
}

// start starts the embedded engine and connects to it.
func (b *Broker) start(ctx context.Context) error {
	if err := b.engine.start(readyWait(ctx)); err != nil {
		return fmt.Errorf("embedded NATS in %s: %w", b.engine.dir, err)
	}
	if err := b.connect(ctx, "", nats.InProcessServer(b.engine), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0)); err != nil {
		return fmt.Errorf("embedded NATS in %s: %w", b.engine.dir, err)
	}
	b.writable.open()
	tending, stop := context.WithCancel(context.Background())
	b.stopTend, b.tended = stop, make(chan struct{})
	go func() {
		defer close(b.tended)
		b.tend(tending)
	}()
	return nil
}

// join connects to the cluster and finds out whether it can be used.
func (b *Broker) join(ctx context.Context) error {
	if err := b.connect(ctx, b.cluster.addresses, b.cluster.options...); err != nil {
		return b.cluster.unreachable(err)
	}
	if err := b.check(ctx); err != nil {
		return err
	}
	if err := b.followElections(); err != nil {
		return err
	}
	b.writable.open()
	return nil
}

func (b *Broker) connect(ctx context.Context, addresses string, options ...nats.Option) (err error) {
	options = append(options,
		nats.Name("trailhook"),
		nats.MaxReconnects(-1),
		// What is published while there is no connection fails at once, rather
		// than go out later when its caller was told that it had failed.
		nats.ReconnectBufSize(-1),
		nats.ConnectHandler(func(*nats.Conn) { b.linked.open() }),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			b.logger.Info("connected to NATS again", "server", conn.ConnectedUrlRedacted())
			b.linked.open()
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.linked.shut(errConnecting)
			if err != nil {
				b.logger.Warn("the connection to NATS is lost; it is tried again until it is back", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.logger.Warn("broker connection", "error", err)
		}),
	)
	if b.conn, err = nats.Connect(addresses, options...); err != nil {
		return err
	}
	if b.js, err = jetstream.New(b.conn); err != nil {
		return err
	}
	// The handler runs a moment later.
	_, err = b.linked.wait(ctx)
	return err
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
// to call more than once. Watches and buckets are closed before it.
func (b *Broker) Close() {
	b.writable.shut(errClosed)
	if b.stopTend != nil {
		b.stopTend()
		<-b.tended
	}
	b.linked.shut(errClosed)
	if b.conn != nil {
		b.conn.Close()
	}
	if b.engine != nil {
		b.engine.stop()
	}
	if b.lock != nil {
		b.lock.Close()
		b.lock = nil
	}
}

// Healthy reports why the engine cannot be used, or nil: there is no connection,
// the disk is full, the cluster has no majority, or a watch is interrupted. It
// asks the cluster, for 2 seconds at most.
func (b *Broker) Healthy() error {
	for _, g := range []*gate{b.linked, b.writable} {
		if err := g.reason(); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if b.engine != nil {
		if err := b.engine.room(0); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if b.cluster != nil {
		if err := b.probe(); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watching {
		if err := w.trouble(); err != nil {
			return fmt.Errorf("%w: the watch of %s is interrupted: %w", ErrUnavailable, w.watch.Stream, err)
		}
	}
	return nil
}

// Stream makes the stream, or brings an existing one to this configuration, its
// number of replicas included. Storage is files; single messages and batches can
// be published, ranges read.
func (b *Broker) Stream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	cfg.Storage = jetstream.FileStorage
	cfg.Replicas = b.replicas
	cfg.AllowDirect = true
	cfg.AllowAtomicPublish = true
	var stream jetstream.Stream
	err := b.insist(ctx, func(ctx context.Context) (err error) {
		stream, err = b.js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	if err == nil {
		err = b.settle(ctx, stream)
	}
	if err != nil {
		return nil, fmt.Errorf("broker: stream %s: %w", cfg.Name, err)
	}
	b.lead(cfg.Name, cfg.Subjects...)
	return stream, nil
}
