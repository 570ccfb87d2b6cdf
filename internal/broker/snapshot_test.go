package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// restored copies the snapshots into a new data directory and opens it.
func restored(t *testing.T, snapshots ...*Snapshot) *Broker {
	t.Helper()
	options := Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	r, err := Restore(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		content, err := io.ReadAll(s)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if err := r.Stream(t.Context(), s.About, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func openSnapshotted(t *testing.T) *Broker {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func mustSnapshot(t *testing.T, b *Broker, stream string) *Snapshot {
	t.Helper()
	s, err := b.Snapshot(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRead(t *testing.T, b *Broker) []Message {
	t.Helper()
	var all []Message
	for from := uint64(1); ; {
		messages, err := b.Read(t.Context(), Range{Stream: "LOG", From: from, Subject: "log.>", Max: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			return all
		}
		all = append(all, messages...)
		from = messages[len(messages)-1].Sequence + 1
	}
}

func TestARestoredStreamHasTheSameMessagesSequencesAndTimes(t *testing.T) {
	b := openSnapshotted(t)
	stream, err := b.Stream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 { // more than one piece
		if _, err := b.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: bytes.Repeat([]byte{byte(n)}, 100_000), Header: nats.Header{"N": {fmt.Sprint(n)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(11)); err != nil {
		t.Fatal(err)
	}
	want := mustRead(t, b)
	snapshot := mustSnapshot(t, b, "LOG")
	if _, err := b.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	again := restored(t, snapshot)
	got := mustRead(t, again)
	if len(want) != 40 || len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Sequence != want[i].Sequence || !got[i].Stored.Equal(want[i].Stored) || !bytes.Equal(got[i].Data, want[i].Data) || got[i].Header.Get("N") != want[i].Header.Get("N") {
			t.Fatalf("message %d: %d at %s, want %d at %s", i, got[i].Sequence, got[i].Stored, want[i].Sequence, want[i].Stored)
		}
	}
	if _, err := again.Stream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}}); err != nil {
		t.Fatal(err)
	}
	if sequence, err := again.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: []byte("next")}); err != nil || sequence != 51 {
		t.Errorf("the next message has sequence %d, %v", sequence, err)
	}
}

// An emptied stream goes on with its sequences: positions of others refer to them.
func TestARestoredStreamThatWasEmptiedGoesOnWithItsSequences(t *testing.T) {
	b := openSnapshotted(t)
	stream, err := b.Stream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: []byte("1")}, &nats.Msg{Subject: "log.a", Data: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := restored(t, mustSnapshot(t, b, "LOG"))
	if _, err := again.Stream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}}); err != nil {
		t.Fatal(err)
	}
	if sequence, err := again.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: []byte("3")}); err != nil || sequence != 3 {
		t.Errorf("the next message has sequence %d, %v", sequence, err)
	}
}

// Two buckets of which the second always follows the first: at any one moment the
// first is at most one write ahead.
func TestBucketsThatAreReadWhileWritesAreHeldAreOfOneMoment(t *testing.T) {
	b := openSnapshotted(t)
	first, err := OpenBucket[int](t.Context(), b, "first")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := OpenBucket[int](t.Context(), b, "second")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, stop := context.WithCancel(t.Context())
	wrote := make(chan struct{}, 1)
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			if first.Put(ctx, "n", n) != nil || second.Put(ctx, "n", n) != nil {
				return
			}
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
	})
	for range 20 {
		<-wrote
	}
	release := b.Hold()
	snapshots := []*Snapshot{mustSnapshot(t, b, "KV_second"), mustSnapshot(t, b, "KV_first")}
	var kept [2]bytes.Buffer
	for i, s := range snapshots {
		if _, err := io.Copy(&kept[i], s); err != nil {
			t.Fatal(err)
		}
	}
	release()
	release() // a second time does no harm
	for range 20 {
		<-wrote // writes go on
	}
	stop()
	writing.Wait()

	options := Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	r, err := Restore(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range snapshots {
		if err := r.Stream(t.Context(), s.About, &kept[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	values := map[string]int{}
	for _, name := range []string{"first", "second"} {
		bucket, err := OpenBucket[int](t.Context(), again, name)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := bucket.Get("n")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		values[name] = entry.Value
		bucket.Close()
	}
	if ahead := values["first"] - values["second"]; ahead < 0 || ahead > 1 {
		t.Errorf("not of one moment: %v", values)
	}
	names, err := again.Streams(t.Context())
	if err != nil || fmt.Sprint(names) != "[KV_first KV_second]" || !IsBucket(names[0]) || IsBucket("LOG") {
		t.Errorf("%v, %v", names, err)
	}
}

func TestADirectoryThatHasAnEngineIsNotRestoredInto(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := Restore(t.Context(), Options{Dir: dir}); err == nil {
		t.Error("it was")
	}
}

func TestACutSnapshotIsNotRestored(t *testing.T) {
	b := openSnapshotted(t)
	if _, err := b.Stream(t.Context(), jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := b.Publish(t.Context(), &nats.Msg{Subject: "log.a", Data: bytes.Repeat([]byte("line "), 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	s := mustSnapshot(t, b, "LOG")
	content, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	r, err := Restore(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Stream(ctx, s.About, bytes.NewReader(content[:len(content)/2])); err == nil {
		t.Error("it was")
	}
}
