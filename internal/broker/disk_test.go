package broker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

const diskSize = 64 << 20

func TestAFullDiskIsRefusedBeforeItsLastBytes(t *testing.T) {
	disk := brokertest.SmallDisk(t, diskSize)
	b := brokertest.Embedded(t, disk.Dir)
	makeStream(t, b)
	things := openBucket[string](t, b, "things")
	book := newLedger("s.a")
	book.padding = 4000
	disk.Fill(t, 8<<20)
	refused := fillUp(t, b, book, 100)
	fillUp(t, b, book, 1)
	if !strings.Contains(refused.Error(), "is full") {
		t.Errorf("refused as %q", refused)
	}
	disk.Fill(t, 3<<20) // somebody else takes the rest
	if err := b.Healthy(); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("health on a full disk: %v", err)
	}
	if err := things.Put(t.Context(), "k", "v"); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("a bucket's write on a full disk: %v", err)
	}
	book.check(t, readAll(t, b))
	disk.Empty(t)
	if err := b.Healthy(); err != nil {
		t.Errorf("health when there is room again: %v", err)
	}
	if err := book.appendOnce(t.Context(), b, 100); err != nil {
		t.Errorf("append when there is room again: %v", err)
	}
	book.check(t, readAll(t, b))
}

func TestAnEngineThatRanOutOfDiskGoesOnWhenThereIsRoom(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batch   int // messages in an append
		free    int // bytes of disk at first
		refusal int // how many refusals
	}{
		{"single messages", 1, 1 << 20, 3},
		{"in the middle of a batch's commit", 500, 3 << 20, 3},
		{"as a batch comes in", 500, 1 << 20, 3},
		{"as more batches come in than the engine counts", 100, 200 << 10, 80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := brokertest.SmallDisk(t, diskSize)
			b := brokertest.Embedded(t, disk.Dir)
			b.Unguard()
			stream := makeStream(t, b)
			things := openBucket[int](t, b, "things")
			book := newLedger("s.a")
			book.padding = 4000
			disk.Fill(t, tt.free)
			for range tt.refusal {
				began := time.Now()
				fillUp(t, b, book, tt.batch)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %s to refuse", took)
				}
			}
			if _, err := stream.Info(t.Context()); err != nil {
				t.Errorf("a reader of the full disk: %v", err)
			}
			disk.Empty(t)
			eventually(t, "writing goes on", func() bool {
				return book.appendOnce(t.Context(), b, tt.batch) == nil && things.Put(t.Context(), "k", 1) == nil
			})
			eventually(t, "it is healthy", func() bool { return b.Healthy() == nil })
			if entry, err := things.Get("k"); err != nil || entry.Value != 1 {
				t.Errorf("the bucket has %+v, %v", entry, err)
			}
			book.check(t, readAll(t, b))
			things.Close()
			b.Close()
			book.check(t, readAll(t, brokertest.Embedded(t, disk.Dir)))
		})
	}
}

// A batch that was being committed as the disk ran full is finished when there
// is room. A process that starts on a disk without would throw away its rest.
func TestAStartOnAFullDiskIsRefusedAndHarmless(t *testing.T) {
	disk := brokertest.SmallDisk(t, diskSize)
	b := brokertest.Embedded(t, disk.Dir)
	b.Unguard()
	makeStream(t, b)
	book := newLedger("s.a")
	book.padding = 4000
	disk.Fill(t, 3<<20)
	fillUp(t, b, book, 500)
	b.Close()
	_, err := broker.Open(t.Context(), broker.Options{Dir: disk.Dir})
	if err == nil || !strings.Contains(err.Error(), "is full") {
		t.Fatalf("a start on the full disk: %v", err)
	}
	disk.Empty(t)
	b = brokertest.Embedded(t, disk.Dir)
	if err := book.appendOnce(t.Context(), b, 500); err != nil {
		t.Error(err)
	}
	book.check(t, readAll(t, b))
}

// fillUp appends until that is refused, and returns the refusal.
func fillUp(t *testing.T, b *broker.Broker, book *ledger, batch int) error {
	t.Helper()
	for range diskSize / 4000 {
		err := book.appendOnce(t.Context(), b, batch)
		if err == nil {
			continue
		}
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("the refusal is %v", err)
		}
		return err
	}
	t.Fatal("the disk does not become full")
	return nil
}
