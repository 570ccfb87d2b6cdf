package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

var nine = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// gatedStore gives its records one after the other, each when the gate lets it
// through. It stands for an engine whose time the test decides.
type gatedStore struct {
	search.Store
	records int
	gate    chan struct{} // nil: always open
	err     error         // after the records
}

func (s *gatedStore) Search(ctx context.Context, _ search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		for i := range s.records {
			if s.gate != nil {
				select {
				case <-s.gate:
				case <-ctx.Done():
					yield(search.Record{}, ctx.Err())
					return
				}
			}
			r := search.Record{Time: nine.Add(-time.Duration(i) * time.Minute), Receipt: nine, Raw: fmt.Sprintf("line %d", i)}
			if !yield(r, nil) {
				return
			}
		}
		if s.err != nil {
			yield(search.Record{}, s.err)
		}
	}
}

func (s *gatedStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return search.GroupRecords(g, s.Search(ctx, g.Request))
}

func asked(t *testing.T, query string) search.Search {
	t.Helper()
	q, err := search.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return search.Search{Query: q, Setting: search.Setting{From: nine.Add(-time.Hour), To: nine.Add(time.Second), Now: nine}}
}

// within runs a test in a bubble, where time passes when nothing else does.
func within(t *testing.T, store *gatedStore, limits Limits, test func(t *testing.T, js *Jobs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if store.gate != nil {
			store.gate = make(chan struct{}) // of the bubble
		}
		js := New(store, limits, slog.New(slog.DiscardHandler))
		defer js.Close()
		test(t, js)
	})
}

func begin(t *testing.T, js *Jobs, owner, query string) *Job {
	t.Helper()
	job, err := js.Start(owner, asked(t, query))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return job
}

func expect(t *testing.T, job *Job, state State, messages int) {
	t.Helper()
	synctest.Wait()
	if s := job.Status(); s.State != state || s.Messages != messages {
		t.Fatalf("%s with %d messages, want %s with %d (%v)", s.State, s.Messages, state, messages, s.Errors)
	}
}

func TestAJobGathersUntilItIsDone(t *testing.T) {
	store := &gatedStore{records: 3, gate: make(chan struct{})}
	within(t, store, Limits{}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "*")
		expect(t, job, Gathering, 0)
		store.gate <- struct{}{}
		expect(t, job, Gathering, 1)
		if found := job.Messages(0, 10); len(found) != 1 || found[0].Raw != "line 0" {
			t.Errorf("while it runs: %v", found)
		}
		close(store.gate)
		expect(t, job, Done, 3)
		if found := job.Messages(1, 1); len(found) != 1 || found[0].Raw != "line 1" {
			t.Errorf("a page: %v", found)
		}
		if found := job.Messages(3, 10); len(found) != 0 {
			t.Errorf("beyond the end: %v", found)
		}
		histogram := job.Status().Histogram
		// Slices of a minute would be more than 60.
		want := []Bucket{{nine.Add(-5 * time.Minute), 5 * time.Minute, 2}, {nine, 5 * time.Minute, 1}}
		if diff := cmp.Diff(want, histogram); diff != "" {
			t.Error(diff)
		}
	})
}

func TestATableComesWithTheMessagesThatItIsMadeFrom(t *testing.T) {
	within(t, &gatedStore{records: 3}, Limits{}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "* | count")
		expect(t, job, Done, 3)
		if rows := job.Rows(0, 10); len(rows) != 1 || rows[0][0].String() != "3" || job.Status().Records != 1 {
			t.Errorf("rows: %v", rows)
		}
		if found := job.Messages(0, 10); len(found) != 3 {
			t.Errorf("%d messages", len(found))
		}
	})
}

func TestJobsBeyondThoseThatRunAtOnceWaitForTheirTurn(t *testing.T) {
	store := &gatedStore{records: 1, gate: make(chan struct{})}
	within(t, store, Limits{AtOnce: 2}, func(t *testing.T, js *Jobs) {
		var all []*Job
		for range 4 {
			all = append(all, begin(t, js, "a", "*"))
		}
		for i, state := range []State{Gathering, Gathering, NotStarted, NotStarted} {
			expect(t, all[i], state, 0)
		}
		all[2].Cancel() // it never runs
		all[0].Cancel()
		for i, state := range []State{Cancelled, Gathering, Cancelled, Gathering} {
			expect(t, all[i], state, 0)
		}
		close(store.gate)
		expect(t, all[1], Done, 1)
		expect(t, all[3], Done, 1)
	})
}

func TestACancelledJobDropsItsResultsAndStaysCancelled(t *testing.T) {
	store := &gatedStore{records: 2, gate: make(chan struct{})}
	within(t, store, Limits{}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "*")
		store.gate <- struct{}{}
		expect(t, job, Gathering, 1)
		job.Cancel()
		expect(t, job, Cancelled, 1)
		if len(job.Messages(0, 10)) != 0 || js.held.Load() != 0 || len(job.Status().Errors) != 0 {
			t.Errorf("%d bytes are held, errors %v", js.held.Load(), job.Status().Errors)
		}
		job.Cancel()
		if js.held.Load() != 0 {
			t.Errorf("after a second time: %d bytes", js.held.Load())
		}
	})
}

func TestAJobThatNobodyLooksAtIsForgotten(t *testing.T) {
	store := &gatedStore{records: 1, gate: make(chan struct{})}
	within(t, store, Limits{Idle: time.Minute}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "*")
		for range 5 {
			time.Sleep(59 * time.Second)
			if _, ok := js.Job(job.ID); !ok {
				t.Fatal("forgotten although somebody looked")
			}
		}
		expect(t, job, Gathering, 0)
		time.Sleep(61 * time.Second)
		if _, ok := js.Job(job.ID); ok {
			t.Fatal("still there")
		}
		expect(t, job, Cancelled, 0)
	})
}

func TestAJobThatTakesTooLongSaysSo(t *testing.T) {
	store := &gatedStore{records: 2, gate: make(chan struct{})}
	within(t, store, Limits{Time: time.Minute}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "*")
		time.Sleep(time.Minute)
		expect(t, job, Cancelled, 0)
		if got := job.Status().Errors; len(got) != 1 || !strings.Contains(got[0], "longer than it may") {
			t.Errorf("errors: %v", got)
		}
	})
}

func TestAnOwnerHasSoManyJobs(t *testing.T) {
	within(t, &gatedStore{records: 1}, Limits{PerOwner: 2}, func(t *testing.T, js *Jobs) {
		first := begin(t, js, "a", "*")
		begin(t, js, "a", "*")
		if _, err := js.Start("a", asked(t, "*")); !errors.Is(err, ErrTooMany) {
			t.Fatalf("a third: %v", err)
		}
		begin(t, js, "b", "*")
		first.Cancel()
		begin(t, js, "a", "*") // in the place of the cancelled one
		if _, ok := js.Job(first.ID); ok {
			t.Error("the cancelled one is there still")
		}
	})
}

func TestMessagesThatAreNotKeptAreCountedAndTold(t *testing.T) {
	for name, limits := range map[string]Limits{
		"messages": {Messages: 2},
		"bytes":    {Bytes: 1300},
		"all jobs": {TotalBytes: 1300},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, &gatedStore{records: 5}, limits, func(t *testing.T, js *Jobs) {
				job := begin(t, js, "a", "*")
				expect(t, job, Done, 5)
				if s := job.Status(); len(job.Messages(0, 10)) != 2 || len(s.Warnings) != 1 {
					t.Errorf("%d are kept, warnings %v", len(job.Messages(0, 10)), s.Warnings)
				}
				job.Cancel()
				if js.held.Load() != 0 {
					t.Errorf("%d bytes are held", js.held.Load())
				}
			})
		})
	}
}

func TestAJobThatFailsTellsTheClientWhatIsTheClientsBusiness(t *testing.T) {
	for _, test := range []struct {
		name, query string
		store       *gatedStore
		limits      Limits
		bytes       int
		want        string
	}{
		{"an engine's error", "*", &gatedStore{records: 1, err: errors.New("open /var/secret: denied")}, Limits{}, 0, "server's log"},
		{"too much", "* | count by _raw", &gatedStore{records: 100}, Limits{}, 1000, "holds more than it may"},
		{"no room", "* | count by _raw", &gatedStore{records: 100}, Limits{Messages: 1, TotalBytes: 2000}, 0, "other searches"},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, test.store, test.limits, func(t *testing.T, js *Jobs) {
				s := asked(t, test.query)
				s.Setting.MaxBytes = test.bytes
				job, err := js.Start("a", s)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				status := job.Status()
				if status.State != Cancelled || len(status.Errors) != 1 || !strings.Contains(status.Errors[0], test.want) || strings.Contains(status.Errors[0], "secret") {
					t.Errorf("%s: %v", status.State, status.Errors)
				}
				if js.held.Load() != 0 {
					t.Errorf("%d bytes are held", js.held.Load())
				}
			})
		})
	}
}

func TestCloseEndsWhatRunsAndWaitsForIt(t *testing.T) {
	store := &gatedStore{records: 1, gate: make(chan struct{})}
	within(t, store, Limits{AtOnce: 1}, func(t *testing.T, js *Jobs) {
		running, waiting := begin(t, js, "a", "*"), begin(t, js, "a", "*")
		js.Close()
		for _, job := range []*Job{running, waiting} {
			expect(t, job, Cancelled, 0)
		}
		if _, err := js.Start("a", asked(t, "*")); !errors.Is(err, ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestATableIsMadeOfAllMessagesWhereNotAllAreKept(t *testing.T) {
	within(t, &gatedStore{records: 5}, Limits{Messages: 2}, func(t *testing.T, js *Jobs) {
		job := begin(t, js, "a", "* | timeslice 1m | count by _timeslice | count as minutes")
		expect(t, job, Done, 5)
		if rows := job.Rows(0, 10); len(rows) != 1 || rows[0][0].String() != "5" {
			t.Errorf("rows: %v", rows)
		}
		status, counted := job.Status(), 0
		for _, b := range status.Histogram {
			counted += b.Count
		}
		if len(job.Messages(0, 10)) != 2 || len(status.Warnings) != 1 || counted != 5 {
			t.Errorf("%d messages are kept, %d in the histogram, warnings %v", len(job.Messages(0, 10)), counted, status.Warnings)
		}
	})
}
