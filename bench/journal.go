package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
)

// span is how long each of the group's figures is measured.
const span = 5 * time.Second

// journalGroup measures what recording costs: Append by itself, the ingest
// endpoint, audited API calls, and the memory of it all.
func journalGroup(ctx context.Context) error {
	if _, err := yardsticks(); err != nil {
		return err
	}
	if err := appends(ctx); err != nil {
		return err
	}
	c, err := startChild()
	if err != nil {
		return err
	}
	defer c.stop()
	for _, size := range []int{1, 100, 1000} {
		if err := ingests(ctx, c, size); err != nil {
			return err
		}
	}
	if err := auditedGets(ctx, c); err != nil {
		return err
	}
	if err := c.reportPeak("journal_peak_rss_mb"); err != nil {
		return err
	}
	return idleOrganizations(ctx)
}

func sample(n int) audit.Event {
	return audit.Event{
		Kind: audit.Authorization, Time: time.Now().UTC().Truncate(time.Millisecond), Product: audit.ProductKonnect,
		Source: fmt.Sprintf("203.0.113.%d", n%250), OrgID: "777db3e4-5cb7-4dd5-b51c-9878096a6999",
		PrincipalID: fmt.Sprintf("eb999f01-5976-4f4b-9fbc-%012d", n%1000), TraceID: uint64(n)*2654435761 + 1,
		UserAgent: "grpc-node-js/1.12.4", Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
}

// appends measures Journal.Append: 64 callers of two events each, as API calls
// are, and 4 callers of a thousand.
func appends(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := broker.Open(ctx, broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer b.Close()
	j, err := journal.Open(ctx, b, journal.Options{})
	if err != nil {
		return err
	}
	defer j.Close()
	for _, load := range []struct {
		figure        string
		callers, size int
	}{
		{"append_pairs_events_per_s", 64, 2},
		{"append_events_per_s", 4, 1000},
	} {
		events := make([]audit.Event, load.size)
		for i := range events {
			events[i] = sample(i)
		}
		rate, _, err := hammer(load.callers, func(int) error { return j.Append(ctx, "us", events...) })
		if err != nil {
			return err
		}
		report(load.figure, rate*float64(load.size), "1/s")
	}
	return nil
}

// ingests measures the ingest endpoint with bodies of so many events.
func ingests(ctx context.Context, c *child, size int) error {
	var body bytes.Buffer
	for i := range size {
		e := sample(i)
		e.OrgID = ""
		body.Write(audit.AppendPull(nil, &e))
		body.WriteByte('\n')
	}
	client := newHTTPClient(8)
	rate, _, err := hammer(8, func(int) error {
		return exchange(ctx, client, c, http.MethodPost, "/trailhook/v1/events", body.Bytes())
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("ingest_%d_events_per_s", size)
	if size == 1000 {
		name = "ingest_events_per_s"
	}
	report(name, rate*float64(size), "1/s")
	return nil
}

// auditedGets measures GETs, each of which leaves two events on disk before it
// is answered.
func auditedGets(ctx context.Context, c *child) error {
	client := newHTTPClient(64)
	rate, latencies, err := hammer(64, func(int) error {
		return exchange(ctx, client, c, http.MethodGet, "/v2/control-planes", nil)
	})
	if err != nil {
		return err
	}
	report("audited_gets_per_s", rate, "1/s")
	report("audited_get_ms_p50", milliseconds(percentile(latencies, 0.5)), "ms")
	report("audited_get_ms_p99", milliseconds(percentile(latencies, 0.99)), "ms")
	return nil
}

func newHTTPClient(connections int) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
}

func exchange(ctx context.Context, client *http.Client, c *child, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, c.apiURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return err
}

// hammer calls do from so many goroutines for a while, and returns how many
// calls there were each second and how long each took.
func hammer(callers int, do func(caller int) error) (perSecond float64, latencies []time.Duration, err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		stop  atomic.Bool
	)
	start := time.Now()
	for caller := range callers {
		group.Go(func() {
			var own []time.Duration
			var failed error
			for failed == nil && !stop.Load() && time.Since(start) < span {
				begun := time.Now()
				failed = do(caller)
				own = append(own, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, own...)
			if failed != nil && err == nil {
				err = failed
				stop.Store(true)
			}
		})
	}
	group.Wait()
	return float64(len(latencies)) / time.Since(start).Seconds(), latencies, err
}
