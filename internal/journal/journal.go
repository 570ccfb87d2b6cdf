// Package journal is the durable, ordered log of audit events.
//
// An event is on disk when [Journal.Append] returns, and in the order in which
// appends were committed. Concurrent appends share one commit. Readers read one
// organization's events of one region, from anywhere, in both directions
// ([Journal.Range]), or follow a [Stream] of them as they come
// ([Journal.Follow]): the organization's own, or those of one of its portals.
//
// # Framing
//
// The journal is the JetStream stream JOURNAL. A message holds the events that
// one commit has for one stream, on the subject
// audit.<region>.<organization>.<portal>: one under the other in the form of the pull API
// (package audit), which has room for all of an event, zstd-compressed where
// that pays. Signing is delivery's work, and an event is the same in every
// format.
//
// One message for each event would allow subjects that carry the kind too, but
// was measured (one run, sync always, 400-byte events) to cost 6 times as much
// for commits of 2 events, and 25 times as much for 1,000; reading costs 18
// times as much. A reader who wants one kind skips the others at a million
// events a second.
//
// # Positions
//
// A [Position] is the place of one event: its message's sequence, and its place
// in the message. Positions grow along the journal and never change.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// DefaultRetention is how long events are kept unless told otherwise, as in
// Konnect.
const DefaultRetention = 7 * 24 * time.Hour

// expiryGrace is for how long the engine keeps events beyond their retention, so
// that who follows the journal can count what it was too late for.
const expiryGrace = time.Hour

const (
	streamName    = "JOURNAL"
	subjectPrefix = "audit."
	// nobody stands for the organization of an event that belongs to none: the
	// use of a token that nobody knows. Such events are kept for the operator.
	nobody = "-"
	// own stands for the portal of an event that belongs to none.
	own = "-"
)

var (
	// ErrClosed says that the journal was closed before the event was written.
	ErrClosed = errors.New("journal is closed")
	// ErrFull says that the journal holds as much as it may, and refuses new
	// events rather than drop old ones. It is a [broker.ErrUnavailable].
	ErrFull = broker.ErrFull
)

// Entry is an event of the journal and its place in it.
type Entry struct {
	Position Position
	Stored   time.Time // when it became durable
	Event    audit.Event
}

// Options say how the journal is kept. The zero value keeps events for
// [DefaultRetention], without a limit in bytes.
type Options struct {
	Retention time.Duration // how long an event is kept
	MaxBytes  int64         // how many bytes on disk, compressed; 0: no limit but the disk's
	// DropOldest makes a full journal drop its oldest events, delivered or not,
	// instead of refusing new ones.
	DropOldest bool
	Logger     *slog.Logger
	Metrics    prometheus.Registerer // nil: none
}

// Journal is the open log. Its methods are safe for concurrent use.
type Journal struct {
	broker  *broker.Broker
	stream  jetstream.Stream
	options Options
	logger  *slog.Logger
	encoder *zstd.Encoder
	decoder *zstd.Decoder

	appends chan *pendingAppend
	closing chan struct{}
	stopped chan struct{} // closed when the last commit is done
	tail    *broker.Watching

	usage    usage
	watching sync.WaitGroup

	mu       sync.Mutex
	followed map[string]*followed // by subject
	watchers map[*Watcher]bool
}

// Open opens the journal of the broker, making it on first use and bringing it
// to these options otherwise.
func Open(ctx context.Context, b *broker.Broker, o Options) (*Journal, error) {
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	discard := jetstream.DiscardNew
	if o.DropOldest {
		discard = jetstream.DiscardOld
	}
	limit := o.MaxBytes
	if limit == 0 {
		limit = -1
	}
	stream, err := b.Stream(ctx, jetstream.StreamConfig{
		Name:        streamName,
		Description: "audit events in the order of their commit",
		Subjects:    []string{subjectPrefix + "*.*.*", receiptPrefix + "*.*"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     discard,
		MaxAge:      o.Retention + expiryGrace,
		MaxBytes:    limit,
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{
		broker:   b,
		stream:   stream,
		options:  o,
		logger:   o.Logger,
		appends:  make(chan *pendingAppend, broker.MaxBatch),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		followed: map[string]*followed{},
		watchers: map[*Watcher]bool{},
	}
	if j.encoder, j.decoder, err = newCompression(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := j.followTail(ctx); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(&j.usage)
	}
	go j.commitAppends()
	j.watching.Go(j.watchUsage)
	return j, nil
}

// Retention is how long an event is kept.
func (j *Journal) Retention() time.Duration { return j.options.Retention }

// Expired reports whether the event's retention is over.
func (j *Journal) Expired(e Entry, now time.Time) bool {
	return now.Sub(e.Stored) > j.options.Retention
}

// Close waits for the commit in flight; appends that were not part of it get
// [ErrClosed].
func (j *Journal) Close() {
	close(j.closing)
	<-j.stopped
	j.watching.Wait()
	j.tail.Close()
	j.decoder.Close()
}

// Last returns a position that is not before any event committed so far, of any
// organization.
func (j *Journal) Last(ctx context.Context) (Position, error) {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("journal: last: %w: %w", broker.ErrUnavailable, err)
	}
	return endOf(info.State.LastSeq), nil
}
