package jobs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// histogramBuckets is how many parts a histogram divides the search's time into
// at most.
const histogramBuckets = 60

// State is how far a job is, in Sumo Logic's words.
type State string

// The states.
const (
	NotStarted State = "NOT STARTED" // it waits for its turn
	Gathering  State = "GATHERING RESULTS"
	Done       State = "DONE GATHERING RESULTS"
	Cancelled  State = "CANCELLED" // it was deleted, or could not go on
)

// Job is a search that runs, has run or waits for its turn.
type Job struct {
	ID     string // 16 hexadecimal digits
	Owner  string
	Search search.Search

	jobs   *Jobs
	cancel context.CancelCauseFunc
	idle   *time.Timer
	slices search.Timeslice // of the histogram

	mu        sync.Mutex
	state     State
	found     int
	histogram map[int64]int // how many messages, by when a bucket begins
	messages  []search.Record
	cut       bool // messages were found that are not kept
	table     *search.Table
	bytes     int // that the results take
	warnings  []string
	failures  []string
}

// Status is how far a job is.
type Status struct {
	State     State
	Messages  int // found, whether they are kept or not
	Records   int // rows of the table
	Histogram []Bucket
	Warnings  []string
	Errors    []string
}

// Bucket is how many messages there are in a part of the search's time.
type Bucket struct {
	Start  time.Time
	Length time.Duration
	Count  int
}

// Status returns how far the job is. The histogram has the buckets with any
// messages, the earliest first.
func (j *Job) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Status{State: j.state, Messages: j.found, Warnings: slices.Clone(j.warnings), Errors: slices.Clone(j.failures)}
	if j.table != nil {
		s.Records = len(j.table.Rows)
	}
	for _, start := range slices.Sorted(maps.Keys(j.histogram)) {
		s.Histogram = append(s.Histogram, Bucket{Start: time.UnixMilli(start).UTC(), Length: j.slices.Width, Count: j.histogram[start]})
	}
	return s
}

// Messages returns a page of the messages that were kept, while the job still
// runs too. Of a query that aggregates they are what its table is made from.
func (j *Job) Messages(offset, limit int) []search.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return page(j.messages, offset, limit)
}

// Rows returns a page of the table's rows: none before the job is done, and none
// if its query does not aggregate. The columns are those of the query.
func (j *Job) Rows(offset, limit int) [][]search.Value {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.table == nil {
		return nil
	}
	return page(j.table.Rows, offset, limit)
}

func page[T any](all []T, offset, limit int) []T {
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all)):min(limit, len(all))]
}

// Cancel ends the job, if it has not ended, and drops its results.
func (j *Job) Cancel() {
	j.mu.Lock()
	j.drop() // before the search hears of it, so that it does not count as failed
	j.mu.Unlock()
	j.cancel(errDeleted)
}

// drop is called with the lock held.
func (j *Job) drop() {
	j.state = Cancelled
	j.jobs.held.Add(-int64(j.bytes))
	j.bytes, j.messages, j.table = 0, nil, nil
}

func (j *Job) cancelled() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state == Cancelled
}

func (j *Job) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == NotStarted {
		j.state = Gathering
	}
}

// gather runs the search. Where the store groups the messages that a table is made
// from, it is asked for the table and the histogram first, and then for no more
// messages than are kept.
func (j *Job) gather(ctx context.Context) (*search.Table, error) {
	if !j.Search.Query.Aggregates() {
		return j.Search.Run(ctx, j.jobs.store, j.take)
	}
	table, err := j.Search.Grouped(ctx, j.jobs.store)
	messages := j.Search.Beginning()
	var histogram map[int64]int
	if err == nil {
		histogram, err = messages.CountBy(ctx, j.slices, j.jobs.store)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, search.ErrNotGrouped):
		return j.Search.Run(ctx, j.jobs.store, j.take)
	case err != nil:
		return nil, err
	}
	j.count(histogram)
	if _, err = messages.Run(ctx, j.jobs.store, j.keep); errors.Is(err, errEnough) {
		err = nil
	}
	return table, err
}

// count sets how many messages there are.
func (j *Job) count(histogram map[int64]int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.histogram = histogram
	for _, n := range histogram {
		j.found += n
	}
}

// errEnough ends a search for messages when no more are kept.
var errEnough = errors.New("as many messages are kept as may be")

// keep keeps a message that has been counted.
func (j *Job) keep(f search.Found) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Cancelled {
		return errDeleted
	}
	if !j.hold(f) {
		return errEnough
	}
	return nil
}

// take counts a message, and keeps it if there is room.
func (j *Job) take(f search.Found) error {
	at := f.Stored().Time
	if j.Search.Setting.ByReceiptTime {
		at = f.Stored().Receipt
	}
	zone := j.Search.Setting.Zone
	if zone == nil {
		zone = time.UTC
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Cancelled {
		return errDeleted
	}
	j.found++
	j.histogram[j.slices.Start(at, zone)]++
	j.hold(f)
	return nil
}

// hold keeps a message if there is room, and room for all before it. It is called
// with the lock held.
func (j *Job) hold(f search.Found) bool {
	if j.cut {
		return false
	}
	size := f.Size()
	if len(j.messages) >= j.jobs.limits.Messages || j.bytes+size > j.jobs.limits.Bytes || !j.jobs.reserve(size) {
		j.cut = true
		j.warnings = append(j.warnings, "more messages were found than are kept: the first ones can be fetched, and all are counted")
		return false
	}
	j.messages = append(j.messages, f.Message())
	j.bytes += size
	return true
}

// finish says how the job ended.
func (j *Job) finish(table *search.Table, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Cancelled {
		return
	}
	if err == nil && table != nil {
		size := tableSize(table)
		if !j.jobs.reserve(size) {
			err = errNoRoom
		} else {
			j.bytes += size
		}
	}
	if err != nil {
		j.fail(err)
		return
	}
	j.state, j.table = Done, table
}

var errNoRoom = errors.New("the results of other searches take all the memory there is for them: try again when some were deleted")

// fail cancels a job that could not go on. Only errors of which the client is the
// cause, or can do something about, are told in their own words.
func (j *Job) fail(err error) {
	j.drop()
	for _, told := range [...]error{search.ErrTooMuch, errTime, errNoRoom, ErrClosed} {
		if errors.Is(err, told) {
			j.failures = append(j.failures, told.Error())
			return
		}
	}
	j.failures = append(j.failures, "the search broke off: see the server's log for the search job's id")
	j.jobs.logger.Error("a search job broke off", "id", j.ID, "error", err)
}

func tableSize(t *search.Table) int {
	const perValue = 40 // bytes, beside its text
	size := 0
	for _, row := range t.Rows {
		for _, v := range row {
			size += perValue + len(v.String())
		}
	}
	return size
}
