package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// phase is a part of the run in which one sort of request is sent.
type phase struct {
	// request makes the request of a number. name is under which a probe finds it;
	// empty: it is none.
	request func(ctx context.Context, number uint64, probe bool) (request *http.Request, name string, err error)
	// acknowledge notes what is owed for it.
	acknowledge func(number uint64)

	next     atomic.Uint64 // number
	took     latencies
	found    latencies // from a request's begin until the SIEM shows its event
	lasted   time.Duration
	due      uint64 // requests, of a paced phase that was not interrupted
	mu       sync.Mutex
	refusals map[string]uint64 // by status, or why there was no answer
}

// newCalls makes the first phase: calls of an audited endpoint, as in the tutorial.
func (r *run) newCalls() *phase {
	return &phase{
		refusals: map[string]uint64{},
		request: func(ctx context.Context, number uint64, probe bool) (*http.Request, string, error) {
			userAgent := fmt.Sprintf("%s call %d%s", r.mark(), number, ofProbe(probe))
			request, err := r.api.request(ctx, http.MethodGet, "/v2/control-planes", userAgent, nil)
			return request, probeName("call", number), err
		},
		acknowledge: func(number uint64) { r.ledgers.calls.acknowledge(number, 1) },
	}
}

// newBodies makes the second phase: events of other services.
func (r *run) newBodies() *phase {
	size := uint64(r.EventsPerCall)
	return &phase{
		refusals: map[string]uint64{},
		request: func(ctx context.Context, number uint64, probe bool) (*http.Request, string, error) {
			userAgent := fmt.Sprintf("%s body %d", r.mark(), number)
			request, err := r.api.request(ctx, http.MethodPost, "/trailhook/v1/events", userAgent, r.body(number, probe))
			return request, probeName("event", number*size), err
		},
		acknowledge: func(number uint64) {
			r.ledgers.bodies.acknowledge(number, 1)
			r.ledgers.events.acknowledge(number*size, r.EventsPerCall)
		},
	}
}

// mark is what the user agents of all events of this run begin with. The numbers of
// calls stand behind it, since that is what a caller can put into the events of any
// call; events of a body have them in their trace id, where 0 is none.
func (r *run) mark() string { return "trailhook-bench/" + r.id }

func ofProbe(probe bool) string {
	if probe {
		return " probe"
	}
	return ""
}

// body makes the events of a body. Their times lie a millisecond apart, so that a
// search can tell them apart by time, however many come at once.
func (r *run) body(number uint64, probe bool) []byte {
	var body []byte
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range r.EventsPerCall {
		e := audit.Event{
			Kind: audit.Authorization, Time: now.Add(time.Duration(i+1-r.EventsPerCall) * time.Millisecond),
			Source: fmt.Sprintf("203.0.113.%d", i%250), PrincipalID: fmt.Sprintf("eb999f01-5976-4f4b-9fbc-%012d", i%50),
			TraceID: number*uint64(r.EventsPerCall) + uint64(i) + 1, UserAgent: r.mark() + " event" + ofProbe(probe && i == 0),
			Service: "billing", Resource: "invoices", Action: "list", Granted: true,
		}
		body = append(audit.AppendPull(body, &e), '\n')
	}
	return body
}

// load sends the phase's requests for half of the run's duration, or until ctx is
// done. lasting is for what has begun by then.
func (r *run) load(ctx, lasting context.Context, p *phase, stage Stage) {
	pace := newPace(r.Rate, r.Duration/2)
	done, stop := context.WithCancel(ctx)
	var watching, sending sync.WaitGroup
	watching.Go(func() { r.watch(done, stage, pace) })
	for _, connection := range r.connections {
		sending.Go(func() {
			for {
				number := p.next.Add(1) - 1
				due, ok := pace.wait(ctx, number)
				if !ok {
					return
				}
				pause(ctx, r.send(lasting, connection, p, number, due))
			}
		})
	}
	sending.Wait()
	stop()
	watching.Wait()
	p.lasted = time.Since(pace.start)
	if ctx.Err() == nil {
		p.lasted = max(p.lasted, pace.until.Sub(pace.start)) // the last one was due before the end
		p.due = pace.due()
	}
}

// watch tells of the progress until ctx is done.
func (r *run) watch(ctx context.Context, stage Stage, p *pace) {
	total := p.until.Sub(p.start)
	for pause(ctx, progressInterval) {
		r.Progress(Progress{stage, min(time.Since(p.start), total).Milliseconds(), total.Milliseconds()})
	}
}

const progressInterval = 200 * time.Millisecond

// How long a connection pauses after a request that was not answered, or that was
// refused by a server that wants to be left alone.
const (
	afterNoAnswer = 100 * time.Millisecond
	afterRefusal  = time.Second
)

// send sends a request, and says how long to leave the server alone after it.
func (r *run) send(ctx context.Context, connection *http.Client, p *phase, number uint64, due time.Time) (leave time.Duration) {
	probing := r.probes.due(due)
	request, name, err := p.request(ctx, number, probing)
	if err != nil {
		p.refuse("no request could be made")
		return afterNoAnswer
	}
	if probing {
		r.probes.expect(name, due, &p.found)
	}
	refused, leave := r.exchange(connection, request)
	if refused != "" {
		p.refuse(refused)
		r.probes.forget(name)
		return leave
	}
	p.took.add(time.Since(due))
	p.acknowledge(number)
	return 0
}

// exchange says why the request was not acknowledged, nothing if it was.
func (r *run) exchange(connection *http.Client, request *http.Request) (refused string, leave time.Duration) {
	response, err := connection.Do(request)
	if err != nil {
		return reason(err), afterNoAnswer
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return reason(err), afterNoAnswer
	}
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return "", 0
	}
	if response.Header.Get("Retry-After") != "" && r.Rate == 0 {
		leave = afterRefusal
	}
	return strconv.Itoa(response.StatusCode), leave
}

// reason says why there was no answer, in one of few ways: the innermost error has no
// addresses and ports.
func reason(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no connection"
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return "the connection broke: " + err.Error()
}

func (p *phase) refuse(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals[why]++
}

// pace says when requests are due.
type pace struct {
	start, until time.Time
	rate         float64 // a second; 0: at once
}

func newPace(rate float64, lasts time.Duration) *pace {
	now := time.Now()
	return &pace{now, now.Add(lasts), rate}
}

// due is how many requests there are, 0 without a rate.
func (p *pace) due() uint64 {
	if p.rate == 0 {
		return 0
	}
	count := uint64(p.rate * p.until.Sub(p.start).Seconds()) // but for what rounding does
	for p.at(count).Before(p.until) {
		count++
	}
	for count > 0 && !p.at(count-1).Before(p.until) {
		count--
	}
	return count
}

// at is when the request with a number is due, where there is a rate.
func (p *pace) at(number uint64) time.Time {
	return p.start.Add(time.Duration(float64(number) / p.rate * float64(time.Second)))
}

// wait waits until the request with a number is due. It reports false when none
// begins any more: at the end, also where requests that were due before it were
// not sent because no connection was free.
func (p *pace) wait(ctx context.Context, number uint64) (due time.Time, ok bool) {
	now := time.Now()
	due = now
	if p.rate > 0 {
		due = p.at(number)
	}
	if ctx.Err() != nil || !due.Before(p.until) || !now.Before(p.until) {
		return due, false
	}
	return due, pause(ctx, due.Sub(now))
}

// pause reports false when ctx was done before its end.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
