package delivery

import (
	"os"
	"testing"
	"time"
)

// The endpoint answers 503 while 5,000 events are recorded, and for a while
// after. Nothing is lost, all of it comes in order, and it is there within one
// pause after the endpoint is back. With TRAILHOOK_SOAK the outage takes a
// minute, with the pauses of the product.
func TestAnOutageLosesNothingAndEndsWithinOnePause(t *testing.T) {
	outage, pause := 6*time.Second, time.Second
	if os.Getenv("TRAILHOOK_SOAK") != "" {
		outage, pause = time.Minute, DefaultMinPause
	}
	const events, size = 5000, 50
	back := time.Now().Add(outage)
	r := receive(t, func(int) int {
		if time.Now().Before(back) {
			return 503
		}
		return 200
	})
	p := start(t, t.TempDir(), func(o *Options) { o.MinPause, o.MaxPause = pause, 2*pause })
	o := p.organization()
	o.sendTo(r)
	for range events / size {
		o.record(size)
	}
	<-time.After(time.Until(back)) // the outage is what is tested
	requests := r.awaitEvents(1, events)
	got := taken(requests)
	if len(got) != events {
		t.Fatalf("%d events arrived, want %d", len(got), events)
	}
	for i, n := range got {
		if n != i+1 {
			t.Fatalf("event %d arrived in place %d", n, i+1)
		}
	}
	// A retry of the rule (Retry-After: 1, at most four of them) may be under way when a pause ends.
	limit := 2*pause + 5*time.Second
	if late := requests[len(requests)-1].at.Sub(back); late > limit {
		t.Errorf("all had arrived %v after the endpoint was back, want %v", late, limit)
	}
}
