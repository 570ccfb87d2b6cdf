package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

func openBroker(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func openJournal(t *testing.T, b *broker.Broker) *Journal {
	t.Helper()
	j, err := Open(t.Context(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func event(org string, n int) audit.Event {
	return audit.Event{
		Kind: audit.Authorization, Time: time.UnixMilli(1750280466889).UTC(), Product: audit.ProductKonnect,
		Source: "192.0.2.7", OrgID: org, PrincipalID: "someone", TraceID: uint64(n) + 1, UserAgent: "test/1",
		Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
}

func readAll(t *testing.T, j *Journal, region, org string) []Entry {
	t.Helper()
	var all []Entry
	for {
		after := Position(0)
		if len(all) > 0 {
			after = all[len(all)-1].Position
		}
		more, err := j.Range(t.Context(), Query{Region: region, Organization: org, After: after, Limit: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			return all
		}
		all = append(all, more...)
	}
}

func follow(t *testing.T, j *Journal, region, org string, after Position) *Follower {
	t.Helper()
	f, err := j.Follow(Stream{Region: region, Organization: org}, after)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConcurrentAppendsAreAllKeptOnceAndInTheOrderOfEachCaller(t *testing.T) {
	dir := t.TempDir()
	b := openBroker(t, dir)
	j := openJournal(t, b)
	const callers, each = 8, 40
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for n := range each {
				org := fmt.Sprintf("org-%d", caller)
				if err := j.Append(t.Context(), "us", event(org, 2*n), event(org, 2*n+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	j.Close()
	b.Close()

	j = openJournal(t, openBroker(t, dir))
	defer j.Close()
	for caller := range callers {
		org := fmt.Sprintf("org-%d", caller)
		entries := readAll(t, j, "us", org)
		if len(entries) != 2*each {
			t.Fatalf("%s: %d events, want %d", org, len(entries), 2*each)
		}
		for n, entry := range entries {
			if diff := cmp.Diff(event(org, n), entry.Event); diff != "" {
				t.Fatalf("%s: event %d (-want +got):\n%s", org, n, diff)
			}
		}
	}
	if others := readAll(t, j, "eu", "org-1"); len(others) != 0 {
		t.Errorf("another region holds %d events", len(others))
	}
}

func TestAnEventWithoutAnOrganizationIsKept(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	stray := event("", 1)
	if err := j.Append(t.Context(), "us", stray); err != nil {
		t.Fatal(err)
	}
	if kept := readAll(t, j, "us", nobody); len(kept) != 1 || kept[0].Event.TraceID != stray.TraceID {
		t.Errorf("kept: %+v", kept)
	}
}

func TestNamesThatAreNoSubjectTokensAreRefused(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	for _, name := range []string{"a.b", "*", ">", "a b", "a\nb"} {
		if err := j.Append(t.Context(), "us", event(name, 1)); err == nil {
			t.Errorf("organization %q was accepted", name)
		}
		if err := j.Append(t.Context(), name, event("org", 1)); err == nil {
			t.Errorf("region %q was accepted", name)
		}
	}
}

func TestAnInvalidEventRefusesTheWholeAppend(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	bad := event("org", 2)
	bad.TraceID = 1 << 63
	if err := j.Append(t.Context(), "us", event("org", 1), bad); err == nil {
		t.Fatal("accepted")
	}
	if kept := readAll(t, j, "us", "org"); len(kept) != 0 {
		t.Errorf("%d events were kept", len(kept))
	}
}

func TestAFollowerSeesWhatWasThereAndWhatComes(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	ctx := t.Context()
	for n := range 3 {
		if err := j.Append(ctx, "us", event("org", n)); err != nil {
			t.Fatal(err)
		}
	}
	all := readAll(t, j, "us", "org")
	f := follow(t, j, "us", "org", all[0].Position)
	entries, err := f.Next(ctx, 10)
	if err != nil || len(entries) != 2 || entries[0].Event.TraceID != 2 {
		t.Fatalf("first: %+v, %v", entries, err)
	}
	got := make(chan []Entry)
	go func() {
		entries, err := f.Next(ctx, 10)
		if err != nil {
			t.Error(err)
		}
		got <- entries
	}()
	for _, e := range []audit.Event{event("another", 8), event("org", 9)} {
		if err := j.Append(ctx, "us", e); err != nil {
			t.Fatal(err)
		}
	}
	if entries := <-got; len(entries) != 1 || entries[0].Event.TraceID != 10 {
		t.Errorf("then: %+v", entries)
	}
}

func TestAFollowerThatWaitsEndsWithItsContext(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	ctx, cancel := context.WithCancel(t.Context())
	f := follow(t, j, "us", "org", 0)
	done := make(chan error)
	go func() { _, err := f.Next(ctx, 1); done <- err }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestAppendFailsWhenTheEngineIsGone(t *testing.T) {
	b := openBroker(t, t.TempDir())
	j := openJournal(t, b)
	b.Close()
	if err := j.Append(t.Context(), "us", event("org", 1)); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("append: %v, want ErrUnavailable", err)
	}
	j.Close()
	if err := j.Append(t.Context(), "us", event("org", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v, want ErrClosed", err)
	}
}

func TestALargeEventIsKept(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	large := event("org", 1)
	large.UserAgent = strings.Repeat("é", 100_000)
	if err := j.Append(t.Context(), "us", large); err != nil {
		t.Fatal(err)
	}
	if kept := readAll(t, j, "us", "org"); len(kept) != 1 || kept[0].Event.UserAgent != large.UserAgent {
		t.Errorf("the large event did not come back")
	}
}
