package alert

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// planned is a schedule's world: plans that a test changes, and what was done when.
type planned struct {
	mu      sync.Mutex
	plans   map[string]plan
	changed chan struct{}
	begin   time.Time
	took    map[string]time.Duration
	done    []string
	running int
	most    int
}

func startSchedule(t *testing.T, plans map[string]plan) *planned {
	t.Helper()
	p := &planned{plans: plans, changed: make(chan struct{}), begin: time.Now(), took: map[string]time.Duration{}}
	s := &schedule{atOnce: 2, do: p.do, plans: func() (map[string]plan, <-chan struct{}) {
		p.mu.Lock()
		defer p.mu.Unlock()
		copied := map[string]plan{}
		for id, one := range p.plans {
			copied[id] = one
		}
		return copied, p.changed
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return p
}

func (p *planned) do(ctx context.Context, id string) {
	p.mu.Lock()
	p.done = append(p.done, fmt.Sprintf("%s %s", id, time.Since(p.begin)))
	p.running++
	p.most = max(p.most, p.running)
	took := p.took[id]
	p.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.running--
	p.mu.Unlock()
}

func (p *planned) change(id string, to *plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to == nil {
		delete(p.plans, id)
	} else {
		p.plans[id] = *to
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *planned) expect(t *testing.T, after time.Duration, want ...string) {
	t.Helper()
	time.Sleep(after)
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.done) // what begins at one time has no order
	slices.Sort(want)
	if !slices.Equal(p.done, want) {
		t.Errorf("after %s: %q, want %q", time.Since(p.begin), p.done, want)
	}
	p.done = nil
}

func TestAnAlertIsEvaluatedAtOnceAndThenAsOftenAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startSchedule(t, map[string]plan{"a": {every: time.Minute}, "b": {every: 150 * time.Second}})
		p.expect(t, 3*time.Minute+time.Second, "a 0s", "b 0s", "a 1m0s", "a 2m0s", "b 2m30s", "a 3m0s")
	})
}

func TestWhatWasMissedIsMadeUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startSchedule(t, map[string]plan{
			"missed":  {every: time.Hour, last: time.Now().Add(-72 * time.Hour)},
			"not yet": {every: time.Hour, last: time.Now().Add(-10 * time.Minute)},
			"odd":     {every: 45 * time.Minute, last: time.Now().Add(time.Hour)}, // the clock was set back
		})
		p.expect(t, 61*time.Minute, "missed 0s", "odd 45m0s", "not yet 50m0s", "missed 1h0m0s")
	})
}

func TestAChangeIsEvaluatedAtOnceAndWhatIsDeletedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startSchedule(t, map[string]plan{"a": {every: time.Hour}})
		p.expect(t, time.Minute, "a 0s")
		p.change("a", &plan{version: 1, every: 5 * time.Minute})
		p.expect(t, 6*time.Minute, "a 1m0s", "a 6m0s")
		p.change("a", nil)
		p.expect(t, time.Hour)
		p.change("a", &plan{version: 2, every: time.Hour})
		p.expect(t, time.Minute, "a 1h7m0s")
	})
}

func TestNoAlertIsEvaluatedTwiceAtATimeAndFewAreAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startSchedule(t, map[string]plan{"a": {every: time.Minute}, "b": {every: time.Hour}, "c": {every: time.Hour}})
		p.mu.Lock()
		p.took["a"], p.took["b"] = 150*time.Second, 10*time.Minute
		p.mu.Unlock()
		time.Sleep(time.Minute)
		p.change("a", &plan{version: 1, every: time.Minute}) // while it runs
		// What is due longest has the next turn: c before a, which ran.
		p.expect(t, 4*time.Minute+time.Second, "a 0s", "b 0s", "c 2m30s", "a 2m30s", "a 5m0s")
		if p.most != 2 {
			t.Errorf("%d at once", p.most)
		}
	})
}
