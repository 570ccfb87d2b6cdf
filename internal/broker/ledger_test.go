package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/internal/broker"
)

// ledger writes to a stream and keeps book of what was acknowledged: each of
// these is owed, once and whole, whatever befalls the engine in between.
type ledger struct {
	subject string
	padding int           // bytes added to each message
	done    atomic.Uint64 // appends acknowledged

	mu     sync.Mutex
	nextID int
	sizes  map[int]int    // of every append that was tried: how many messages
	owed   map[int]uint64 // of those acknowledged: the sequence of the last message
}

func newLedger(subject string) *ledger {
	return &ledger{subject: subject, sizes: map[int]int{}, owed: map[int]uint64{}}
}

// appendOnce writes an append of some messages, as a batch or, a small one,
// sometimes message by message.
func (l *ledger) appendOnce(ctx context.Context, b *broker.Broker, size int) error {
	if size <= 4 && rand.IntN(2) == 0 {
		var ids []int
		var msgs []*nats.Msg
		for range size {
			id := l.begin(1)
			ids, msgs = append(ids, id), append(msgs, l.message(id, 0))
		}
		var errs []error
		for i, ack := range b.PublishEach(ctx, msgs...) {
			if ack.Err == nil {
				l.acknowledged(ids[i], ack.Sequence)
			}
			errs = append(errs, ack.Err)
		}
		return errors.Join(errs...)
	}
	id := l.begin(size)
	msgs := make([]*nats.Msg, size)
	for i := range msgs {
		msgs[i] = l.message(id, i)
	}
	last, err := b.Publish(ctx, msgs...)
	if err == nil {
		l.acknowledged(id, last)
	}
	return err
}

func (l *ledger) begin(size int) (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextID++
	l.sizes[l.nextID] = size
	return l.nextID
}

func (l *ledger) acknowledged(id int, last uint64) {
	l.mu.Lock()
	l.owed[id] = last
	l.mu.Unlock()
	l.done.Add(1)
}

func (l *ledger) message(id, i int) *nats.Msg {
	data := fmt.Appendf(nil, "%d %d ", id, i)
	return &nats.Msg{Subject: l.subject, Data: append(data, make([]byte, l.padding)...)}
}

// keepAppending appends until ctx ends. Errors other than of an engine that is
// unavailable fail the test.
func (l *ledger) keepAppending(ctx context.Context, t *testing.T, b *broker.Broker) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		err := l.appendOnce(context.WithoutCancel(ctx), b, 1+rand.IntN(20))
		if err == nil {
			continue
		}
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("append: %v", err)
			return
		}
		<-pause.C
	}
}

// check holds the book against what the stream has.
func (l *ledger) check(t *testing.T, all []broker.Message) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[int]int{}
	last := map[int]uint64{}
	for _, m := range all {
		if m.Subject != l.subject {
			continue
		}
		var id, i int
		if _, err := fmt.Sscanf(string(m.Data), "%d %d ", &id, &i); err != nil {
			t.Fatalf("message %d: %v", m.Sequence, err)
		}
		if i != found[id] {
			t.Errorf("message %d is number %d of append %d, of which %d came before", m.Sequence, i, id, found[id])
		}
		if i > 0 && m.Sequence != last[id]+1 {
			t.Errorf("append %d is interrupted between %d and %d", id, last[id], m.Sequence)
		}
		found[id]++
		last[id] = m.Sequence
	}
	unknown := 0
	for id, n := range found {
		if n != l.sizes[id] {
			t.Errorf("append %d has %d of its %d messages", id, n, l.sizes[id])
		}
		if _, ok := l.owed[id]; !ok {
			unknown++
		}
	}
	for id, sequence := range l.owed {
		if last[id] != sequence {
			t.Errorf("append %d was acknowledged up to %d, and ends at %d", id, sequence, last[id])
		}
	}
	t.Logf("%s: %d appends tried, %d acknowledged, %d in the stream without", l.subject, len(l.sizes), len(l.owed), unknown)
}
