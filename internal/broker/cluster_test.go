package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

func TestWhatAClusterAcknowledgesSurvivesTheLossOfItsServers(t *testing.T) {
	t.Parallel()
	c := brokertest.Cluster(t)
	first, second := c.Open(), c.Open()
	makeStream(t, first)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ledgers := []*ledger{newLedger("s.a"), newLedger("s.b"), newLedger("s.c")}
	var writers sync.WaitGroup
	for i, b := range []*broker.Broker{first, first, second} {
		writers.Go(func() { ledgers[i].keepAppending(ctx, t, b) })
	}
	progress := func(after string) {
		t.Helper()
		for _, l := range ledgers {
			target := l.done.Load() + 20
			eventually(t, "appends go on after "+after, func() bool { return l.done.Load() >= target })
		}
	}
	progress("the start")
	for range 2 {
		c.MoveLeader("S")
		progress("a change of leader")
	}
	stopped := c.StopLeader("S")
	progress("the loss of the leader")
	c.Start(stopped)
	c.WaitReady()
	c.WaitInSync("S")
	progress("its return")
	one := c.StopLeader("S")
	other := (one + 1) % brokertest.Size
	c.Stop(other)
	if err := newLedger("s.d").appendOnce(t.Context(), first, 2); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("an append without a majority: %v", err)
	}
	if err := first.Healthy(); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("health without a majority: %v", err)
	}
	c.Start(one)
	c.Start(other)
	c.WaitReady()
	progress("the return of the majority")
	stop()
	writers.Wait()

	c.WaitInSync("S")
	all := readAll(t, first)
	for _, l := range ledgers {
		l.check(t, all)
	}
	eventually(t, "the broker is healthy again", func() bool { return first.Healthy() == nil })
}

func TestABucketSeesEveryWriteThroughTheLossOfServers(t *testing.T) {
	t.Parallel()
	c := brokertest.Cluster(t)
	writer := openBucket[int](t, c.Open(), "numbers")
	reader := openBucket[int](t, c.Open(), "numbers")
	n := 0
	writeAndSee := func(after string) {
		t.Helper()
		n++
		key := fmt.Sprint("n", n%3)
		eventually(t, "a write succeeds after "+after, func() bool {
			err := writer.Put(t.Context(), key, n)
			if err != nil && !errors.Is(err, broker.ErrUnavailable) {
				t.Fatal(err)
			}
			return err == nil
		})
		if entry, err := writer.Get(key); err != nil || entry.Value != n {
			t.Fatalf("the writer itself reads %+v, %v; it wrote %d", entry, err, n)
		}
		eventually(t, "the other process sees it", func() bool {
			entry, err := reader.Get(key)
			return err == nil && entry.Value == n
		})
	}
	writeAndSee("the start")
	c.MoveLeader("KV_numbers")
	writeAndSee("a change of leader")
	for i := range brokertest.Size {
		c.Stop(i)
		writeAndSee(fmt.Sprintf("the loss of server %d", i))
		c.Start(i)
		c.WaitReady()
		c.WaitInSync("KV_numbers")
		writeAndSee("its return")
	}
	if err := writer.Create(t.Context(), "n0", 0); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("create what exists: %v, want ErrConflict", err)
	}
	if err := writer.Update(t.Context(), "n0", 0, 1); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("update of an old revision: %v, want ErrConflict", err)
	}
	if err := writer.Delete(t.Context(), "n0", 1); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("delete of an old revision: %v, want ErrConflict", err)
	}
}

func TestWhatFailsWhileDisconnectedIsNotSentLater(t *testing.T) {
	t.Parallel()
	o := &server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: broker.MaxMessage,
	}
	run := func() *server.Server {
		srv, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(srv.Shutdown)
		if !srv.ReadyForConnections(time.Minute) {
			t.Fatal("the server did not start")
		}
		return srv
	}
	srv := run()
	o.Port = srv.Addr().(*net.TCPAddr).Port
	b, err := broker.Open(t.Context(), broker.Options{URLs: "nats://" + srv.Addr().String(), Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	makeStream(t, b)
	srv.Shutdown()
	srv.WaitForShutdown()
	began := time.Now()
	for range 20 {
		if _, err := b.Publish(t.Context(), message("s.a", "lost"), message("s.a", "lost")); !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("publish without a connection: %v", err)
		}
		if _, err := b.Read(t.Context(), broker.Range{Stream: "S", Subject: "s.>", Max: 1}); !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("read without a connection: %v", err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s to refuse", took)
	}
	if err := b.Healthy(); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("health without a connection: %v", err)
	}
	run()
	eventually(t, "publishing goes on", func() bool {
		_, err := b.Publish(t.Context(), message("s.a", "after"))
		return err == nil
	})
	if all := readAll(t, b); len(all) != 1 || string(all[0].Data) != "after" {
		t.Errorf("the stream holds %d messages, want the one that was acknowledged", len(all))
	}
	if err := b.Healthy(); err != nil {
		t.Errorf("health with a connection again: %v", err)
	}
}

func TestStreamsAreBroughtToTheNumberOfReplicasAskedFor(t *testing.T) {
	t.Parallel()
	c := brokertest.Cluster(t)
	for _, replicas := range []int{1, 3, 1} {
		b, err := broker.Open(t.Context(), broker.Options{URLs: c.URL(0), Replicas: replicas})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		stream := makeStream(t, b)
		things := openBucket[string](t, b, "things")
		if err := things.Put(t.Context(), "k", fmt.Sprint(replicas)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Publish(t.Context(), message("s.a", "1"), message("s.a", "2")); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("the stream has %d replicas", replicas), func() bool {
			info, err := stream.Info(t.Context())
			return err == nil && info.Config.Replicas == replicas && info.Cluster != nil && len(info.Cluster.Replicas) == replicas-1
		})
	}
}

func TestTwoProcessesMayMakeTheSameStreamAtOnce(t *testing.T) {
	t.Parallel()
	c := brokertest.Cluster(t)
	var processes sync.WaitGroup
	for range 4 {
		b := c.Open()
		processes.Go(func() {
			makeStream(t, b)
			openBucket[string](t, b, "things")
		})
	}
	processes.Wait()
}
