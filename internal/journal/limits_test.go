package journal

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// noise is an event that does not compress.
func noise(n int) audit.Event {
	e := event("org", n)
	var b strings.Builder
	for range 4000 {
		b.WriteByte(byte('!' + rand.IntN(90)))
	}
	e.UserAgent = b.String()
	return e
}

func fill(t *testing.T, j *Journal) (taken int, err error) {
	t.Helper()
	for ; taken < 1000; taken++ {
		if err := j.Append(t.Context(), "us", noise(taken)); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

func TestAFullJournalRefusesAndKeepsWhatItHas(t *testing.T) {
	b := openBroker(t, t.TempDir())
	j, err := Open(t.Context(), b, Options{MaxBytes: 200_000})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := fill(t, j)
	if !errors.Is(err, ErrFull) || !errors.Is(err, broker.ErrUnavailable) {
		t.Fatalf("after %d events: %v, want ErrFull", taken, err)
	}
	large := make([]audit.Event, 100)
	for i := range large {
		large[i] = noise(i)
	}
	if err := j.Append(t.Context(), "us", large...); !errors.Is(err, ErrFull) {
		t.Errorf("a large append: %v, want ErrFull", err)
	}
	if _, err := j.AppendOnce(t.Context(), "us", "k", []byte("r"), large...); !errors.Is(err, ErrFull) {
		t.Errorf("an append with a key: %v, want ErrFull", err)
	}
	if kept := readAll(t, j, "us", "org"); len(kept) != taken {
		t.Errorf("%d of %d events are kept", len(kept), taken)
	}
	j.lookAtUsage(t.Context())
	if warning := j.Warning(); !strings.Contains(warning, "API calls are refused") {
		t.Errorf("warning: %q", warning)
	}
	j.Close()

	// With more room it goes on.
	j, err = Open(t.Context(), b, Options{MaxBytes: 2_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(t.Context(), "us", noise(1)); err != nil {
		t.Errorf("with a higher limit: %v", err)
	}
	j.lookAtUsage(t.Context())
	if warning := j.Warning(); warning != "" {
		t.Errorf("with a higher limit it warns: %q", warning)
	}
}

func TestAFullJournalDropsTheOldestWhereTheOperatorSaysSo(t *testing.T) {
	j, err := Open(t.Context(), openBroker(t, t.TempDir()), Options{MaxBytes: 200_000, DropOldest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	taken, err := fill(t, j)
	if err != nil {
		t.Fatalf("after %d events: %v", taken, err)
	}
	kept := readAll(t, j, "us", "org")
	if len(kept) == 0 || len(kept) == taken || kept[len(kept)-1].Event.TraceID != uint64(taken) {
		t.Errorf("%d of %d events are kept", len(kept), taken)
	}
	// A follower that is beyond them all, and one far behind, go on with what is there.
	f := follow(t, j, "us", "org", 0)
	entries, err := f.Next(t.Context(), 1)
	if err != nil || entries[0].Position != kept[0].Position {
		t.Errorf("a follower far behind gets %v, %v", entries, err)
	}
}

func TestAnEventExpiresAfterItsRetention(t *testing.T) {
	j, err := Open(t.Context(), openBroker(t, t.TempDir()), Options{Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(t.Context(), "us", event("org", 1)); err != nil {
		t.Fatal(err)
	}
	e := readAll(t, j, "us", "org")[0]
	if j.Expired(e, e.Stored.Add(time.Hour)) || !j.Expired(e, e.Stored.Add(time.Hour+1)) {
		t.Error("the event does not expire exactly after its retention")
	}
}
