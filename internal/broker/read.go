package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Message is one message read back from a stream.
type Message struct {
	Sequence uint64
	Subject  string
	Stored   time.Time
	Pending  uint64 // messages of the range's subject that come after it
	Header   nats.Header
	Data     []byte
}

// Range says what [Broker.Read] reads.
type Range struct {
	Stream   string
	From     uint64    // first sequence that may be returned; 0 reads from the start
	Since    time.Time // instead of From: not stored before
	Subject  string    // a filter that may hold wildcards
	Max      int       // messages, at most
	MaxBytes int       // bytes, about; 0 for no limit
}

// Read returns the messages of the range in order, oldest first, fewer than
// Max only when MaxBytes was reached or the stream holds no more. It costs one
// request, whatever the number of messages, and no state in the engine. Its
// errors wrap [ErrUnavailable].
//
// In a cluster any replica answers, and one that lags behind may not have yet
// what was acknowledged a moment ago: a caller that knows of more asks again.
func (b *Broker) Read(ctx context.Context, r Range) ([]Message, error) {
	get := struct {
		Seq      uint64     `json:"seq,omitempty"`
		Since    *time.Time `json:"start_time,omitempty"`
		Subject  string     `json:"next_by_subj"`
		Batch    int        `json:"batch"`
		MaxBytes int        `json:"max_bytes,omitempty"`
	}{Subject: r.Subject, Batch: r.Max, MaxBytes: r.MaxBytes}
	if r.Since.IsZero() {
		get.Seq = max(r.From, 1)
	} else {
		get.Since = &r.Since
	}
	request, err := json.Marshal(get)
	if err != nil {
		return nil, fmt.Errorf("broker: read %s: %w", r.Stream, err)
	}
	ctx, done, err := pass(ctx, b.timeout, b.linked)
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, r.Stream, err)
	}
	defer done()
	inbox := b.conn.NewInbox()
	sub, err := b.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, r.Stream, err)
	}
	defer sub.Unsubscribe()
	if err := b.conn.PublishRequest("$JS.API.DIRECT.GET."+r.Stream, inbox, request); err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, r.Stream, err)
	}
	return collect(ctx, sub, r)
}

// collect gathers the answers of a batched direct get (NATS ADR-31): messages,
// then a status 204 that ends them, or at once a 404 when there is none.
func collect(ctx context.Context, sub *nats.Subscription, r Range) ([]Message, error) {
	var messages []Message
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, r.Stream, because(ctx, err))
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			m, err := parseMessage(msg)
			if err != nil {
				return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, r.Stream, err)
			}
			messages = append(messages, m)
		case "204", "404":
			return messages, nil
		default:
			return nil, fmt.Errorf("%w: read %s: status %s %s", ErrUnavailable, r.Stream, status, msg.Header.Get("Description"))
		}
	}
}

func parseMessage(msg *nats.Msg) (Message, error) {
	seq, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return Message{}, fmt.Errorf("message without a sequence: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return Message{}, fmt.Errorf("message %d without a time: %w", seq, err)
	}
	pending, err := strconv.ParseUint(msg.Header.Get("Nats-Num-Pending"), 10, 64)
	if err != nil {
		return Message{}, fmt.Errorf("message %d without a count of what follows: %w", seq, err)
	}
	return Message{
		Sequence: seq,
		Subject:  msg.Header.Get("Nats-Subject"),
		Stored:   stored,
		Pending:  pending,
		Header:   msg.Header,
		Data:     msg.Data,
	}, nil
}
