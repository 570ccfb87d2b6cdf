package journal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

// A journal in which one organization has much, one little, one a single event,
// and one events of portals among its own, in commits of all sizes.
func filledJournal(t *testing.T) *Journal {
	t.Helper()
	j := openJournal(t, openBroker(t, t.TempDir()))
	t.Cleanup(j.Close)
	random := rand.New(rand.NewPCG(1, 2))
	trace := 0
	for n := range 400 {
		org := "busy"
		switch {
		case n%97 == 3:
			org = "quiet"
		case n == 200:
			org = "once"
		case n%5 == 0 && n != 300:
			org = "portals"
		}
		size := 1 + random.IntN(4)
		if n == 300 {
			size = 900
		}
		events := make([]audit.Event, size)
		for i := range events {
			trace++
			events[i] = event(org, trace)
			if org == "portals" {
				events[i].PortalID = []string{"", "first", "second"}[trace%3]
			}
			if random.IntN(3) == 0 {
				events[i].Kind, events[i].AuthType, events[i].Outcome = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess
			}
		}
		if err := j.Append(t.Context(), "us", events...); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// naive is what Range has to return, from all there is.
func naive(all []Entry, q Query) []Entry {
	found := slices.DeleteFunc(slices.Clone(all), func(e Entry) bool {
		return !q.Since.IsZero() && e.Stored.Before(q.Since) ||
			!q.Until.IsZero() && !e.Stored.Before(q.Until) ||
			e.Position <= q.After ||
			q.Before != 0 && e.Position >= q.Before ||
			q.Portal != "" && e.Event.PortalID != q.Portal ||
			len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Event.Kind)
	})
	if q.Descending {
		slices.Reverse(found)
	}
	return found[:min(len(found), q.Limit)]
}

func TestRangeReturnsWhatANaiveFilterWould(t *testing.T) {
	j := filledJournal(t)
	random := rand.New(rand.NewPCG(3, 4))
	for _, org := range []string{"busy", "quiet", "once", "portals", "unheard-of"} {
		all := readAll(t, j, "us", org)
		t.Logf("%s: %d events", org, len(all))
		if org == "unheard-of" != (len(all) == 0) {
			t.Fatalf("%s: %d events", org, len(all))
		}
		somewhere := func() Entry {
			if len(all) == 0 {
				return Entry{Position: 1, Stored: time.Now()}
			}
			return all[random.IntN(len(all))]
		}
		for n := range 80 {
			q := Query{Region: "us", Organization: org, Limit: 1 + random.IntN(60), Descending: n%2 == 0}
			if random.IntN(3) == 0 {
				q.Since = somewhere().Stored
			}
			if random.IntN(3) == 0 {
				q.Until = somewhere().Stored
			}
			if random.IntN(3) == 0 {
				q.After = somewhere().Position
			}
			if random.IntN(3) == 0 {
				q.Before = somewhere().Position
			}
			if org == "portals" {
				q.Portal = []string{"", "first", "second"}[n/2%3]
			}
			if random.IntN(2) == 0 {
				q.Kinds = []audit.Kind{audit.Authentication}
			}
			got, err := j.Range(t.Context(), q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if diff := cmp.Diff(positions(naive(all, q)), positions(got)); diff != "" {
				t.Fatalf("%+v (-want +got):\n%s", q, diff)
			}
		}
	}
}

func positions(entries []Entry) []Position {
	list := []Position{}
	for _, e := range entries {
		list = append(list, e.Position)
	}
	return list
}

func TestPagesInEitherDirectionHoldEveryEventOnce(t *testing.T) {
	j := filledJournal(t)
	all := readAll(t, j, "us", "busy")
	for _, descending := range []bool{false, true} {
		want := slices.Clone(all)
		if descending {
			slices.Reverse(want)
		}
		var got []Entry
		for {
			q := Query{Region: "us", Organization: "busy", Limit: 500, Descending: descending}
			if len(got) > 0 && descending {
				q.Before = got[len(got)-1].Position
			} else if len(got) > 0 {
				q.After = got[len(got)-1].Position
			}
			page, err := j.Range(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		if diff := cmp.Diff(positions(want), positions(got)); diff != "" {
			t.Errorf("descending %v (-want +got):\n%s", descending, diff)
		}
	}
}

func TestALargeAppendIsKeptWhole(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	events := make([]audit.Event, MaxAppend)
	for i := range events {
		events[i] = event("org", i)
		events[i].UserAgent = fmt.Sprintf("agent %d", i)
	}
	if err := j.Append(t.Context(), "us", events...); err != nil {
		t.Fatal(err)
	}
	all := readAll(t, j, "us", "org")
	if len(all) != len(events) {
		t.Fatalf("%d events, want %d", len(all), len(events))
	}
	for i := range all {
		if all[i].Event.UserAgent != events[i].UserAgent {
			t.Fatalf("event %d is %q", i, all[i].Event.UserAgent)
		}
	}
	if err := j.Append(t.Context(), "us", append(events, event("org", 0))...); err == nil {
		t.Error("an append beyond the limit was accepted")
	}
}

func TestAPositionSurvivesItsText(t *testing.T) {
	for _, p := range []Position{0, 1, positionOf(1, 0, 1), positionOf(1<<40, 4094, 4096), endOf(7)} {
		if got, err := ParsePosition(p.String()); err != nil || got != p {
			t.Errorf("%d became %q became %d, %v", p, p, got, err)
		}
	}
	for _, text := range []string{"", "-1", "ä", "zzzzzzzzzzzzzzzzzzzz"} {
		if _, err := ParsePosition(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
