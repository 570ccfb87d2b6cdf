package alert

import (
	"context"
	"sync"
	"time"
)

// evaluationsAtOnce is how many alerts are evaluated at a time.
const evaluationsAtOnce = 2

// schedule does things again and again, each by its own plan: never one of them
// twice at a time, and no more of all than atOnce. Those that are due wait for their
// turn, who was due first goes first.
type schedule struct {
	// plans returns what there is to do, by id, and a channel that is closed when
	// that changes.
	plans  func() (map[string]plan, <-chan struct{})
	do     func(ctx context.Context, id string)
	atOnce int
}

// plan says when a thing is to be done.
type plan struct {
	version uint64        // a change makes it due at once
	every   time.Duration // from one beginning to the next
	last    time.Time     // when it was done before this schedule began to run
}

// task is a plan as it stands.
type task struct {
	plan
	due     time.Time
	running bool
}

// run does what is due until ctx ends, and waits for what it does.
func (s *schedule) run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	tasks := map[string]*task{}
	ended := make(chan string)
	running := 0
	for {
		plans, changed := s.plans()
		align(tasks, plans)
		for running < s.atOnce {
			id, ok := nextDue(tasks, time.Now())
			if !ok {
				break
			}
			t := tasks[id]
			t.running, t.due = true, time.Now().Add(t.every)
			running++
			working.Go(func() {
				s.do(ctx, id)
				select {
				case ended <- id:
				case <-ctx.Done():
				}
			})
		}
		alarm := time.NewTimer(untilDue(tasks, time.Now()))
		select {
		case <-changed:
		case <-alarm.C:
		case id := <-ended:
			tasks[id].running = false
			running--
		case <-ctx.Done():
		}
		alarm.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// align brings the tasks to what the plans say now. What was due while nobody
// looked is due at once, and once.
func align(tasks map[string]*task, plans map[string]plan) {
	now := time.Now()
	for id, p := range plans {
		t := tasks[id]
		switch {
		case t == nil:
			tasks[id] = &task{plan: p, due: firstDue(p, now)}
			continue
		case t.version != p.version:
			t.due = now
		}
		t.plan = p
	}
	for id, t := range tasks {
		if _, planned := plans[id]; !planned && !t.running {
			delete(tasks, id)
		}
	}
}

// firstDue is not further away than the plan's own time, whatever the clock was
// when it was done last.
func firstDue(p plan, now time.Time) time.Time {
	wait := p.every - now.Sub(p.last)
	return now.Add(min(max(wait, 0), p.every))
}

// nextDue returns the task that is due for the longest, if one is and is not
// running.
func nextDue(tasks map[string]*task, now time.Time) (id string, ok bool) {
	for candidate, t := range tasks {
		if t.running || t.due.After(now) {
			continue
		}
		if !ok || t.due.Before(tasks[id].due) || t.due.Equal(tasks[id].due) && candidate < id {
			id, ok = candidate, true
		}
	}
	return id, ok
}

// longest is how long a schedule sleeps when there is nothing to do.
const longest = time.Hour

// untilDue returns how long it is until the next task is due that does not run.
// What is due already waits for one that does.
func untilDue(tasks map[string]*task, now time.Time) time.Duration {
	wait := longest
	for _, t := range tasks {
		if left := t.due.Sub(now); !t.running && left > 0 {
			wait = min(wait, left)
		}
	}
	return wait
}
