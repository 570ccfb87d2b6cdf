package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// replay asks for the events from start until now.
func (o *tenant) replay(start time.Time) { o.Helper(); o.replayUntil(start, time.Now()) }

func (o *tenant) replayUntil(start, end time.Time) {
	o.Helper()
	if err := o.tryReplay(start, end); err != nil {
		o.Fatal(err)
	}
}

func (o *tenant) tryReplay(start, end time.Time) error {
	_, err := o.registry.StartReplayJob(o.Context(), o.scope(), start, end, o.journal.Retention())
	return err
}

// awaitReplay waits until the job is so far.
func (o *tenant) awaitReplay(want registry.ReplayStatus) registry.ReplayJob {
	o.Helper()
	limit := time.After(patience)
	for {
		changed := o.registry.ReplayJobsChanged()
		job, err := o.registry.ReplayJob(o.scope())
		if err != nil {
			o.Fatal(err)
		}
		if job.Status == want {
			return job
		}
		if job.Status.Final() {
			o.Fatalf("the job is %s: %s", job.Status, job.Reason)
		}
		select {
		case <-changed:
		case <-limit:
			o.Fatalf("still waiting for %s; the job is %+v", want, job)
		}
	}
}

// deliverTo has n events recorded and delivered, and then the webhook at another
// receiver, to which a replay is going to be sent.
func (o *tenant) deliverTo(live, replayed *receiver, n int) (since time.Time) {
	o.Helper()
	since = time.Now()
	o.sendTo(live)
	o.record(n)
	live.awaitEvents(1, n)
	o.awaitStatus(Active)
	if replayed != nil {
		destination := o.destination(replayed.URL, audit.CEF, "key")
		o.change(registry.WebhookChange{DestinationID: &destination})
	}
	return since
}

func lines(requests []received) (lines []string) {
	for _, r := range requests {
		lines = append(lines, r.lines...)
	}
	return lines
}

func TestAReplaySendsTheEventsOfItsTimeAsTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			r := receive(t, taking(200))
			org := start(t, t.TempDir()).organization()
			destination, enabled := org.destination(r.URL, format, "key"), true
			org.change(registry.WebhookChange{DestinationID: &destination, Enabled: &enabled})
			org.record(3)
			from := time.Now()
			for range 30 {
				org.record(1)
			}
			org.record(MaxBatchEvents)
			org.recordAs(20, strings.Repeat("x", MaxBatchBytes/10))
			to := time.Now()
			org.record(3)
			live := r.awaitEvents(1, org.recorded)
			want := lines(live)[3 : org.recorded-3]

			org.replayUntil(from, to)
			job := org.awaitReplay(registry.ReplayCompleted)
			if n := uint64(len(want)); job.Events != n || job.Sent != n || job.StartedAt.IsZero() {
				t.Errorf("the job: %+v, want %d events", job, n)
			}
			again, _ := r.all()
			again = again[len(live):]
			if !slices.Equal(lines(again), want) {
				t.Errorf("%d lines were replayed, not the %d that were delivered, or not as the same bytes", len(lines(again)), len(want))
			}
			for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "User-Agent"} {
				if diff := cmp.Diff(live[0].header.Values(name), again[0].header.Values(name)); diff != "" {
					t.Errorf("%s (-live +replayed):\n%s", name, diff)
				}
			}
		})
	}
}

func TestAReplayOfATimeWithoutEventsIsCompletedAtOnce(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	since := time.Now().Add(-time.Hour)
	org.sendTo(r)
	org.replay(since)
	if job := org.awaitReplay(registry.ReplayCompleted); job.Events != 0 || !job.Counted() {
		t.Errorf("the job: %+v", job)
	}
	if requests, _ := r.all(); len(requests) > 0 {
		t.Errorf("%d requests", len(requests))
	}
}

func TestAReplayGoesOnFromItsPositionAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live := receive(t, taking(200))
	p := start(t, dir)
	org := p.organization()
	replayed := receive(t, func(n int) int {
		if n == 2 {
			p.cancel() // the process ends, and what it was at is not held against the endpoint
			return 503
		}
		return 200
	})
	since := org.deliverTo(live, replayed, 2*MaxBatchEvents+500)
	org.replay(since)
	<-p.ended
	p.stop()

	org = org.after(start(t, dir))
	job := org.awaitReplay(registry.ReplayCompleted)
	if job.Sent != job.Events || job.Events != uint64(org.recorded) {
		t.Errorf("the job: %+v", job)
	}
	requests := replayed.awaitEvents(1, org.recorded)
	if diff := cmp.Diff([]int{MaxBatchEvents, MaxBatchEvents, MaxBatchEvents, 500}, sizes(requests)); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
	replayed.checkRepeats(requests)
}

func TestAReplayFailsWithTheReasonAfterItsOwnRetriesAndTheLiveDeliveryGoesOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status, requests int
		reason           string
	}{
		{401, 2, "the endpoint answered 401 Unauthorized"},
		{503, 6, "the endpoint answered 503 Service Unavailable"}, // with four retries
	} {
		t.Run(test.reason, func(t *testing.T) {
			t.Parallel()
			live := receive(t, taking(200))
			org := start(t, t.TempDir()).organization()
			replayed := receive(t, func(n int) int {
				if n == 1 || n > test.requests {
					return 200
				}
				return test.status
			})
			since := org.deliverTo(live, replayed, MaxBatchEvents+5)
			before := org.status()
			org.replay(since)
			job := org.awaitReplay(registry.ReplayFailed)
			if job.Reason != test.reason || job.Sent != MaxBatchEvents || job.Events != MaxBatchEvents+5 {
				t.Errorf("the job: %+v", job)
			}
			if requests, _ := replayed.all(); len(requests) != test.requests {
				t.Errorf("%d requests, want %d", len(requests), test.requests)
			}
			// What live delivery has sent is counted batch by batch, some of it since.
			after := org.status()
			after.Sent, before.Sent = 0, 0
			if after != before {
				t.Errorf("the webhook's status is %+v, before the replay %+v", after, before)
			}

			org.replay(since) // the next one may come, and begins at the beginning
			if job := org.awaitReplay(registry.ReplayCompleted); job.Sent != MaxBatchEvents+5 || job.Reason != "" {
				t.Errorf("the next job: %+v", job)
			}
		})
	}
}

func TestAReplayRunsBesideTheLiveDeliveryAndOneAtATime(t *testing.T) {
	t.Parallel()
	live := receive(t, taking(200))
	hanging, release := hang(t, 200)
	org := start(t, t.TempDir()).organization()
	since := org.deliverTo(live, hanging.receiver, 3)
	org.replay(since)
	<-hanging.begun
	if err := org.tryReplay(since, time.Now()); !errors.Is(err, registry.ErrReplayRunning) {
		t.Errorf("a second job beside the first: %v", err)
	}
	// The live delivery has another destination by now, and need not wait.
	destination := org.destination(live.URL, audit.CEF, "")
	org.change(registry.WebhookChange{DestinationID: &destination})
	org.record(1)
	live.awaitEvents(1, 4)
	release()
	org.awaitReplay(registry.ReplayCompleted)
	if err := org.tryReplay(since, time.Now()); err != nil {
		t.Errorf("a job after the first: %v", err)
	}
	org.awaitReplay(registry.ReplayCompleted)
}

func TestAReplayFailsWhenItsWebhookIsNoMore(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for name, test := range map[string]struct {
		change func(*tenant)
		reason string
	}{
		"disabled": {func(o *tenant) { o.enable(false) }, "the webhook was disabled"},
		"deleted":  {func(o *tenant) { o.deleteWebhook() }, "the webhook was deleted"},
		"set up anew": {func(o *tenant) {
			destination, enabled := o.destination("http://127.0.0.1:1", audit.CEF, ""), true
			o.deleteWebhook()
			o.change(registry.WebhookChange{DestinationID: &destination, Enabled: &enabled})
		}, "the webhook was deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := receive(t, taking(200))
			org := p.organization()
			change := sync.OnceFunc(func() { test.change(org) })
			replayed := receive(t, func(int) int { change(); return 503 })
			since := org.deliverTo(live, replayed, 3)
			org.replay(since)
			if job := org.awaitReplay(registry.ReplayFailed); job.Reason != test.reason || job.Sent != 0 {
				t.Errorf("the job: %+v", job)
			}
			if requests, _ := replayed.all(); len(requests) != 1 {
				t.Errorf("%d requests", len(requests))
			}
		})
	}
}

func TestAReplayFollowsTheWebhookToAnotherDestination(t *testing.T) {
	t.Parallel()
	live := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	next := receive(t, taking(200))
	left := receive(t, func(int) int {
		destination := org.destination(next.URL, audit.CEF, "")
		org.change(registry.WebhookChange{DestinationID: &destination})
		return 503
	})
	since := org.deliverTo(live, left, 3)
	org.replay(since)
	org.awaitReplay(registry.ReplayCompleted)
	next.awaitEvents(1, 3)
}

func TestAReplayHalvesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	live := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	replayed := receive(t, func(n int) int {
		if n <= 2 {
			return 413
		}
		return 200
	})
	since := org.deliverTo(live, replayed, 8)
	org.replay(since)
	org.awaitReplay(registry.ReplayCompleted)
	if got := sizes(replayed.awaitEvents(1, 8))[:3]; !slices.Equal(got, []int{8, 4, 2}) {
		t.Errorf("events in the first requests: %v", got)
	}
}

func TestOfTwoProcessesOneRunsAReplay(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), shared)
	p.alongside("process/2")
	limit := time.Now().Add(patience)
	for first, second := false, false; !first || !second; {
		if time.Now().After(limit) {
			t.Fatal("the same process ran every job")
		}
		r := receive(t, taking(200))
		org := p.organization()
		since := org.deliverTo(r, nil, 3)
		delivered, _ := r.all()
		org.replay(since)
		org.awaitReplay(registry.ReplayCompleted)
		requests, _ := r.all()
		requests = requests[len(delivered):]
		if len(lines(requests)) != 3 {
			t.Fatalf("%d lines, want 3, each once", len(lines(requests)))
		}
		count := senders(requests)
		first, second = first || count["process/1"] > 0, second || count["process/2"] > 0
	}
}

func TestAReplayWhoseProcessDiesGoesOnInAnotherFromWhatIsSaved(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), shared)
	org := p.organization()
	ctx, die := context.WithCancel(t.Context())
	hanging := make(chan struct{})
	replayed := receive(t, func(n int) int {
		if n == 2 { // taken, but the process that sent it never knows
			die()
			<-hanging
		}
		return 200
	})
	since := org.deliverTo(receive(t, taking(200)), replayed, 3*MaxBatchEvents+500)
	p.cancel()
	<-p.ended // the only process has given everything back

	// The one that dies has all shards, and never gives one back.
	dying := p.another("process/dying")
	defer dying.Close()
	if err := dying.shards.beat(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for n := range shardCount {
		dying.shards.claim(t.Context(), n)
	}
	org.replay(since)
	dead := dying.startReplays(ctx)
	dead()
	job, err := org.registry.ReplayJob(org.scope())
	if err != nil || job.Status != registry.ReplayRunning || job.Sent != MaxBatchEvents {
		t.Fatalf("at the death of the process: %+v, %v", job, err)
	}
	close(hanging)
	replayed.awaitRequests(2)

	// The other has seen no beat for long.
	next := p.another("process/next")
	defer next.Close()
	next.shards.living(t.Context())
	last := next.shards.seen[dying.shards.id]
	last.at = last.at.Add(-deadAfter)
	next.shards.seen[dying.shards.id] = last
	living, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); next.Run(living) }()
	defer func() { stop(); <-ended }()

	job = org.awaitReplay(registry.ReplayCompleted)
	if job.Sent != job.Events || job.Events != uint64(org.recorded) {
		t.Errorf("the job: %+v", job)
	}
	requests := replayed.awaitEvents(1, org.recorded)
	if diff := cmp.Diff([]int{MaxBatchEvents, MaxBatchEvents, MaxBatchEvents, MaxBatchEvents, 500}, sizes(requests)); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
	if !slices.Equal(requests[1].lines, requests[2].lines) {
		t.Error("what is sent again is not what was on its way")
	}
	if diff := cmp.Diff(map[string]int{"process/dying": 2, "process/next": 3}, senders(requests)); diff != "" {
		t.Errorf("requests of each process (-want +got):\n%s", diff)
	}
}
