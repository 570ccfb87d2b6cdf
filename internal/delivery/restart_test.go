package delivery

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARestartInTheMiddleOfABacklogLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var refusing atomic.Bool
	r := receive(t, func(n int) int {
		if n > 1 && refusing.Load() {
			return 400
		}
		return 200
	})
	refusing.Store(true)
	p := start(t, dir)
	org := p.organization()
	org.backlog(r, func() {
		for range 3 {
			org.record(MaxBatchEvents)
		}
	})
	org.awaitStatus(Inactive)
	p.stop()
	r.awaitEvents(1, MaxBatchEvents)

	refusing.Store(false)
	org = org.after(start(t, dir))
	org.record(1)
	r.checkRepeats(r.awaitEvents(1, 3*MaxBatchEvents+1))
	org.awaitStatus(Active)
}

func TestRestartsWhileEventsFlowLoseNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := receive(t, taking(200))
	p := start(t, dir)
	org := p.organization()
	org.sendTo(r)
	for range 5 {
		for range 10 {
			org.record(20)
		}
		p.stop()
		p = start(t, dir)
		org = org.after(p)
	}
	r.checkRepeats(r.awaitEvents(1, org.recorded))
}

func TestTheStatusOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := receive(t, taking(200))
	p := start(t, dir)
	org := p.organization()
	org.sendTo(r)
	org.record(1)
	org.awaitStatus(Active)
	before := org.status()
	p.stop()
	if after := org.after(start(t, dir)).status(); after != before {
		t.Errorf("status %+v, before the restart %+v", after, before)
	}
}

func TestRunReturnsAfterAGraceWhileAReceiverHangsAndTheBatchGoesOutAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, release := hang(t, 200)
	p := start(t, dir)
	org := p.organization()
	org.sendTo(r.receiver)
	org.record(3)
	<-r.begun
	p.endsWithin(shutdownGrace + 7*time.Second) // the client would wait for 15 seconds, five times
	if got := org.status(); got != (Status{Webhook: Active}) {
		t.Errorf("the end of the process was held against the endpoint: %+v", got)
	}
	p.stop()
	release()
	r.awaitRequests(1)

	start(t, dir)
	r.checkRepeats(r.awaitRequests(2))
}

func TestARequestThatIsAnsweredWithinTheGraceIsNotSentAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, release := hang(t, 200)
	p := start(t, dir)
	org := p.organization()
	org.sendTo(r.receiver)
	org.record(3)
	<-r.begun
	p.cancel()
	release()
	<-p.ended
	p.stop()

	org = org.after(start(t, dir))
	org.record(1)
	if diff := cmp.Diff([]int{3, 1}, sizes(r.awaitEvents(1, 4))); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

func TestAnEndingProcessDoesNotRetry(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	r := receive(t, func(int) int {
		p.cancel()
		return 503 // retried after a second, which is within the grace
	})
	org := p.organization()
	org.sendTo(r)
	org.record(1)
	<-p.ended
	if requests, _ := r.all(); len(requests) != 1 {
		t.Errorf("%d requests", len(requests))
	}
}

func TestRunReturnsWhileAWebhookPausesOrHasNothingToDo(t *testing.T) {
	t.Parallel()
	r, idle := receive(t, taking(400)), receive(t, taking(200))
	p := start(t, t.TempDir())
	org, other := p.organization(), p.organization()
	org.sendTo(r)
	other.sendTo(idle)
	org.record(1)
	org.awaitStatus(Inactive)
	p.endsWithin(patience)
}
