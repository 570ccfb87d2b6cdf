package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

func TestALineThatComesTwiceIsStoredOnce(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.take(t, "one\ntwo\none\n")
	y.take(t, "two\nthree\n")
	y.find(t, "")
	y.take(t, "one\ntwo\nthree\n")
	got := raws(y.find(t, ""))
	if len(got) != 3 || got["one"] != 1 || got["two"] != 1 || got["three"] != 1 {
		t.Errorf("stored: %v", got)
	}
	for name, want := range map[string]float64{"received": 8, "stored": 3, "duplicate": 5} {
		if n := y.counter(t, "trailhook_collector_lines_"+name+"_total", ""); n != want {
			t.Errorf("%s: %v, want %v", name, n, want)
		}
	}
}

func TestTheSameLineFromTwoSourcesIsTwoRecords(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	second, err := y.catalog.CreateSource(t.Context(), Source{CollectorID: y.source.CollectorID, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	y.take(t, "a line")
	y.source = second
	y.take(t, "a line")
	if got := y.find(t, ""); len(got) != 2 {
		t.Errorf("%d records", len(got))
	}
}

func TestAnAcknowledgedLineIsFoundAfterARestart(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{idle: true}) // stopped before anything was indexed
	y.take(t, "first\nsecond")
	y.close()
	y = start(t, dir, setup{})
	if got := raws(y.find(t, "")); len(got) != 2 {
		t.Errorf("after the first restart: %v", got)
	}
	y.close()
	y = start(t, dir, setup{})
	y.take(t, "third")
	if got := raws(y.find(t, "")); len(got) != 3 || got["third"] != 1 {
		t.Errorf("after the second restart: %v", got)
	}
}

func TestALineIsIndexedExactlyOnceWhenThePurgeDidNotHappen(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{purge: func(context.Context, uint64) error { return errors.New("killed before") }})
	y.take(t, "first\nsecond")
	y.find(t, "")
	y.close()
	y = start(t, dir, setup{})
	y.take(t, "third")
	if got := y.find(t, ""); len(got) != 3 {
		t.Errorf("%d records", len(got))
	}
	if n := y.counter(t, "trailhook_collector_lines_duplicate_total", ""); n != 0 {
		t.Errorf("%v lines were indexed again", n)
	}
	waitFor(t, "the intake is empty", func() bool {
		left, err := y.intake.read(t.Context(), 1)
		return err == nil && len(left) == 0
	})
}

// failingStore fails while it is told to.
type failingStore struct {
	search.Store
	fails    atomic.Bool
	failures atomic.Int32
}

func (s *failingStore) Insert(ctx context.Context, records []search.Record, position uint64) (int, error) {
	if s.fails.Load() {
		s.failures.Add(1)
		return 0, errors.New("the disk is full")
	}
	return s.Store.Insert(ctx, records, position)
}

func TestNoLineIsLostWhileTheStoreFails(t *testing.T) {
	failing := &failingStore{}
	failing.fails.Store(true)
	y := start(t, t.TempDir(), setup{store: func(s search.Store) search.Store { failing.Store = s; return failing }})
	y.take(t, "first")
	waitFor(t, "two attempts", func() bool { return failing.failures.Load() >= 2 })
	y.take(t, "second")
	failing.fails.Store(false)
	if got := raws(y.find(t, "")); len(got) != 2 {
		t.Errorf("found %v", got)
	}
}

func TestManyLinesOfManySendersAreAllFound(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	const senders, requests, lines = 4, 5, 300
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for request := range requests {
				var body strings.Builder
				for line := range lines {
					fmt.Fprintf(&body, "line %d of %d of %d\n", line, request, sender)
				}
				if w := y.post([]byte(body.String())); w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	group.Wait()
	if got := raws(y.find(t, "")); len(got) != senders*requests*lines {
		t.Errorf("%d lines found, want %d", len(got), senders*requests*lines)
	}
}

func TestABatchIsCutBetweenMessages(t *testing.T) {
	of := func(lines int) broker.Message {
		return broker.Message{Data: bytes.Repeat([]byte("\n"), lines-1)}
	}
	for _, test := range []struct {
		name  string
		lines []int
		want  int
	}{
		{"one", []int{1}, 1},
		{"one that is more than a batch", []int{insertLines + 1, 1}, 1},
		{"as many as fit", []int{insertLines - 1, 1, 1}, 2},
		{"all", []int{1, 2, 3}, 3},
	} {
		var messages []broker.Message
		for _, n := range test.lines {
			messages = append(messages, of(n))
		}
		if got := insertable(messages); got != test.want {
			t.Errorf("%s: %d messages, want %d", test.name, got, test.want)
		}
	}
}

func TestAMessageThatCannotBeReadIsKeptAsRawLines(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	last, err := y.broker.Publish(t.Context(), &nats.Msg{Subject: "intake.x", Data: []byte("who sent me?")})
	if err != nil {
		t.Fatal(err)
	}
	y.intake.announce(last)
	got := y.find(t, "")
	if len(got) != 1 || got[0].Raw != "who sent me?" || !strings.Contains(got[0].ParseError, "no readable origin") || got[0].Receipt.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestALineThatAppearsUnannouncedIsFound(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.indexer.idle = time.Millisecond
	y.run()
	// As after a publish that timed out here and was carried out there.
	if _, err := y.broker.Publish(t.Context(), &nats.Msg{Subject: "intake.1", Data: []byte("late")}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the line is found", func() bool { return len(y.find(t, "late")) == 1 })
}

func TestTheIntakeIsAdvancedWhenItWasReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{})
	for range 3 {
		y.take(t, "before")
	}
	y.find(t, "")
	y.close()
	if err := os.RemoveAll(filepath.Join(dir, "nats")); err != nil {
		t.Fatal(err)
	}
	y = start(t, dir, setup{})
	y.take(t, "after")
	if got := raws(y.find(t, "")); got["before"] != 1 || got["after"] != 1 {
		t.Errorf("found %v", got)
	}
}

func TestAnIntakeThatEndsBeforeTheStoreAndHoldsLinesIsRefused(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.take(t, "a line")
	if err := y.intake.align(t.Context(), 10); err == nil || !strings.Contains(err.Error(), "not of one backup") {
		t.Errorf("align: %v", err)
	}
}
