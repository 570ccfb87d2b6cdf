package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/registry"
)

// replayTo has n events delivered live, and then replayed to another receiver
// until the job is as wanted. It returns the job and the requests of the replay.
func (o *tenant) replayTo(replayed *receiver, n int, want registry.ReplayStatus) (registry.ReplayJob, []received) {
	o.Helper()
	since := o.deliverTo(receive(o.T, taking(200)), replayed, n)
	o.replay(since)
	job := o.awaitReplay(want)
	requests, _ := replayed.all()
	return job, requests
}

func tens(o *Options) { o.MaxEvents = 10 }

func TestAReplayGoesOnBeyondLinesThatAreRefusedWhileOthersPass(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), tens)
	for _, test := range []struct {
		status int
		bad    []int
	}{
		{400, []int{1}},
		{422, []int{17}},
		{413, []int{44}},
		{400, []int{50}},
		{400, []int{9, 10, 11, 12, 40}}, // some of them of another batch
		{400, []int{41, 51}},            // the last one in a batch of its own
		{422, without(1, 30)},           // more than a batch
		{400, without(45, 51)},
	} {
		t.Run(fmt.Sprint(test.status, test.bad), func(t *testing.T) {
			r := judged(t, poisoned(test.status, test.bad...))
			org := p.organization()
			job, requests := org.replayTo(r, 51, registry.ReplayCompleted)
			if diff := cmp.Diff(without(1, 51, test.bad...), taken(requests)); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
			if bad := uint64(len(test.bad)); job.Refused != bad || job.Sent != 51-bad || job.Events != 51 {
				t.Errorf("the job: %+v", job)
			}
			if got := org.aside(); len(got) > 0 {
				t.Errorf("the replay has set aside %v", got)
			}
			r.checkRepeats(requests)
		})
	}
}

func TestAReplayFailsWhenTheEndpointRefusesEveryLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events     int
		judge      func(received) int
		sent, most int
		reason     string
	}{
		"one":   {1, func(received) int { return 400 }, 0, 1, "the endpoint answered 400 Bad Request"},
		"few":   {3, func(received) int { return 422 }, 0, 5, "the endpoint answered 422 Unprocessable Entity to each of 3 lines in a row, sent alone"},
		"many":  {2000, func(received) int { return 400 }, 0, 80, "the endpoint answered 400 Bad Request to each of 64 lines in a row, sent alone"},
		"large": {2000, func(received) int { return 413 }, 0, 80, "the endpoint answered 413 Request Entity Too Large to each of 64 lines in a row, sent alone"},
		"from the middle on": {1010, poisoned(400, without(1001, 1010)...), 1000, 20,
			"the endpoint answered 400 Bad Request to each of 10 lines in a row, sent alone"},
		"and other reasons": {1000, func(got received) int {
			if len(got.events) > 100 {
				return 400
			}
			return 403
		}, 0, 5, "the endpoint answered 403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job, requests := start(t, t.TempDir()).organization().replayTo(judged(t, test.judge), test.events, registry.ReplayFailed)
			if job.Reason != test.reason || job.Refused != 0 || job.Sent != uint64(test.sent) {
				t.Errorf("the job: %+v", job)
			}
			if len(requests) > test.most {
				t.Errorf("%d requests, more than %d", len(requests), test.most)
			}
		})
	}
}

func TestALineThatIsSetAsideDoesNotFailAReplayAndIsNotSetAsideAgain(t *testing.T) {
	t.Parallel()
	r := judged(t, poisoned(400, 5))
	org := start(t, t.TempDir()).organization()
	since := time.Now()
	org.backlog(r, func() { org.record(20) })
	org.awaitDone()
	live, _ := r.all()
	org.replay(since)
	job := org.awaitReplay(registry.ReplayCompleted)
	if job.Sent != 19 || job.Refused != 1 {
		t.Errorf("the job: %+v", job)
	}
	if got := org.aside(); !slices.Equal(got, []int{5}) || org.status().SetAside != 1 {
		t.Errorf("set aside are %v, status %+v", got, org.status())
	}
	requests, _ := r.all()
	if diff := cmp.Diff(without(1, 20, 5), taken(requests[len(live):])); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
}

func TestAReplayToAnEndpointThatTakesLittleAtOnceIsNotRefusedForEachBatch(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	r := judged(t, func(got received) int {
		if got.textBytes() > limit {
			return 413
		}
		return 200
	})
	_, requests := start(t, t.TempDir()).organization().replayTo(r, 3000, registry.ReplayCompleted)
	tooLarge := slices.DeleteFunc(slices.Clone(requests), func(got received) bool { return got.status == 200 })
	if len(tooLarge) > 8 {
		t.Errorf("%d of %d requests were too large", len(tooLarge), len(requests))
	}
	if diff := cmp.Diff(without(1, 3000), taken(requests)); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

func TestAReplayGathersByTheLimitsThatAreSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limits func(*Options)
		fits   func(received) bool
	}{
		{func(o *Options) { o.MaxEvents = 7 }, func(got received) bool { return len(got.lines) == 7 }},
		{func(o *Options) { o.MaxBytes = 2000 }, func(got received) bool { return got.textBytes() > 1000 && got.textBytes() <= 2000 }},
	} {
		_, requests := start(t, t.TempDir(), test.limits).organization().replayTo(receive(t, taking(200)), 35, registry.ReplayCompleted)
		if got := taken(requests); len(got) != 35 {
			t.Errorf("taken were %v", got)
		}
		for n, got := range requests[:len(requests)-1] { // the last one is what is left
			if !test.fits(got) {
				t.Errorf("request %d has %d lines, %d bytes", n+1, len(got.lines), got.textBytes())
			}
		}
	}
}

func TestAReplayCarriesTheSameBytesThoughTheKeyWasRotated(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), tens)
	org := p.organization()
	live, again := receive(t, taking(200)), receive(t, taking(200))
	since := org.deliverTo(live, again, 20)
	made, err := p.registry.RotateSigningKey(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	org.replay(since)
	org.awaitReplay(registry.ReplayCompleted)
	first := live.awaitEvents(1, 20)
	again.checkRepeats(slices.Concat(first, again.awaitEvents(1, 20)))
	keys, err := p.registry.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	if _, kid := keys.Verify([]byte(first[0].lines[0])); kid == "" || kid == made.KeyID {
		t.Errorf("the lines are signed with %q", kid)
	}
}

func TestReplayJobsAreCounted(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), tens)
	p.organization().replayTo(judged(t, poisoned(400, 3)), 12, registry.ReplayCompleted)
	p.organization().replayTo(receive(t, taking(401)), 12, registry.ReplayFailed)
	p.cancel()
	<-p.ended
	for series, want := range map[string]float64{
		`trailhook_replay_jobs_total completed`: 1, `trailhook_replay_jobs_total failed`: 1,
		`trailhook_replay_events_total taken`: 11, `trailhook_replay_events_total refused`: 1,
	} {
		name, label, _ := strings.Cut(series, " ")
		if got := p.counted(name, label); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// counted returns a counter of one label.
func (p *platform) counted(name, label string) float64 {
	p.Helper()
	families, err := p.manager.Metrics.(prometheus.Gatherer).Gather()
	if err != nil {
		p.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && metric.GetLabel()[0].GetValue() == label {
				return metric.GetCounter().GetValue()
			}
		}
	}
	p.Fatalf("there is no %s %s", name, label)
	return 0
}
