package delivery

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func TestLinesThatAreRefusedWhileOthersPassAreSetAsideAndTheRestGoesOnInOrder(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon)
	for _, test := range []struct {
		status int
		events int
		bad    []int
	}{
		{400, 1000, []int{1}},
		{422, 1000, []int{500}},
		{400, 1000, []int{1000}},
		{400, 1000, []int{17, 18, 19, 400, 999}},
		{422, 10, []int{1, 3, 5, 7, 9}},
		{413, 10, []int{4}},
		{400, 40, without(1, 20)}, // more in a row than the first try looks at
	} {
		t.Run(fmt.Sprint(test.status, test.bad), func(t *testing.T) {
			r := judged(t, poisoned(test.status, test.bad...))
			org := p.organization()
			org.backlog(r, func() { org.record(test.events) })
			org.awaitDone()
			requests, _ := r.all()
			if diff := cmp.Diff(without(1, test.events, test.bad...), taken(requests)); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.bad, org.aside()); diff != "" {
				t.Errorf("set aside (-want +got):\n%s", diff)
			}
			if got := org.status(); got.SetAside != uint64(len(test.bad)) || got.Webhook != Active {
				t.Errorf("status %+v", got)
			}
			if most := 60 + 25*len(test.bad); len(requests) > most {
				t.Errorf("%d requests, more than %d", len(requests), most)
			}
			r.checkRepeats(requests)
		})
	}
}

func TestAnEndpointThatRefusesEverythingIsHeldAndNothingIsSetAside(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 413, 422} {
		r := receive(t, taking(status))
		org := start(t, t.TempDir()).organization()
		org.backlog(r, func() { org.record(MaxBatchEvents) })
		org.awaitStatus(Inactive)
		requests, _ := r.all()
		if len(requests) > 20 {
			t.Errorf("%d: %d requests", status, len(requests))
		}
		if got := org.aside(); len(got) > 0 || org.status().LastCode != status {
			t.Errorf("%d: set aside were %v, status %+v", status, got, org.status())
		}
	}
}

func TestAnEndpointThatBeginsToRefuseEverythingInTheMiddleIsHeldAndNothingIsSetAside(t *testing.T) {
	t.Parallel()
	var refusing atomic.Bool
	r := judged(t, func(got received) int {
		switch {
		case len(got.events) > 100:
			return 400 // so that it is narrowed
		case refusing.Load() || slices.Contains(got.events, 300):
			refusing.Store(true)
			return 400
		}
		return 200
	})
	org := start(t, t.TempDir()).organization()
	org.backlog(r, func() { org.record(1000) })
	org.awaitStatus(Inactive)
	if got := org.aside(); len(got) > 0 {
		t.Errorf("set aside were %v", got)
	}
}

func TestALoneLineThatIsRefusedWaitsForAnotherToTellThatItIsTheLine(t *testing.T) {
	t.Parallel()
	r := judged(t, poisoned(400, 3))
	org := start(t, t.TempDir(), soon).organization()
	org.sendTo(r)
	org.record(2)
	r.awaitEvents(1, 2)
	org.record(1)
	org.awaitStatus(Inactive)
	if got := org.aside(); len(got) > 0 {
		t.Errorf("set aside were %v before another line passed", got)
	}
	org.record(1)
	org.awaitDone()
	if got := org.aside(); !slices.Equal(got, []int{3}) {
		t.Errorf("set aside were %v", got)
	}
	org.awaitStatus(Active)
}

func TestABatchThatIsTooLargeIsHalvedAndTheNextOnesAreAsSmall(t *testing.T) {
	t.Parallel()
	const limit = 60_000
	r := judged(t, func(got received) int {
		if got.textBytes() > limit {
			return 413
		}
		return 200
	})
	org := start(t, t.TempDir(), soon).organization()
	org.backlog(r, func() {
		org.record(2000)
		org.recordAs(1, strings.Repeat("x", limit))
		org.record(50)
	})
	org.awaitDone()
	requests, _ := r.all()
	if diff := cmp.Diff(without(1, 2051, 2001), taken(requests)); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if got := org.aside(); !slices.Equal(got, []int{2001}) {
		t.Errorf("set aside were %v", got)
	}
	refused := 0
	for _, request := range requests {
		if request.status == 413 {
			refused++
		}
	}
	if refused > 20 {
		t.Errorf("%d of %d requests were too large", refused, len(requests))
	}
}

func TestTheNextBatchIsSignedWhileOneIsOnItsWayAndLeavesAfterIt(t *testing.T) {
	t.Parallel()
	r, release := hang(t, 200)
	org := start(t, t.TempDir()).organization()
	org.backlog(r.receiver, func() { org.record(2 * MaxBatchEvents) })
	<-r.begun
	if requests, _ := r.all(); len(requests) > 0 {
		t.Error("a request was answered")
	}
	org.record(MaxBatchEvents / 2)
	release()
	if diff := cmp.Diff([]int{1000, 1000, 500}, sizes(r.awaitEvents(1, org.recorded))); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

func TestABatchMadeAheadIsMadeAnewWhenTheDestinationChanges(t *testing.T) {
	t.Parallel()
	first, release := hang(t, 200)
	second := receive(t, taking(200))
	p := start(t, t.TempDir())
	org := p.organization()
	org.backlog(first.receiver, func() { org.record(2 * MaxBatchEvents) })
	<-first.begun
	org.sendTo(second)
	release()
	second.awaitEvents(MaxBatchEvents+1, 2*MaxBatchEvents)
	if requests, _ := first.all(); len(requests) != 1 {
		t.Errorf("%d requests to the former destination", len(requests))
	}
}

func TestALineIsSignedWithTheKeyOfItsTimeHoweverLateItIsSent(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	p := start(t, t.TempDir())
	org := p.organization()
	before := p.registry.SigningKeyID()
	var after string
	org.backlog(r, func() {
		org.record(10)
		made, err := p.registry.RotateSigningKey(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		after = made.KeyID
		org.record(10)
	})
	keys, err := p.registry.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, request := range r.awaitEvents(1, 20) {
		for _, line := range request.lines {
			want := before
			if at >= 10 {
				want = after
			}
			if verdict, kid := keys.Verify([]byte(line)); verdict != audit.Valid || kid != want {
				t.Errorf("line %d is %s, signed with %s; want %s", at, verdict, kid, want)
			}
			at++
		}
	}
}

func TestAFullBatchDoesNotWaitForMore(t *testing.T) {
	t.Parallel()
	for _, limits := range []func(*Options){
		func(o *Options) { o.MaxEvents, o.MaxWait = 10, never },
		func(o *Options) { o.MaxBytes, o.MaxWait = 500, never },
	} {
		r := receive(t, taking(200))
		org := start(t, t.TempDir(), limits).organization()
		org.sendTo(r)
		org.record(10)
		r.awaitRequests(1)
	}
}

func TestTheLimitsAndTheEncodingOfABatchCanBeSet(t *testing.T) {
	t.Parallel()
	for encoding, want := range map[string]string{"": "gzip", Gzip: "gzip", ApplicationGzip: "application/gzip"} {
		r := receive(t, taking(200))
		org := start(t, t.TempDir(), func(o *Options) {
			o.ContentEncoding, o.MaxEvents, o.MaxWait = encoding, 4, time.Millisecond
		}).organization()
		org.backlog(r, func() { org.record(8) })
		requests := r.awaitEvents(1, 8)
		if got := requests[0].header.Get("Content-Encoding"); got != want {
			t.Errorf("%q: Content-Encoding %q", encoding, got)
		}
		if diff := cmp.Diff([]int{4, 4}, sizes(requests)); diff != "" {
			t.Errorf("events in each request (-want +got):\n%s", diff)
		}
	}
	plain := start(t, t.TempDir(), func(o *Options) { o.ContentEncoding = Identity })
	org := plain.organization()
	org.backlog(receive(t, taking(200)), func() {})
	made, sent, err := plain.manager.request(org.webhook(), entries(1, 2))
	if err != nil || sent != 2 || !strings.Contains(string(made.Body), " konghq.com CEF:0|") || made.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d lines, %v: %v %q", sent, err, made.Header, made.Body)
	}
}
