package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func open(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func makeStream(t *testing.T, b *Broker) {
	t.Helper()
	if _, err := b.Stream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
}

func messages(subject string, n int) []*nats.Msg {
	msgs := make([]*nats.Msg, n)
	for i := range msgs {
		msgs[i] = &nats.Msg{Subject: subject, Data: fmt.Appendf(nil, "%s %d", subject, i)}
	}
	return msgs
}

func TestWhatWasPublishedIsReadBackAfterARestart(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	makeStream(t, b)
	for _, n := range []int{1, 2, MaxBatch} {
		if _, err := b.Publish(t.Context(), messages("s.a", n)...); err != nil {
			t.Fatalf("publish %d: %v", n, err)
		}
		if _, err := b.Publish(t.Context(), messages("s.b", n)...); err != nil {
			t.Fatalf("publish %d: %v", n, err)
		}
	}
	b.Close()

	b = open(t, dir)
	var got []Message
	for {
		from := uint64(1)
		if len(got) > 0 {
			from = got[len(got)-1].Sequence + 1
		}
		more, err := b.Read(t.Context(), Range{Stream: "S", From: from, Subject: "s.b", Max: 400})
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			break
		}
		got = append(got, more...)
	}
	if want := 1 + 2 + MaxBatch; len(got) != want {
		t.Fatalf("read %d messages, want %d", len(got), want)
	}
	for i, m := range got {
		if m.Subject != "s.b" || i > 0 && m.Sequence <= got[i-1].Sequence || m.Stored.IsZero() {
			t.Fatalf("message %d: %+v", i, m)
		}
	}
}

func TestReadStopsAtItsLimits(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	msgs := messages("s.a", 100)
	for _, m := range msgs {
		m.Data = []byte(strings.Repeat("x", 1000))
	}
	if _, err := b.Publish(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	some, err := b.Read(t.Context(), Range{Stream: "S", Subject: "s.>", Max: 1000, MaxBytes: 10_000})
	if err != nil || len(some) == 0 || len(some) > 11 {
		t.Errorf("with MaxBytes: %d messages, %v", len(some), err)
	}
	none, err := b.Read(t.Context(), Range{Stream: "S", From: 101, Subject: "s.>", Max: 1000})
	if err != nil || len(none) != 0 {
		t.Errorf("beyond the end: %d messages, %v", len(none), err)
	}
}

func TestAPublishThatTheEngineRefusesWritesNothing(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	msgs := messages("s.a", 10)
	msgs[5].Subject = "elsewhere"
	if _, err := b.Publish(t.Context(), msgs...); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a batch with a hole: %v, want ErrUnavailable", err)
	}
	if _, err := b.Publish(t.Context(), messages("elsewhere", 1)...); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a subject that no stream takes: %v, want ErrUnavailable", err)
	}
	got, err := b.Read(t.Context(), Range{Stream: "S", Subject: "s.>", Max: 100})
	if err != nil || len(got) != 0 {
		t.Errorf("the stream holds %d messages, %v", len(got), err)
	}
}

func TestASecondProcessOnTheSameDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by another trailhook (pid ") {
		t.Errorf("second open: %v", err)
	}
}

func TestTheHolderOfADirectoryIsToldWhileItHasIt(t *testing.T) {
	dir := t.TempDir()
	held := func() int {
		t.Helper()
		pid, err := Holder(dir)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	if pid := held(); pid != 0 {
		t.Errorf("an empty directory is held by %d", pid)
	}
	b, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if pid := held(); pid != os.Getpid() {
		t.Errorf("held by %d, want %d", pid, os.Getpid())
	}
	b.Close()
	if pid := held(); pid != 0 {
		t.Errorf("a directory that was closed is held by %d", pid)
	}
	open(t, dir) // to have asked keeps nobody out
}

type thing struct{ Name string }

func TestABucketKeepsItsObjectsAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	things, err := OpenBucket[thing](t.Context(), b, "things")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check("create", things.Create(ctx, "org.a", thing{"a"}))
	check("create", things.Create(ctx, "org.b", thing{"b"}))
	check("create", things.Create(ctx, "other.c", thing{"c"}))
	a, err := things.Get("org.a")
	check("get", err)
	check("update", things.Update(ctx, "org.a", thing{"a2"}, a.Revision))
	gone, err := things.Get("org.b")
	check("get", err)
	check("delete", things.Delete(ctx, "org.b", gone.Revision))
	things.Close()
	b.Close()

	things, err = OpenBucket[thing](t.Context(), open(t, dir), "things")
	check("reopen", err)
	defer things.Close()
	list := things.List("org.")
	if len(list) != 1 || list[0].Value.Name != "a2" {
		t.Errorf("after a restart the bucket lists %+v", list)
	}
	if _, err := things.Get("org.b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
	check("create again", things.Create(ctx, "org.b", thing{"b2"}))
}

func TestTwoWritersNeverLoseAnUpdate(t *testing.T) {
	counter, err := OpenBucket[int](t.Context(), open(t, t.TempDir()), "counter")
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	if err := counter.Create(t.Context(), "n", 0); err != nil {
		t.Fatal(err)
	}
	if err := counter.Create(t.Context(), "n", 0); !errors.Is(err, ErrConflict) {
		t.Fatalf("a second create: %v, want ErrConflict", err)
	}
	const writers, each = 4, 25
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for done := 0; done < each; {
				entry, err := counter.Get("n")
				if err != nil {
					t.Error(err)
					return
				}
				err = counter.Update(t.Context(), "n", entry.Value+1, entry.Revision)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if entry, _ := counter.Get("n"); entry.Value != writers*each {
		t.Errorf("the counter stands at %d after %d updates", entry.Value, writers*each)
	}
}

func TestAReaderIsToldOfAChange(t *testing.T) {
	things, err := OpenBucket[thing](t.Context(), open(t, t.TempDir()), "things")
	if err != nil {
		t.Fatal(err)
	}
	defer things.Close()
	changed := things.Changed()
	if err := things.Put(t.Context(), "k", thing{"v"}); err != nil {
		t.Fatal(err)
	}
	<-changed
}

func TestAWriteToAClosedBrokerFailsInsteadOfHanging(t *testing.T) {
	b := open(t, t.TempDir())
	makeStream(t, b)
	b.Close()
	if _, err := b.Publish(context.Background(), messages("s.a", 1)...); !errors.Is(err, ErrUnavailable) {
		t.Errorf("publish after close: %v", err)
	}
}
