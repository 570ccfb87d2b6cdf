package delivery

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestWhatWaitsIsKnownWithoutReadingTheJournal(t *testing.T) {
	t.Parallel()
	refusing := receive(t, taking(403))
	p := start(t, t.TempDir())
	org := p.organization()
	org.sendTo(refusing)
	org.record(4)
	org.awaitStatus(Inactive)
	for range 3 {
		org.record(2) // of which it only hears
	}
	hook := org.webhook()
	var last BacklogSample
	p.eventually(func() bool {
		p.manager.sample()
		if recent := p.manager.BacklogHistory(hook).Recent; len(recent) > 0 {
			last = recent[len(recent)-1]
		}
		return last.Events >= 16 // four in a message it has read, and three messages that may have as many
	})
	exact, err := p.manager.Backlog(t.Context(), hook)
	if err != nil {
		t.Fatal(err)
	}
	if exact.Events != 10 || last.Events != 16 {
		t.Errorf("%d events wait, and are taken for %d", exact.Events, last.Events)
	}
	if perEvent := exact.Bytes / exact.Events; last.Bytes/last.Events < perEvent-8 || last.Bytes/last.Events > perEvent+8 {
		t.Errorf("%d bytes an event, want about %d", last.Bytes/last.Events, perEvent)
	}
	if !last.At.Equal(instant.Truncate(time.Millisecond)) || !last.Oldest.Equal(exact.Oldest.Truncate(time.Millisecond)) {
		t.Errorf("at %s, oldest %s; want %s, %s", last.At, last.Oldest, instant, exact.Oldest)
	}

	r := receive(t, taking(200))
	org.sendTo(r)
	r.awaitEvents(1, 10)
	p.eventually(func() bool { return p.manager.busy.get(hook.ID) == nil && p.manager.Status(hook).Sent == 10 })
	p.manager.sample()
	h := p.manager.BacklogHistory(hook)
	if end := h.Recent[len(h.Recent)-1]; !h.Here || end.Events != 0 || !end.Oldest.IsZero() || len(h.Minutes) < 2 {
		t.Errorf("when all was taken: %+v", h)
	}
	org.deleteWebhook()
	p.await(func() bool { return len(p.manager.BacklogHistory(hook).Minutes) == 0 })
}

func TestAStatusTellsSinceWhenAndHowTheWebhookFails(t *testing.T) {
	t.Parallel()
	refusing := receive(t, taking(403))
	p := start(t, t.TempDir(), func(o *Options) { o.MinPause, o.MaxPause = time.Millisecond, time.Millisecond })
	org := p.organization()
	org.sendTo(refusing)
	org.record(1)
	p.await(func() bool { return org.status().FailedInARow >= 3 })
	if s := org.status(); !s.FailingSince.Equal(instant) || s.LastPhase != "response" || s.Failed < s.FailedInARow {
		t.Errorf("%+v", s)
	}
	r := receive(t, taking(200))
	org.sendTo(r)
	org.awaitStatus(Active)
	if s := org.status(); !s.FailingSince.IsZero() || s.FailedInARow != 0 || s.LastPhase != "" || s.Failed < 3 {
		t.Errorf("active again: %+v", s)
	}
}

func TestAReadingIsCountedDownAsEventsAreSettledAndUpAsMessagesAreToldOf(t *testing.T) {
	k := &knowledge{}
	expect := func(told, events, bytes uint64) {
		t.Helper()
		gotEvents, gotBytes, ok := k.waiting(told)
		if !ok || gotEvents != events || gotBytes != bytes {
			t.Errorf("%d events, %d bytes, %t; want %d, %d", gotEvents, gotBytes, ok, events, bytes)
		}
	}
	k.settle(100)
	k.begin()
	if _, _, ok := k.waiting(0); ok {
		t.Error("something is known before anything was read")
	}
	k.read(journal.Reading{Messages: 2, Events: 10, Bytes: 1000, Pending: 3, Told: 7})
	expect(7, 25, 2500)
	k.settle(104)
	expect(9, 31, 3100)
	k.begin() // from there, and nothing is read yet
	expect(9, 31, 3100)
	k.read(journal.Reading{Messages: 1, Events: 6, Bytes: 600, Pending: 5, Told: 9})
	expect(9, 36, 3600)
	k.settle(110)
	expect(9, 30, 3000)
}

func TestHistoriesAreBoundedInTimeAndNumber(t *testing.T) {
	h := histories{each: map[string]*history{}}
	mine := func(string) bool { return true }
	sample := func(now time.Time, events uint64) BacklogSample { return BacklogSample{At: now, Events: events} }
	now := instant
	for range 30 * 60 * 12 { // 30 hours
		h.add(now, map[string]BacklogSample{"a": sample(now, 1)}, mine)
		now = now.Add(recentEvery)
	}
	now = now.Add(-recentEvery)
	recent, minutes := h.of("a")
	if n := len(recent); n != 121 || recent[n-1].At != now || recent[0].At != now.Add(-recentTime) {
		t.Errorf("%d recent samples", n)
	}
	if n := len(minutes); n < 24*60 || n > 24*60+1 || minutes[0].At.Before(now.Add(-minuteTime)) {
		t.Errorf("%d samples of minutes", n)
	}

	many := map[string]BacklogSample{"a": sample(now, 1)}
	for i := range maxHistories + 10 {
		many[fmt.Sprint("b", i)] = sample(now, 1)
	}
	h.add(now, many, mine)
	if recent, _ := h.of("a"); len(h.each) != maxHistories || len(recent) == 0 {
		t.Errorf("%d webhooks are remembered", len(h.each))
	}
	now = now.Add(recentEvery)
	h.add(now, map[string]BacklogSample{"a": sample(now, 1)}, mine) // the others wait for nothing
	now = now.Add(recentEvery)
	h.add(now, map[string]BacklogSample{"c": sample(now, 1)}, mine)
	if recent, _ := h.of("c"); len(h.each) != maxHistories || len(recent) != 1 {
		t.Errorf("%d webhooks are remembered, of a new one %d samples", len(h.each), len(recent))
	}
	h.add(now, nil, func(webhookID string) bool { return webhookID == "c" })
	if len(h.each) != 1 {
		t.Errorf("%d webhooks are remembered, of which others deliver to all but one", len(h.each))
	}
	h.add(now.Add(minuteTime+time.Second), nil, mine)
	h.add(now.Add(2*minuteTime+2*time.Second), nil, mine)
	if len(h.each) != 0 {
		t.Error("one that has waited for nothing for a day is still remembered")
	}
}

func TestWhoDoesNotDeliverToAWebhookSaysThatItKnowsNothing(t *testing.T) {
	hook := registry.Webhook{ID: "hook"}
	m := &Manager{shards: &shards{held: map[int]*shard{}}, histories: histories{each: map[string]*history{"hook": {}}}}
	if m.BacklogHistory(hook).Here {
		t.Error("it says that it delivers")
	}
	m.shards.held[shardOf(hook.ID)] = newShard()
	if !m.BacklogHistory(hook).Here {
		t.Error("it says that another one delivers")
	}
}

// eventually waits until something is so that nobody tells of.
func (p *platform) eventually(reached func() bool) {
	p.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-limit:
			p.Fatal("still waiting")
		}
	}
}
