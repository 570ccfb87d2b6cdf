package delivery

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// judged starts a receiver that answers each request by what it holds.
func judged(t *testing.T, judge func(received) int) *receiver {
	t.Helper()
	r := &receiver{T: t, arrived: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		got := r.read(request)
		got.status = judge(got)
		r.keep(got)
		w.WriteHeader(got.status)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

// poisoned refuses requests that hold one of the events.
func poisoned(status int, events ...int) func(received) int {
	return func(got received) int {
		for _, e := range got.events {
			if slices.Contains(events, e) {
				return status
			}
		}
		return 200
	}
}

// textBytes is how long the request's lines are together.
func (got received) textBytes() int {
	n := len(got.lines) - 1
	for _, line := range got.lines {
		n += len(line)
	}
	return n
}

// aside returns the numbers of the events that are set aside.
func (o *tenant) aside() []int {
	o.Helper()
	lines, err := o.manager.SetAside(o.Context(), o.scope())
	if err != nil {
		o.Fatal(err)
	}
	var events []int
	for _, l := range lines {
		line, err := o.manager.SetAsideLine(o.Context(), o.scope(), l.ID)
		if err != nil {
			o.Fatal(err)
		}
		events = append(events, int(line.Event.TraceID))
	}
	return events
}

// without are the numbers from first to last but for some.
func without(first, last int, but ...int) []int {
	var events []int
	for e := first; e <= last; e++ {
		if !slices.Contains(but, e) {
			events = append(events, e)
		}
	}
	return events
}

// awaitDone waits until the cursor is past everything.
func (o *tenant) awaitDone() {
	o.Helper()
	o.await(func() bool {
		saved, err := o.manager.states.Get(o.webhook().ID)
		return err == nil && !o.journal.Behind(streamOf(o.webhook()), saved.Value.Cursor)
	})
}

// soon are pauses that a test waits out.
var soon = pauses(time.Millisecond, 20*time.Millisecond)
