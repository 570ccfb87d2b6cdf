// Package loadtest measures a Trailhook from the API call to the search result,
// and holds it to its promises while it does.
//
// It is a client of both halves' public APIs and knows nothing of what is behind
// them, so it measures what a user of the system gets. A run
//
//   - makes what it needs (a collector with a source, an access key, a destination,
//     the region's webhook), and takes it away again, however it ends;
//   - calls an audited endpoint, and then posts bodies of events, each over so many
//     connections, paced or as fast as they go;
//   - follows a sample of these until the SIEM shows them;
//   - and then looks for every event that was promised. An answer of 2xx is a
//     promise: the events of the call are found exactly once, with a valid
//     signature.
//
// Paced requests are an open loop: each has a time at which it is due, whether or
// not those before it have been answered, and its latency counts from then. A
// server that stands still for a second is so seen to delay all that was due in
// that second.
//
// What is promised and what is found is kept as a bit for each event, and latencies
// as counts, so an hour at thousands of calls a second takes some megabytes.
package loadtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Target is the system that is measured.
type Target struct {
	API    string // URL of the platform's API
	Token  string // of an organization's admin
	Region string // to act in, by the Host header; empty: the URL's own
	SIEM   string // URL of the SIEM's side

	// AccessID and AccessKey are those of an administrator of the SIEM's side.
	AccessID, AccessKey string

	TLS *tls.Config // what to trust; nil: the system's authorities
}

// Options say how to measure.
type Options struct {
	Target        Target
	Duration      time.Duration // how long requests are sent: half of it calls, half of it bodies of events
	Rate          float64       // requests a second; 0: as fast as they go
	Connections   int
	EventsPerCall int // in a body of events

	// Patience is how long to wait for events that are owed, since the last one
	// that came.
	Patience time.Duration
	// Grace is how long an interrupted run may take for what is under way.
	Grace time.Duration

	// Progress is told from time to time how far a stage is, by one goroutine at a
	// time; nil: nobody is told.
	Progress func(Progress)
	Version  string // of this program, for the User-Agent
}

// Progress says how far a stage is.
type Progress struct {
	Stage       Stage
	Done, Total int64 // of the stage's unit
}

// Stage is a part of a run.
type Stage string

// The stages, in their order.
const (
	SendingCalls  Stage = "calling the API" // milliseconds
	SendingEvents Stage = "posting events"  // milliseconds
	Arriving      Stage = "arriving"        // events
	Checking      Stage = "checking"        // events
)

// run is a run that has begun.
type run struct {
	Options
	id      string // that is in all it sends
	began   time.Time
	api     *apiClient
	siem    *siemClient
	undo    []undoing // what takes away what was made, the last one first
	source  string    // name of the source
	probes  *probes
	calls   *phase
	events  *phase
	ledgers ledgers
	before  Yardsticks

	connections []*http.Client // over which the load goes
}

// Run measures the target. The result is nil where nothing could be measured. With an
// error beside it, its verdict is not complete, or something that was made could not
// be taken away: the error says which. When ctx is done the run stops sending, waits
// for what is under way, and its result says that it was interrupted.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	r := newRun(o)
	if r.before, err = Measure(); err != nil {
		return nil, err
	}
	defer r.close()
	// What is begun is ended in order, also when ctx is done.
	lasting, cancel := outliving(ctx, o.Grace)
	defer cancel()
	defer func() { err = errors.Join(err, r.takeAway(context.WithoutCancel(ctx))) }()
	if err := r.setUp(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted before anything was sent")
		}
		return nil, err
	}
	if r.probes, err = r.startProbes(lasting); err != nil {
		return nil, err
	}
	defer r.probes.stop()
	r.load(ctx, lasting, r.calls, SendingCalls)
	r.load(ctx, lasting, r.events, SendingEvents)
	verdict, err := r.verify(ctx, lasting)
	r.probes.last(lasting)
	r.probes.stop()
	after, failed := Measure()
	return r.result(after, verdict, ctx.Err() != nil), errors.Join(err, failed)
}

func newRun(o Options) *run {
	id := make([]byte, 4)
	rand.Read(id) // never fails
	r := &run{Options: o, id: hex.EncodeToString(id), began: time.Now()}
	r.source = "trailhook-bench-" + r.id
	r.api, r.siem = newAPIClient(o), newSIEMClient(o)
	r.calls, r.events = r.newCalls(), r.newBodies()
	r.ledgers, r.connections = newLedgers(), newConnections(o)
	return r
}

func (r *run) close() {
	r.api.close()
	r.siem.close()
	for _, connection := range r.connections {
		connection.CloseIdleConnections()
	}
}

// outliving returns a context that ends a while after ctx does.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { cancel(fmt.Errorf("%s after the interruption", grace)) })
	})
	return lasting, func() { stop(); cancel(nil) }
}
