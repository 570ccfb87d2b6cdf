package journal

import (
	"fmt"
	"sync"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestAKeyRecordsOnceAndAnswersAsTheFirstTime(t *testing.T) {
	dir := t.TempDir()
	b := openBroker(t, dir)
	j := openJournal(t, b)
	ctx := t.Context()
	if first, err := j.AppendOnce(ctx, "us", "k", []byte("receipt 1"), event("org", 1), event("org", 2)); err != nil || first != nil {
		t.Fatalf("first use: %q, %v", first, err)
	}
	j.Close()
	b.Close()
	j = openJournal(t, openBroker(t, dir))
	defer j.Close()
	if first, err := j.AppendOnce(ctx, "us", "k", []byte("receipt 2"), event("org", 3)); err != nil || string(first) != "receipt 1" {
		t.Errorf("second use, after a restart: %q, %v", first, err)
	}
	if first, err := j.AppendOnce(ctx, "us", "k", []byte("receipt 3"), event("another", 4)); err != nil || first != nil {
		t.Errorf("another organization's use: %q, %v", first, err)
	}
	if n := len(readAll(t, j, "us", "org")); n != 2 {
		t.Errorf("%d events are recorded, want 2", n)
	}
}

func TestOfManyUsesOfAKeyAtOnceOneRecords(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			if _, err := j.AppendOnce(t.Context(), "us", "k", fmt.Appendf(nil, "receipt %d", n), event("org", n)); err != nil {
				t.Error(err)
			}
			// What others append at the same time is not touched by it.
			if err := j.Append(t.Context(), "us", event("org", 100+n)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(readAll(t, j, "us", "org")); n != 1+16 {
		t.Errorf("%d events are recorded, want 17", n)
	}
}

func TestALargeAppendWithAKeyIsWhole(t *testing.T) {
	j := openJournal(t, openBroker(t, t.TempDir()))
	defer j.Close()
	events := make([]audit.Event, MaxAppend)
	for i := range events {
		events[i] = event("org", i)
	}
	for range 2 {
		if _, err := j.AppendOnce(t.Context(), "us", "k", []byte("r"), events...); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(readAll(t, j, "us", "org")); n != len(events) {
		t.Errorf("%d events are recorded", n)
	}
}
