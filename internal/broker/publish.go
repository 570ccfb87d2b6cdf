package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// MaxBatch is how many messages one Publish may carry (the engine's limit for
// an atomic batch).
const MaxBatch = 1000

// batchesInFlight is how many atomic batches a process has in flight at once;
// more wait their turn. The engine takes 50 for a stream, of all processes, and
// refuses more.
const batchesInFlight = 16

// Publish writes the messages to their stream, all or none, and returns the
// sequence of the last one when they are durable. More than [MaxBatch] of them,
// or one larger than [MaxMessage], is a programming error. A message whose header
// Nats-Expected-Last-Subject-Sequence does not hold gives [ErrConflict]. Any other
// error wraps [ErrUnavailable].
//
// After an error the messages are not in the stream and will not be, except
// where no answer came: after a time-out, a lost connection, a change of the
// stream's leader, or the end of ctx they may have become durable, all of them
// or none, or still do so. The messages are not changed.
func (b *Broker) Publish(ctx context.Context, msgs ...*nats.Msg) (last uint64, err error) {
	size, err := checkMessages(msgs)
	if err != nil {
		return 0, err
	}
	ctx, done, err := b.write(ctx, size, b.termOf(msgs[0].Subject))
	if err != nil {
		return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
	}
	defer done()
	final := msgs[len(msgs)-1]
	if len(msgs) > 1 {
		select {
		case b.batches <- struct{}{}:
			defer func() { <-b.batches }()
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, context.Cause(ctx))
		}
		if final, err = b.publishAllButLast(msgs); err != nil {
			return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
		}
	}
	reply, err := b.conn.RequestMsgWithContext(ctx, final)
	if err != nil {
		err = because(ctx, err)
		b.note(err)
		return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
	}
	last, err = b.parseAck(reply.Data)
	b.note(err)
	return last, err
}

// write begins a write of so many bytes to the stream of a leader's term, if one
// can succeed at the moment.
func (b *Broker) write(ctx context.Context, size int, term *gate) (_ context.Context, done context.CancelFunc, err error) {
	b.holding.RLock()
	defer func() {
		if err != nil {
			b.holding.RUnlock()
		}
	}()
	ctx, passed, err := pass(ctx, b.timeout, b.writable, b.linked, term)
	if err != nil {
		return nil, nil, err
	}
	if b.engine != nil {
		if err := b.engine.room(size); err != nil {
			passed()
			return nil, nil, err
		}
	}
	return ctx, sync.OnceFunc(func() { passed(); b.holding.RUnlock() }), nil
}

// checkMessages makes sure that the engine takes each of the messages: a batch
// that breaks off in the middle would occupy it for a while.
func checkMessages(msgs []*nats.Msg) (size int, err error) {
	switch {
	case len(msgs) == 0:
		return 0, errors.New("broker: publish: no messages")
	case len(msgs) > MaxBatch:
		return 0, fmt.Errorf("broker: publish: %d messages, at most %d", len(msgs), MaxBatch)
	}
	const batchHeaders = 128 // about what a batch adds to a message
	for _, msg := range msgs {
		if msg.Size()+batchHeaders > MaxMessage {
			return 0, fmt.Errorf("broker: publish: a message of %d bytes, at most %d", msg.Size(), MaxMessage-batchHeaders)
		}
		size += msg.Size()
	}
	return size, nil
}

// publishAllButLast sends all of an atomic batch (NATS ADR-50) but the message
// that commits it, which it returns.
func (b *Broker) publishAllButLast(msgs []*nats.Msg) (final *nats.Msg, err error) {
	id := nuid.Next()
	for i, msg := range msgs {
		part := &nats.Msg{Subject: msg.Subject, Data: msg.Data, Header: make(nats.Header, len(msg.Header)+3)}
		maps.Copy(part.Header, msg.Header)
		part.Header["Nats-Batch-Id"] = []string{id}
		part.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
		if i == len(msgs)-1 {
			part.Header["Nats-Batch-Commit"] = []string{"1"}
			return part, nil
		}
		if err := b.conn.PublishMsg(part); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Ack tells the fate of one message: its sequence, or why it is not on disk.
type Ack struct {
	Sequence uint64
	Err      error // as Publish gives it
}

// PublishEach writes the messages one by one, in order. Unlike a batch's, their
// fates are independent. For a few messages it costs the engine less than a
// batch does.
func (b *Broker) PublishEach(ctx context.Context, msgs ...*nats.Msg) []Ack {
	acks := make([]Ack, len(msgs))
	if len(msgs) == 1 {
		acks[0].Sequence, acks[0].Err = b.Publish(ctx, msgs[0])
		return acks
	}
	if err := b.publishEach(ctx, msgs, acks); err != nil {
		for i := range acks {
			if acks[i] == (Ack{}) {
				acks[i].Err = err
			}
		}
	}
	return acks
}

func (b *Broker) publishEach(ctx context.Context, msgs []*nats.Msg, acks []Ack) error {
	size, err := checkMessages(msgs)
	if err != nil {
		return err
	}
	ctx, done, err := b.write(ctx, size, b.termOf(msgs[0].Subject))
	if err != nil {
		return fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
	}
	defer done()
	inbox := b.conn.NewInbox()
	sub, err := b.conn.SubscribeSync(inbox + ".*")
	if err != nil {
		return fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
	}
	defer sub.Unsubscribe()
	for i, msg := range msgs {
		single := &nats.Msg{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Reply: inbox + "." + strconv.Itoa(i)}
		if err := b.conn.PublishMsg(single); err != nil {
			return fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
		}
	}
	for range msgs {
		reply, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			err = because(ctx, err)
			b.note(err)
			return fmt.Errorf("%w: publish: %w", ErrUnavailable, err)
		}
		i, err := strconv.Atoi(reply.Subject[len(inbox)+1:])
		if err != nil || i < 0 || i >= len(acks) {
			return fmt.Errorf("%w: publish: an acknowledgement of nothing: %s", ErrUnavailable, reply.Subject)
		}
		acks[i].Sequence, acks[i].Err = b.parseAck(reply.Data)
		b.note(acks[i].Err)
	}
	return nil
}

func (b *Broker) parseAck(data []byte) (last uint64, err error) {
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if len(data) == 0 { // the connection's own answer: nobody takes the subject
		return 0, fmt.Errorf("%w: publish: %w", ErrUnavailable, nats.ErrNoResponders)
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("%w: publish: unreadable acknowledgement: %w", ErrUnavailable, err)
	}
	switch {
	case ack.Error == nil:
		return ack.Sequence, nil
	case ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence,
		ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return 0, fmt.Errorf("publish: %w", ErrConflict)
	case strings.Contains(ack.Error.Description, "maximum bytes exceeded"):
		return 0, fmt.Errorf("publish: %w", ErrFull)
	case ack.Error.ErrorCode == codeTooManyInflight && b.engine != nil:
		// We never have so many: these are batches that could not be staged
		// for want of disk, which the server goes on counting until it is
		// restarted.
		b.engine.fail(fmt.Errorf("the engine takes no batches: %s", ack.Error.Description))
	}
	return 0, fmt.Errorf("%w: publish: %s", ErrUnavailable, ack.Error.Description)
}
