package jobs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJobsAreCountedByStateAndTimedWhileTheyRun(t *testing.T) {
	store := &gatedStore{records: 1, gate: make(chan struct{})}
	within(t, store, Limits{AtOnce: 2}, func(t *testing.T, js *Jobs) {
		ended := make(chan time.Duration, 3)
		js.Watch(func(ran time.Duration) { ended <- ran })
		jobs := []*Job{begin(t, js, "a", "*"), begin(t, js, "a", "*"), begin(t, js, "a", "*")}
		if diff := cmp.Diff(map[State]int{NotStarted: 1, Gathering: 2, Done: 0, Cancelled: 0}, js.Count()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Minute) // of the bubble
		jobs[0].Cancel()
		store.gate <- struct{}{}
		synctest.Wait()
		if diff := cmp.Diff(map[State]int{NotStarted: 0, Gathering: 1, Done: 1, Cancelled: 1}, js.Count()); diff != "" {
			t.Error(diff)
		}
		store.gate <- struct{}{}
		times := []time.Duration{<-ended, <-ended, <-ended}
		slices.Sort(times)
		if diff := cmp.Diff([]time.Duration{0, time.Minute, time.Minute}, times); diff != "" {
			t.Error(diff)
		}
	})
}
