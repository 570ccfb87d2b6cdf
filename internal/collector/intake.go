package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/tracing"
)

const (
	intakeStream   = "INTAKE"
	intakeSubjects = "intake.>"
	originHeader   = "Trailhook-Origin"

	// publishBytes is about how much one atomic batch may carry. The engine
	// holds a batch in memory until it is complete.
	publishBytes = 16 << 20
)

// Origin says where the lines of a message came from, as it was at their
// receipt: a source that is renamed or deleted later changes nothing.
type Origin struct {
	SourceID   int64             `json:"source_id"`
	Collector  string            `json:"collector"`
	Source     string            `json:"source"`
	Category   string            `json:"category,omitempty"`
	Host       string            `json:"host,omitempty"`
	Name       string            `json:"name,omitempty"`
	Fields     map[string]string `json:"fields,omitempty"`
	JWKSURL    string            `json:"jwks_url,omitempty"`
	HEC        bool              `json:"hec,omitempty"` // the lines are envelopes of Splunk's HTTP event collector
	Quarantine Quarantine        `json:"quarantine,omitzero"`
	ReceivedAt time.Time         `json:"received_at"`
}

// Intake is the durable queue between receipt and search: the stream INTAKE.
// A message holds lines of one request, in their order and as they came,
// separated by newlines, and their origin in a header.
type Intake struct {
	broker *broker.Broker
	stream jetstream.Stream

	arrivals arrivals

	mu       sync.Mutex
	last     uint64        // sequence of the newest message
	appended chan struct{} // closed and replaced when messages came
}

// OpenIntake makes the stream when it is missing. It must not be opened twice
// in one process: the indexer is woken by the Intake that it was given.
func OpenIntake(ctx context.Context, b *broker.Broker) (*Intake, error) {
	stream, err := b.Stream(ctx, jetstream.StreamConfig{
		Name:     intakeStream,
		Subjects: []string{intakeSubjects},
		Discard:  jetstream.DiscardNew, // whatever limit is ever set: refuse the sender, never drop what was acknowledged
	})
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	return &Intake{broker: b, stream: stream, last: info.State.LastSeq, appended: make(chan struct{})}, nil
}

// Append makes groups of lines durable; each becomes one message. It writes
// them all or none, except that a body of more than about 16 MiB is written in
// several pieces: after an error, some of it may have been taken, which a
// retry does no harm to, for lines that come twice are stored once. Errors wrap
// [broker.ErrUnavailable].
func (in *Intake) Append(ctx context.Context, origin Origin, groups [][]byte) (err error) {
	ctx, span := tracing.Begin(ctx, "keep lines")
	defer func() { span.End(err) }()
	span.Count("trailhook.messages", len(groups))
	defer in.arrivals.begin(origin.ReceivedAt)()
	header, err := json.Marshal(origin)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	for len(groups) > 0 {
		n := publishable(groups)
		msgs := make([]*nats.Msg, n)
		for i, group := range groups[:n] {
			msgs[i] = nats.NewMsg("intake." + strconv.FormatInt(origin.SourceID, 10))
			msgs[i].Header.Set(originHeader, string(header))
			msgs[i].Data = group
		}
		last, err := in.broker.Publish(ctx, msgs...)
		if err != nil {
			return fmt.Errorf("intake: %w", err)
		}
		in.announce(last)
		groups = groups[n:]
	}
	return nil
}

// publishable returns how many of the groups go into the next atomic batch.
func publishable(groups [][]byte) int {
	n, size := 0, 0
	for n < len(groups) && n < broker.MaxBatch {
		size += len(groups[n])
		if n > 0 && size > publishBytes {
			break
		}
		n++
	}
	return n
}

func (in *Intake) announce(last uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.last = max(in.last, last)
	close(in.appended)
	in.appended = make(chan struct{})
}

// newest returns the sequence of the newest message, and a channel that is
// closed when there is a newer one.
func (in *Intake) newest() (uint64, <-chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.last, in.appended
}

// read returns messages from a sequence on, oldest first, about as many as one
// insert should have.
func (in *Intake) read(ctx context.Context, from uint64) ([]broker.Message, error) {
	messages, err := in.broker.Read(ctx, broker.Range{
		Stream: intakeStream, From: from, Subject: intakeSubjects, Max: insertLines, MaxBytes: insertBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	return messages, nil
}

// purge removes the messages up to and including last.
func (in *Intake) purge(ctx context.Context, last uint64) error {
	if err := in.stream.Purge(ctx, jetstream.WithPurgeSequence(last+1)); err != nil {
		return fmt.Errorf("intake: purge up to %d: %w", last, err)
	}
	return nil
}

// align makes sure that messages to come have sequences above position, which
// is what the search store has. They could be below only if the broker's files
// were replaced by older or empty ones; the store would then take every new
// line for one that it has.
func (in *Intake) align(ctx context.Context, position uint64) error {
	info, err := in.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	if info.State.LastSeq >= position {
		return nil
	}
	if info.State.Msgs > 0 {
		return fmt.Errorf("the search store has the intake up to %d, but the intake ends at %d and holds lines: "+
			"the two are not of one backup; restore them together, or move the search store away to start a new one",
			position, info.State.LastSeq)
	}
	if err := in.purge(ctx, position); err != nil {
		return err
	}
	if info, err = in.stream.Info(ctx); err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	if info.State.LastSeq < position {
		return fmt.Errorf("the search store has the intake up to %d, but the intake ends at %d and cannot be advanced",
			position, info.State.LastSeq)
	}
	in.mu.Lock()
	in.last = max(in.last, info.State.LastSeq)
	in.mu.Unlock()
	return nil
}
