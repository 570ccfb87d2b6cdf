package broker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailhook/trailhook/internal/broker"
)

// eventually returns when it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	const limit = time.Minute
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for !so() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func makeStream(t *testing.T, b *broker.Broker) jetstream.Stream {
	t.Helper()
	stream, err := b.Stream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func openBucket[T any](t *testing.T, b *broker.Broker, name string) *broker.Bucket[T] {
	t.Helper()
	bucket, err := broker.OpenBucket[T](t.Context(), b, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bucket.Close)
	return bucket
}

func message(subject, data string) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: []byte(data)}
}

func readAll(t *testing.T, b *broker.Broker) []broker.Message {
	t.Helper()
	var all []broker.Message
	for {
		from := uint64(1)
		if len(all) > 0 {
			from = all[len(all)-1].Sequence + 1
		}
		more, err := b.Read(t.Context(), broker.Range{Stream: "S", From: from, Subject: "s.>", Max: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			return all
		}
		all = append(all, more...)
	}
}
