package collector

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// gatherTime is how long messages are gathered before they are made durable
	// together, and gatherLines how many; gatherBytes are divided among the
	// connections, so that many of them take no more memory than few.
	gatherTime  = 50 * time.Millisecond
	gatherLines = 1000
	gatherBytes = 64 << 20

	// longFrames is how many connections may hold a message of more than
	// shortFrame bytes at a time; more wait.
	longFrames = 32

	handshakeTime = 10 * time.Second
	// connectionFrameTime is how long a message may take from its first byte to its last.
	connectionFrameTime = time.Minute
	// connectionIdleTime is how long nothing may come. A plain syslog sender loses
	// a message when its connection is closed, so it is long.
	connectionIdleTime = time.Hour
)

// Syslog takes messages over TCP, TLS and UDP, by RFC 5424 and RFC 3164 and
// without any header. Nobody is answered: over TCP a connection is not read on
// until what it has sent is durable in the intake, so that a sender is held up
// and not deprived; over UDP, what finds no room is dropped and counted.
//
// A message is a line as it was received, without what frames it, except that
// line feeds within it become "#012".
type Syslog struct {
	catalog *Catalog
	intake  *Intake
	metrics *Metrics
	syslog  *syslogMetrics
	logger  *slog.Logger

	queue     chan *consignment
	long      chan struct{}
	committed chan struct{} // closed when the committer has ended
	closed    chan struct{} // closed when the shutdown begins
	hopeless  context.Context
	giveUp    context.CancelFunc

	open                atomic.Int64 // connections
	frameTime, idleTime time.Duration

	mu      sync.Mutex
	closing bool
	serving sync.WaitGroup // of listeners and connections
	closers map[closer]struct{}
}

// closer is a listener, which is closed at the shutdown, or a connection,
// which is told to stop reading.
type closer interface{ stop() }

// consignment are messages of one peer on their way into the intake.
type consignment struct {
	peer  netip.Addr
	port  uint16 // of ours
	lines *grouper
	done  chan bool // tells once whether they are durable
}

// NewSyslog makes a Syslog whose metrics it registers. Its Shutdown must be called.
func NewSyslog(catalog *Catalog, intake *Intake, metrics *Metrics, registerer prometheus.Registerer, logger *slog.Logger) *Syslog {
	s := &Syslog{
		catalog: catalog, intake: intake, metrics: metrics, logger: logger,
		queue: make(chan *consignment), long: make(chan struct{}, longFrames),
		committed: make(chan struct{}), closed: make(chan struct{}), closers: map[closer]struct{}{},
		frameTime: connectionFrameTime, idleTime: connectionIdleTime,
	}
	s.syslog = newSyslogMetrics(registerer, &s.open)
	s.hopeless, s.giveUp = context.WithCancel(context.Background())
	go s.commitAll()
	return s
}

// Shutdown stops listening, makes durable what was read, half a message
// included, and closes the connections. When ctx ends before that it gives up
// what could not be made durable, and returns ctx's error.
func (s *Syslog) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.closed)
	for c := range s.closers {
		c.stop()
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.giveUp)
	defer stop()
	s.serving.Wait()
	close(s.queue)
	<-s.committed
	s.giveUp()
	return ctx.Err()
}

// begin registers what Shutdown is to stop and to wait for, until end.
func (s *Syslog) begin(c closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closers[c] = struct{}{}
	s.serving.Add(1)
	return true
}

func (s *Syslog) end(c closer) {
	s.mu.Lock()
	delete(s.closers, c)
	s.mu.Unlock()
	s.serving.Done()
}

// commit returns when the lines are durable; false means that there is no
// hope of it any more.
func (s *Syslog) commit(c *consignment) bool {
	if c.lines.lines == 0 {
		return true
	}
	c.done = make(chan bool, 1)
	s.queue <- c
	return <-c.done
}

// commitAll makes durable what comes, together with what else has come
// meanwhile: the cost of a commit is shared by all connections.
func (s *Syslog) commitAll() {
	defer close(s.committed)
	for first := range s.queue {
		batch := []*consignment{first}
		size := first.lines.bytes
	gather:
		for size < publishBytes {
			select {
			case next, ok := <-s.queue:
				if !ok {
					break gather
				}
				batch = append(batch, next)
				size += next.lines.bytes
			default:
				break gather
			}
		}
		durable := s.commitSurely(batch)
		for _, c := range batch {
			c.done <- durable
		}
	}
}

// commitSurely tries until it succeeds or is told to give up. Meanwhile the
// connections are not read, and their senders wait.
func (s *Syslog) commitSurely(batch []*consignment) bool {
	lines := 0
	for _, c := range batch {
		lines += c.lines.lines
	}
	var pause time.Duration
	for {
		err := s.commitOnce(batch)
		switch {
		case err == nil:
			if pause > 0 {
				s.logger.Info("syslog messages are taken again")
			}
			return true
		case s.hopeless.Err() != nil:
			s.syslog.dropped.WithLabelValues("shutdown").Add(float64(lines))
			s.logger.Error("syslog messages are lost: they could not be made durable before the end", "messages", lines, "error", err)
			return false
		case pause == 0:
			s.logger.Error("syslog messages cannot be made durable; their senders are held up, and it is tried again", "error", err)
		}
		pause = min(max(2*pause, firstPause), lastPause)
		wait(s.hopeless, time.After(pause))
	}
}

func (s *Syslog) commitOnce(batch []*consignment) error {
	now := time.Now().UTC()
	type door struct {
		peer netip.Addr
		port uint16
	}
	origins := map[door]Origin{}
	taken := map[int64]int{} // lines, by source
	var parcels []parcel
	for _, c := range batch {
		origin, ok := origins[door{c.peer, c.port}]
		if !ok {
			source, collector, err := s.catalog.syslogSourceFor(s.hopeless, c.peer, c.port)
			if err != nil {
				return err
			}
			origin = source.origin(collector)
			if origin.Host == "" {
				origin.Host = c.peer.Unmap().String()
			}
			origin.ReceivedAt = now
			origins[door{c.peer, c.port}] = origin
		}
		taken[origin.SourceID] += c.lines.lines
		for _, group := range c.lines.groups() {
			parcels = append(parcels, parcel{origin, group})
		}
	}
	if err := s.intake.appendParcels(s.hopeless, parcels); err != nil {
		return err
	}
	for source, lines := range taken {
		s.metrics.took(source, lines, now)
	}
	return nil
}

// oneMessage makes a message one line: as rsyslog does, with "#012" for LF,
// or with a space where that would make it longer than a line may be.
func oneMessage(message []byte) []byte {
	const written = "#012"
	feeds := bytes.Count(message, newline)
	switch {
	case feeds == 0:
		return message
	case len(message)+feeds*(len(written)-1) > maxLine:
		return bytes.ReplaceAll(message, newline, []byte{' '})
	}
	return bytes.ReplaceAll(message, newline, []byte(written))
}

// isClosed tells whether an error is that of a listener that was closed.
func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

// peerOf gives the address of a peer and the port that it has reached.
func peerOf(remote, local net.Addr) (netip.Addr, uint16) {
	peer, _ := netip.ParseAddrPort(remote.String())
	own, _ := netip.ParseAddrPort(local.String())
	return peer.Addr(), own.Port()
}
