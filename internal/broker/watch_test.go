package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func watchAll(t *testing.T, b *Broker, lastPerSubject bool) <-chan Message {
	t.Helper()
	told := make(chan Message, 10_000)
	w, err := b.Watch(t.Context(), Watch{
		Stream: "S", Subject: "s.>", LastPerSubject: lastPerSubject, Each: func(m Message) { told <- m },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return told
}

func TestAWatchBeginsWithWhatIsThere(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	if told := watchAll(t, b, true); len(told) != 0 {
		t.Errorf("an empty stream tells of %d messages", len(told))
	}
	for _, subject := range []string{"s.a", "s.b"} {
		if _, err := b.Publish(t.Context(), messages(subject, 500)...); err != nil {
			t.Fatal(err)
		}
	}
	if told := watchAll(t, b, false); len(told) != 1000 {
		t.Errorf("a watch of all begins with %d messages, want 1000", len(told))
	}
	told := watchAll(t, b, true)
	if len(told) != 2 {
		t.Fatalf("a watch of the last of each subject begins with %d messages, want 2", len(told))
	}
	if a, b := <-told, <-told; a.Sequence != 500 || b.Sequence != 1000 || b.Subject != "s.b" || string(b.Data) != "s.b 499" {
		t.Errorf("it begins with %+v and %+v", a, b)
	}
}

func TestAWatchMissesNothingAndRepeatsNothingThroughLostConnections(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	told := watchAll(t, b, false)
	var next uint64
	for range 20 {
		if _, err := b.Publish(t.Context(), messages("s.a", 100)...); err != nil && !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		if err := b.conn.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		// Whether the batch before was written is unknown; this one is.
		var last uint64
		for last == 0 {
			last, _ = b.Publish(t.Context(), &nats.Msg{Subject: "s.a"})
		}
		for next < last {
			m := <-told
			if next++; m.Sequence != next {
				t.Fatalf("after %d came %d", next-1, m.Sequence)
			}
		}
	}
}

func TestABucketWhoseStreamWasReplacedSaysSo(t *testing.T) {
	b := open(t, t.TempDir())
	b.pulse = 100 * time.Millisecond
	things, err := OpenBucket[thing](t.Context(), b, "things")
	if err != nil {
		t.Fatal(err)
	}
	defer things.Close()
	if err := things.Put(t.Context(), "k", thing{"v"}); err != nil {
		t.Fatal(err)
	}
	unhealthy := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			err := b.Healthy()
			if err != nil && strings.Contains(err.Error(), want) {
				return
			}
			if !sleep(ctx, 10*time.Millisecond) {
				t.Fatalf("health is %v, want %q", err, want)
			}
		}
	}
	if err := b.js.DeleteKeyValue(t.Context(), "things"); err != nil {
		t.Fatal(err)
	}
	unhealthy("stream not found")
	if _, err := b.openKeyValue(t.Context(), "things"); err != nil {
		t.Fatal(err)
	}
	unhealthy("it was replaced")
}

func TestWhatPassesAGateIsToldThatItShuts(t *testing.T) {
	closed := errors.New("closed")
	g := newGate(closed)
	if _, _, err := pass(t.Context(), time.Minute, g); err != closed {
		t.Errorf("through a shut gate: %v", err)
	}
	g.open()
	old, doneOld, err := pass(t.Context(), time.Minute, nil, g)
	if err != nil {
		t.Fatal(err)
	}
	defer doneOld()
	end := g.renew()
	fresh, doneFresh, err := pass(t.Context(), time.Minute, g)
	if err != nil {
		t.Fatal(err)
	}
	defer doneFresh()
	renewed := errors.New("renewed")
	end(renewed)
	<-old.Done()
	if context.Cause(old) != renewed || fresh.Err() != nil {
		t.Errorf("after a renewal the old one ended by %v, the new one by %v", context.Cause(old), fresh.Err())
	}
	g.shut(closed)
	<-fresh.Done()
	if context.Cause(fresh) != closed || g.reason() != closed {
		t.Errorf("after the gate was shut: %v, %v", context.Cause(fresh), g.reason())
	}
}
