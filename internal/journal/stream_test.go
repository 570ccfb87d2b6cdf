package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// portalEvent is the nth event, of a portal; "" is none.
func portalEvent(portal string, n int) audit.Event {
	e := event("org", n)
	e.PortalID = portal
	return e
}

// traces are the numbers of the events.
func traces(entries []Entry) []int {
	var list []int
	for _, e := range entries {
		list = append(list, int(e.Event.TraceID)-1)
	}
	return list
}

// followStream returns the events that a follower of the stream finds.
func followStream(t *testing.T, j *Journal, s Stream) []Entry {
	t.Helper()
	f, err := j.Follow(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []Entry
	for {
		more, err := f.Ready(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			return all
		}
		all = append(all, more...)
	}
}

func TestAPortalsEventsAreAStreamOfTheirOwnAndARangeHasAll(t *testing.T) {
	dir := t.TempDir()
	b := openBroker(t, dir)
	j := openJournal(t, b)
	watcher := j.Watch()
	defer watcher.Close()
	for _, events := range [][]audit.Event{
		{portalEvent("", 1)},
		{portalEvent("first", 2)},
		{portalEvent("second", 3), portalEvent("", 4), portalEvent("second", 5)}, // of two streams, in one append
		{portalEvent("first", 6)},
	} {
		if err := j.Append(t.Context(), "us", events...); err != nil {
			t.Fatal(err)
		}
	}
	if first, err := j.AppendOnce(t.Context(), "us", "key", []byte("receipt"), portalEvent("", 7), portalEvent("first", 8)); first != nil || err != nil {
		t.Fatal(first, err)
	}
	own := Stream{Region: "us", Organization: "org"}
	first, second := Stream{"us", "org", "first"}, Stream{"us", "org", "second"}
	changed := watcher.Take()
	slices.SortFunc(changed, func(a, b Stream) int { return strings.Compare(a.Portal, b.Portal) })
	if diff := cmp.Diff([]Stream{own, first, second}, changed); diff != "" {
		t.Errorf("the streams that a watcher is told of (-want +got):\n%s", diff)
	}
	look := func(j *Journal) {
		t.Helper()
		for s, want := range map[Stream][]int{own: {1, 4, 7}, first: {2, 6, 8}, second: {3, 5}, {"us", "org", "none"}: nil, {"us", "another", "first"}: nil} {
			found := followStream(t, j, s)
			if diff := cmp.Diff(want, traces(found)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", s, diff)
			}
			if j.Behind(s, 0) != (len(want) > 0) {
				t.Errorf("%+v: behind: %t", s, j.Behind(s, 0))
			}
			if backlog, err := j.Backlog(t.Context(), s, 0); err != nil || backlog.Events != uint64(len(want)) {
				t.Errorf("%+v: backlog %+v, %v", s, backlog, err)
			}
			if span, err := j.Span(t.Context(), s, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil || span.Events != uint64(len(want)) {
				t.Errorf("%+v: span %+v, %v", s, span, err)
			}
		}
		for portal, want := range map[string][]int{"": {1, 2, 3, 5, 4, 6, 7, 8}, "first": {2, 6, 8}} {
			for _, descending := range []bool{false, true} {
				got, err := j.Range(t.Context(), Query{Region: "us", Organization: "org", Portal: portal, Limit: 100, Descending: descending})
				if err != nil {
					t.Fatal(err)
				}
				if descending {
					slices.Reverse(got)
				}
				if diff := cmp.Diff(want, traces(got)); diff != "" {
					t.Errorf("portal %q, descending %t (-want +got):\n%s", portal, descending, diff)
				}
			}
		}
	}
	look(j)
	if again, err := j.AppendOnce(t.Context(), "us", "key", []byte("another"), portalEvent("first", 9)); string(again) != "receipt" || err != nil {
		t.Errorf("the second use of a key: %q, %v", again, err)
	}
	j.Close()
	b.Close()
	j = openJournal(t, openBroker(t, dir))
	defer j.Close()
	look(j)
}

func TestNoPortalIDReachesAnotherStreamOrTheEngine(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	for _, portal := range []string{"-", "*", ">", "a.b", "a b", "a\x00b", "ä", strings.Repeat("a", maxName+1)} {
		err := j.Append(t.Context(), "us", portalEvent("", 1), portalEvent(portal, 2))
		var which *EventError
		if !errors.As(err, &which) || which.Index != 1 || errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("portal %q: %v, want an EventError", portal, err)
		}
		if _, err := j.Range(t.Context(), Query{Region: "us", Organization: "org", Portal: portal, Limit: 1}); err == nil {
			t.Errorf("a range of portal %q is no error", portal)
		}
	}
	var events []audit.Event
	for n := range maxStreams {
		events = append(events, portalEvent(fmt.Sprint("portal-", n), n))
	}
	if err := j.Append(t.Context(), "us", events...); err != nil {
		t.Errorf("%d portals: %v", maxStreams, err)
	}
	var which *EventError
	if err := j.Append(t.Context(), "us", append(events, portalEvent("one-more", maxStreams))...); !errors.As(err, &which) || which.Index != maxStreams {
		t.Errorf("one portal more: %v", err)
	}
	if n := len(readAll(t, j, "us", "org")); n != maxStreams {
		t.Errorf("%d events are recorded, want %d", n, maxStreams)
	}
}
