package delivery

import (
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
)

func TestWhatRetentionTakesBeforeTheEndpointDoesIsCounted(t *testing.T) {
	dir := t.TempDir()
	r := receive(t, taking(200))
	p := start(t, dir, func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(journal.DefaultRetention + time.Minute) }
	})
	o := p.organization()
	o.sendTo(r)
	o.record(5)
	hook, err := p.registry.Webhook(o.scope())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	for changed := p.manager.states.Changed(); p.manager.Status(hook).Lost != 5; changed = p.manager.states.Changed() {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("lost: %d, want 5", p.manager.Status(hook).Lost)
		}
	}
	p.stop()

	// The cursor has moved beyond them, and the count stays.
	p = start(t, dir)
	o = o.after(p)
	o.record(1)
	requests := r.awaitEvents(6, 6)
	if got := taken(requests); len(got) != 1 {
		t.Errorf("events that were lost arrived: %v", got)
	}
	if lost := p.manager.Status(hook).Lost; lost != 5 {
		t.Errorf("lost after a restart: %d, want 5", lost)
	}
}
