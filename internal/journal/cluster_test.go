package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

// writers append events with ids of their own from several journals on one
// cluster, and know which were acknowledged.
type writers struct {
	*testing.T
	journals []*Journal
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[uint64]bool
	refused      int
	changed      chan struct{} // closed and replaced at each result
}

func startWriters(t *testing.T, journals ...*Journal) *writers {
	ctx, stop := context.WithCancel(t.Context())
	w := &writers{T: t, journals: journals, stop: stop, acknowledged: map[uint64]bool{}, changed: make(chan struct{})}
	for n := range 2 * len(journals) {
		w.running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				w.write(ctx, journals[n%len(journals)], uint64(n)<<32|uint64(2*i))
			}
		})
	}
	t.Cleanup(func() { stop(); w.running.Wait() })
	return w
}

func (w *writers) write(ctx context.Context, j *Journal, id uint64) {
	first, second := event("org", 0), event("org", 0)
	first.TraceID, second.TraceID = id+1, id+2
	err := j.Append(ctx, "us", first, second)
	if err != nil && !errors.Is(err, broker.ErrUnavailable) && ctx.Err() == nil {
		w.Errorf("append: %v, want ErrUnavailable", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.acknowledged[first.TraceID], w.acknowledged[second.TraceID] = true, true
	} else {
		w.refused++
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits until the counts are as wanted.
func (w *writers) until(what string, ok func(acknowledged, refused int) bool) {
	w.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		w.mu.Lock()
		done, changed := ok(len(w.acknowledged), w.refused), w.changed
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			w.Fatalf("waited in vain until %s", what)
		}
	}
}

// more waits for so many more acknowledged events.
func (w *writers) more(n int) {
	w.Helper()
	w.mu.Lock()
	target := len(w.acknowledged) + n
	w.mu.Unlock()
	w.until(fmt.Sprintf("%d more events are acknowledged", n), func(acknowledged, _ int) bool { return acknowledged >= target })
}

// check ends the writing and looks for every acknowledged event.
func (w *writers) check(j *Journal) {
	w.Helper()
	w.stop()
	w.running.Wait()
	// Whatever was on its way when the writers stopped is there, or never will be.
	if err := j.Append(w.Context(), "us", event("org", 1<<40)); err != nil {
		w.Fatal(err)
	}
	times := map[uint64]int{}
	var order []Position
	for _, e := range readAll(w.T, j, "us", "org") {
		times[e.Event.TraceID]++
		order = append(order, e.Position)
	}
	for id := range w.acknowledged {
		if times[id] != 1 {
			w.Errorf("event %d was acknowledged and is there %d times", id, times[id])
		}
	}
	for id, n := range times {
		if n > 1 {
			w.Errorf("event %d is there %d times", id, n)
		}
	}
	w.Logf("%d acknowledged, %d refused, %d in the journal", len(w.acknowledged), w.refused, len(order))
}

func openOn(t *testing.T, b *broker.Broker) *Journal {
	t.Helper()
	j, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

func TestAClusterThatLosesAServerLosesNoEvent(t *testing.T) {
	c := brokertest.Cluster(t)
	first, second := openOn(t, c.Open()), openOn(t, c.Open())
	w := startWriters(t, first, second)
	w.more(100)
	stopped := c.StopLeader(streamName)
	w.more(100) // with two servers of three it goes on
	c.Start(stopped)
	c.WaitReady()
	w.more(100)
	w.check(second)
}

func TestAClusterThatLosesItsMajorityRefusesAndRecovers(t *testing.T) {
	c := brokertest.Cluster(t)
	j := openOn(t, c.Open())
	w := startWriters(t, j)
	w.more(100)
	c.Stop(0)
	c.Stop(1)
	refused := 0
	w.mu.Lock()
	refused = w.refused
	w.mu.Unlock()
	w.until("appends are refused", func(_, now int) bool { return now > refused })
	c.Start(0)
	c.Start(1)
	w.more(100)
	w.check(j)
}

func TestAFollowerSeesWhatAnotherProcessAppends(t *testing.T) {
	c := brokertest.Cluster(t)
	writer, reader := openOn(t, c.Open()), openOn(t, c.Open())
	f := follow(t, reader, "us", "org", 0)
	watcher := reader.Watch()
	defer watcher.Close()
	const events = 50
	go func() {
		for n := range events {
			if err := writer.Append(t.Context(), "us", event("org", n), event("org", n)); err != nil {
				t.Error(err)
			}
		}
	}()
	var seen []audit.Event
	for len(seen) < 2*events {
		entries, err := f.Next(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seen = append(seen, e.Event)
		}
	}
	for i, e := range seen {
		if e.TraceID != uint64(i/2)+1 {
			t.Fatalf("event %d is %d", i, e.TraceID)
		}
	}
	<-watcher.C()
	if streams := watcher.Take(); len(streams) != 1 || streams[0] != (Stream{Region: "us", Organization: "org"}) {
		t.Errorf("the watcher took %v", streams)
	}
}
