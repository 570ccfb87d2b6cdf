// Package journal is the durable, ordered log of audit events.
//
// An event is on disk when [Journal.Append] returns, and in the order in which
// appends were committed. Concurrent appends share one commit. Readers read
// one organization's events of one region ([Journal.Read], [Journal.Follow]).
//
// The journal is the JetStream stream JOURNAL, one message an event, on the
// subject audit.<region>.<organization>.<kind>. A message is the event's JSON
// line (package audit) without a signature: signing is delivery's work, and an
// event is the same in every format.
package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// Retention is how long events are kept, as in Konnect.
const Retention = 7 * 24 * time.Hour

const (
	streamName = "JOURNAL"
	// nobody stands for the organization of an event that belongs to none: the
	// use of a token that nobody knows. Such events are kept for the operator.
	nobody = "-"
)

// ErrClosed says that the journal was closed before the event was written.
var ErrClosed = errors.New("journal is closed")

// Entry is an event of the journal and its place in it.
type Entry struct {
	Sequence uint64    // its place; grows along the journal, with gaps for other organizations' events
	Stored   time.Time // when it became durable
	Event    audit.Event
}

// Journal is the open log. Its methods are safe for concurrent use.
type Journal struct {
	broker *broker.Broker
	stream jetstream.Stream

	appends chan *pendingAppend
	closing chan struct{}
	stopped chan struct{} // closed when the last commit is done

	mu       sync.Mutex
	followed map[string]*followed // by region and organization, where somebody follows
}

// Open opens the journal of the broker, making it on first use.
func Open(ctx context.Context, b *broker.Broker) (*Journal, error) {
	stream, err := b.Stream(ctx, jetstream.StreamConfig{
		Name:        streamName,
		Description: "audit events in the order of their commit",
		Subjects:    []string{"audit.*.*.*"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxAge:      Retention,
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{
		broker:   b,
		stream:   stream,
		appends:  make(chan *pendingAppend, broker.MaxBatch),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		followed: map[string]*followed{},
	}
	go j.commitAppends()
	return j, nil
}

// Close waits for the commit in flight; appends that were not part of it get
// [ErrClosed].
func (j *Journal) Close() {
	close(j.closing)
	<-j.stopped
}

// Last returns the sequence of the newest event, of any organization.
func (j *Journal) Last(ctx context.Context) (uint64, error) {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("journal: last: %w", err)
	}
	return info.State.LastSeq, nil
}

// Read returns up to max events of an organization in a region that come after
// the sequence, oldest first; none when there are none yet.
func (j *Journal) Read(ctx context.Context, region, organization string, after uint64, max int) ([]Entry, error) {
	messages, err := j.broker.Read(ctx, broker.Range{
		Stream:   streamName,
		From:     after + 1,
		Subject:  subject(region, organization, "*"),
		Max:      max,
		MaxBytes: 4 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	entries := make([]Entry, len(messages))
	for i, m := range messages {
		decoded, err := audit.Decode(m.Data)
		if err != nil {
			return nil, fmt.Errorf("journal: event %d is damaged: %w", m.Sequence, err)
		}
		entries[i] = Entry{Sequence: m.Sequence, Stored: m.Stored, Event: decoded.Event}
	}
	return entries, nil
}

func message(region string, event *audit.Event) (*nats.Msg, error) {
	if err := event.Validate(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	organization := event.OrgID
	if organization == "" {
		organization = nobody
	}
	for _, token := range []string{region, organization} {
		if token == "" || strings.ContainsAny(token, ".*> \t\r\n") {
			return nil, fmt.Errorf("journal: %q cannot name a region or an organization", token)
		}
	}
	return &nats.Msg{
		Subject: subject(region, organization, event.Kind.String()),
		Data:    audit.AppendUnsigned(make([]byte, 0, 512), audit.JSON, event),
	}, nil
}

func subject(region, organization, kind string) string {
	return "audit." + region + "." + organization + "." + kind
}
