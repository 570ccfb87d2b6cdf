// Package jobs runs searches that outlive the call that began them: a client
// starts one, looks how far it is, fetches its results page by page, and deletes
// it.
//
// A few jobs run at once and the others wait for their turn, first come, first
// served. What one job may take is bounded in time, in memory and in messages, and
// what all results together take in memory is, too. A job that nobody looks at for
// a while ends and is forgotten.
package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// Limits bound jobs. What is zero stands for the default.
type Limits struct {
	AtOnce     int           // how many run at a time; 4
	PerOwner   int           // how many one owner may have; 200
	Idle       time.Duration // after which a job that nobody looks at is forgotten; 5 minutes
	Time       time.Duration // a job may run; 10 minutes
	Messages   int           // a job keeps; 100,000
	Bytes      int           // of memory that a job keeps in messages; 64 MiB
	TotalBytes int64         // of memory that the results of all jobs take; 256 MiB
}

func (l Limits) orDefaults() Limits {
	return Limits{
		AtOnce:     cmp.Or(l.AtOnce, 4),
		PerOwner:   cmp.Or(l.PerOwner, 200),
		Idle:       cmp.Or(l.Idle, 5*time.Minute),
		Time:       cmp.Or(l.Time, 10*time.Minute),
		Messages:   cmp.Or(l.Messages, 100_000),
		Bytes:      cmp.Or(l.Bytes, 64<<20),
		TotalBytes: cmp.Or(l.TotalBytes, 256<<20),
	}
}

var (
	// ErrTooMany says that the owner has as many jobs as one may have.
	ErrTooMany = errors.New("there are too many search jobs of this access key: delete those whose results were read")
	// ErrClosed says that no jobs are run any more.
	ErrClosed = errors.New("the server is shutting down")

	errTime    = errors.New("the search took longer than it may: narrow its filter or its time")
	errDeleted = errors.New("the search job was deleted")
)

// Jobs are the search jobs of a store.
type Jobs struct {
	store  search.Store
	logger *slog.Logger
	limits Limits
	turns  chan struct{} // as many as may run at once
	held   atomic.Int64  // bytes of all results
	ended  func(ran time.Duration)

	running sync.WaitGroup
	ctx     context.Context // of all jobs, so that Close ends them
	end     context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	byID   map[string]*Job
}

// New makes a Jobs without any. Close ends it.
func New(store search.Store, limits Limits, logger *slog.Logger) *Jobs {
	limits = limits.orDefaults()
	js := &Jobs{store: store, logger: logger, limits: limits, turns: make(chan struct{}, limits.AtOnce), byID: map[string]*Job{}, ended: func(time.Duration) {}}
	js.ctx, js.end = context.WithCancelCause(context.Background())
	return js
}

// Start begins a job for an owner. Errors: [ErrTooMany], [ErrClosed].
func (js *Jobs) Start(owner string, s search.Search) (*Job, error) {
	job, err := newJob(js, owner, s)
	if err != nil {
		return nil, err
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.closed {
		return nil, ErrClosed
	}
	if err := js.makeRoom(owner); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(js.ctx)
	job.cancel = cancel
	job.idle = time.AfterFunc(js.limits.Idle, func() { js.forget(job) })
	js.byID[job.ID] = job
	js.running.Go(func() { js.run(ctx, job) })
	return job, nil
}

// makeRoom sees to it that an owner may have one more: cancelled jobs go first,
// and any other is the owner's to delete.
func (js *Jobs) makeRoom(owner string) error {
	count := 0
	var cancelled *Job
	for _, job := range js.byID {
		if job.Owner != owner {
			continue
		}
		count++
		if job.cancelled() {
			cancelled = job
		}
	}
	switch {
	case count < js.limits.PerOwner:
		return nil
	case cancelled == nil:
		return fmt.Errorf("start a search job: %w (%d)", ErrTooMany, count)
	}
	cancelled.idle.Stop()
	delete(js.byID, cancelled.ID)
	return nil
}

func newJob(js *Jobs, owner string, s search.Search) (*Job, error) {
	slices, err := search.Timeslice{Buckets: histogramBuckets}.Range(s.Setting.From, s.Setting.To)
	if err != nil {
		return nil, fmt.Errorf("start a search job: %w", err)
	}
	id := make([]byte, 8)
	rand.Read(id) // never fails
	return &Job{
		ID: fmt.Sprintf("%X", id), Owner: owner, Search: s,
		jobs: js, slices: slices, state: NotStarted, histogram: map[int64]int{},
	}, nil
}

// Job returns the job with the id, and keeps it from being forgotten.
func (js *Jobs) Job(id string) (*Job, bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	job, ok := js.byID[id]
	if ok {
		job.idle.Reset(js.limits.Idle)
	}
	return job, ok
}

// forget ends the job, and nobody finds it any more.
func (js *Jobs) forget(job *Job) {
	js.mu.Lock()
	delete(js.byID, job.ID)
	js.mu.Unlock()
	job.Cancel()
}

// Close ends all jobs, and waits until they have.
func (js *Jobs) Close() {
	js.mu.Lock()
	js.closed = true
	for id, job := range js.byID {
		job.idle.Stop()
		delete(js.byID, id)
	}
	js.mu.Unlock()
	js.end(ErrClosed)
	js.running.Wait()
}

// run runs a job when it is its turn.
func (js *Jobs) run(ctx context.Context, job *Job) {
	defer job.cancel(nil)
	select {
	case js.turns <- struct{}{}:
		defer func() { <-js.turns }()
	case <-ctx.Done():
		job.finish(nil, context.Cause(ctx))
		return
	}
	ctx, stop := context.WithTimeoutCause(ctx, js.limits.Time, errTime)
	defer stop()
	job.begin()
	defer func(began time.Time) { js.ended(time.Since(began)) }(time.Now())
	table, err := job.gather(ctx)
	job.finish(table, err)
}

// reserve takes bytes of what all results may take, if there are so many left.
func (js *Jobs) reserve(bytes int) bool {
	if js.held.Add(int64(bytes)) > js.limits.TotalBytes {
		js.held.Add(-int64(bytes))
		return false
	}
	return true
}
