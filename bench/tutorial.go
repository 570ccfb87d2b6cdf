package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/trailhook/trailhook/internal/demo"
	"github.com/trailhook/trailhook/internal/server"
)

// tutorial measures the demo, and how long after its answer an API call is
// found by a search: 200 calls, one after the other.
func tutorial(ctx context.Context) error {
	if _, err := yardsticks(); err != nil {
		return err
	}
	start := time.Now()
	if err := demo.Run(ctx, demo.Options{Out: io.Discard, Version: "bench"}); err != nil {
		return err
	}
	report("demo_seconds", time.Since(start).Seconds(), "s")

	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	srv, err := server.Start(ctx, server.Config{
		DataDir: dir, APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "auto",
		AllowPrivateDestinations: true, Version: "bench", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer srv.Shutdown()
	t, err := demo.Begin(io.Discard, srv)
	if err != nil {
		return err
	}
	if err := t.SetUp(ctx); err != nil {
		return err
	}
	samples := make([]time.Duration, 200)
	for i := range samples {
		if samples[i], err = callToSearch(ctx, t); err != nil {
			return err
		}
	}
	report("call_to_search_ms_p50", milliseconds(percentile(samples, 0.5)), "ms")
	report("call_to_search_ms_p99", milliseconds(percentile(samples, 0.99)), "ms")
	return nil
}

func callToSearch(ctx context.Context, t *demo.Tutorial) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	trace, err := t.Call(ctx)
	if err != nil {
		return 0, err
	}
	answered := time.Now()
	for {
		lines, err := t.Search(ctx, "trace_id="+trace)
		if err != nil {
			return 0, fmt.Errorf("trace %s was not found: %w", trace, err)
		}
		if len(lines) == 2 {
			return time.Since(answered), nil
		}
		time.Sleep(2 * time.Millisecond)
	}
}
