package ingest_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestARepeatedKeyAnswersAsTheFirstTimeAndRecordsNothing(t *testing.T) {
	w := newWorld(t)
	body := array(events(3))
	first := w.send(body, "Idempotency-Key", "k")
	if first.status != 201 || first.header.Get("Idempotent-Replay") != "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	w.clock.advance(time.Hour)
	for name, again := range map[string]answered{
		"the same":                             w.send(body, "Idempotency-Key", "k"),
		"the same, compressed":                 w.send(zipped(t, body), "Idempotency-Key", "k", "Content-Encoding", "gzip"),
		"by somebody else of the organization": w.send(body, append(as(w.ours.admin), "Idempotency-Key", "k")...),
	} {
		if again.status != first.status || again.body != first.body || again.header.Get("Idempotent-Replay") != "true" {
			t.Errorf("%s: %d %s %v", name, again.status, again.body, again.header)
		}
	}
	ingested, calls := w.recorded()
	if len(ingested) != 3 || len(calls) != 4*3 {
		t.Errorf("%d events are recorded, and %d of the calls", len(ingested), len(calls))
	}
	if a := w.send(body, append(as(w.theirs.writer), "Idempotency-Key", "k")...); a.status != 201 || a.header.Get("Idempotent-Replay") != "" {
		t.Errorf("another organization's: %d %s", a.status, a.body)
	}
	if a := w.send(body, "Idempotency-Key", "another"); a.status != 201 || a.header.Get("Idempotent-Replay") != "" {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
}

func TestAKeyOfAnotherBodyOrRegionIsAConflict(t *testing.T) {
	w := newWorld(t)
	body := array(events(3))
	if a := w.send(body, "Idempotency-Key", "k"); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for name, a := range map[string]answered{
		"another body":   w.send(array(events(2)), "Idempotency-Key", "k"),
		"another region": w.send(body, "Idempotency-Key", "k", "Host", "eu.api.trailhook.example"),
	} {
		if a.status != http.StatusConflict || !strings.Contains(a.problem.Detail, "Idempotency-Key") || a.header.Get("Idempotent-Replay") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if ingested, _ := w.recorded(); len(ingested) != 3 {
		t.Errorf("%d events are recorded", len(ingested))
	}
	if ingested, _ := w.recordedIn("eu", w.ours); len(ingested) != 0 {
		t.Errorf("%d events are recorded in eu", len(ingested))
	}
}

// A body that was refused has recorded nothing: put right, it may use the key.
func TestARefusedBodyDoesNotUseUpItsKey(t *testing.T) {
	w := newWorld(t)
	checkRefused(t, w, w.send(`{}`, "Idempotency-Key", "k"), "[0].type required")
	if a := w.send(array(events(1)), "Idempotency-Key", "k"); a.status != 201 || a.header.Get("Idempotent-Replay") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestOfManyRequestsWithAKeyAtOnceOneRecords(t *testing.T) {
	w := newWorld(t)
	body := array(events(2))
	answers := make([]answered, 12)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = w.send(body, "Idempotency-Key", "k") })
	}
	group.Wait()
	replays := 0
	for _, a := range answers {
		if a.status != 201 || a.body != `{"recorded":2}` {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.header.Get("Idempotent-Replay") == "true" {
			replays++
		}
	}
	if ingested, _ := w.recorded(); len(ingested) != 2 || replays != len(answers)-1 {
		t.Errorf("%d events are recorded, %d answers are replays", len(ingested), replays)
	}
}

func TestAKeyIsVisibleASCII(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"", "a b", "é", "a\tb", strings.Repeat("x", 256)} {
		checkRefused(t, w, w.send(array(events(1)), "Idempotency-Key", key), "Idempotency-Key invalid")
	}
	if a := w.send(array(events(1)), "Idempotency-Key", `"!~`+strings.Repeat("x", 252)); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
