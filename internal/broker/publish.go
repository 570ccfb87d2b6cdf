package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// MaxBatch is how many messages one Publish may carry (the engine's limit for
// an atomic batch).
const MaxBatch = 1000

// publishTimeout bounds the wait for a commit that the engine neither refuses
// nor acknowledges.
const publishTimeout = 10 * time.Second

// Publish writes the messages to their stream, all or none, and returns the
// sequence of the last one when they are on disk. More than [MaxBatch] of them
// is a programming error. Any error other than ctx's own wraps
// [ErrUnavailable]; after a time-out the messages may still become durable.
func (b *Broker) Publish(ctx context.Context, msgs ...*nats.Msg) (last uint64, err error) {
	switch {
	case len(msgs) == 0:
		return 0, errors.New("broker: publish: no messages")
	case len(msgs) > MaxBatch:
		return 0, fmt.Errorf("broker: publish: %d messages, at most %d", len(msgs), MaxBatch)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if len(msgs) > 1 {
		if err := b.publishAllButLast(msgs); err != nil {
			return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
		}
	}
	reply, err := b.conn.RequestMsgWithContext(ctx, msgs[len(msgs)-1])
	if err != nil {
		return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
	}
	return parseAck(reply.Data)
}

// publishAllButLast marks msgs as one atomic batch (headers of NATS ADR-50)
// and sends all but the one that commits it.
func (b *Broker) publishAllButLast(msgs []*nats.Msg) error {
	id := nuid.Next()
	for i, msg := range msgs {
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		msg.Header["Nats-Batch-Id"] = []string{id}
		msg.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
	}
	msgs[len(msgs)-1].Header["Nats-Batch-Commit"] = []string{"1"}
	for _, msg := range msgs[:len(msgs)-1] {
		if err := b.conn.PublishMsg(msg); err != nil {
			return err
		}
	}
	return nil
}

func parseAck(data []byte) (last uint64, err error) {
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("%w: publish: unreadable acknowledgement: %w", ErrUnavailable, err)
	}
	if ack.Error != nil {
		return 0, fmt.Errorf("%w: publish: %s", ErrUnavailable, ack.Error.Description)
	}
	return ack.Sequence, nil
}
