package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

const idleCount = 10_000

// idleOrganizations measures, in a process of its own, what ten thousand
// organizations cost that have a webhook and a cursor each and nothing to send.
func idleOrganizations(context.Context) error {
	cmd := exec.Command(os.Args[0], "idle-child")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func idleChild(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	logger := slog.New(slog.DiscardHandler)
	b, err := broker.Open(ctx, broker.Options{Dir: dir, Logger: logger})
	if err != nil {
		return err
	}
	defer b.Close()
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		return err
	}
	r, err := registry.Open(ctx, b, registry.Options{Sealer: sealer, AllowHTTP: true, Now: time.Now})
	if err != nil {
		return err
	}
	defer r.Close()
	j, err := journal.Open(ctx, b, journal.Options{})
	if err != nil {
		return err
	}
	defer j.Close()
	m, err := delivery.Open(ctx, delivery.Options{
		Registry: r, Journal: j, Broker: b, Client: outbound.New(outbound.Options{}),
		UserAgent: "trailhook/bench", Logger: logger, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	defer m.Close()
	before, err := settledMemory()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := makeIdle(ctx, r, j); err != nil {
		return err
	}
	report("idle_org_creation_ms", milliseconds(time.Since(start))/idleCount, "ms")

	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	defer func() { stop(); <-ended }()
	after, err := settledMemory()
	if err != nil {
		return err
	}
	report("idle_10k_orgs_rss_mb", after-before, "MB")
	report("idle_10k_process_rss_mb", after, "MB")
	used, err := cpuSeconds(os.Getpid())
	if err != nil {
		return err
	}
	time.Sleep(span)
	now, err := cpuSeconds(os.Getpid())
	report("idle_10k_orgs_cpu_percent", 100*(now-used)/span.Seconds(), "%")
	return err
}

// makeIdle makes the organizations, each with an event that was recorded before
// its webhook was enabled.
func makeIdle(ctx context.Context, r *registry.Registry, j *journal.Journal) error {
	var making errgroup.Group
	making.SetLimit(16)
	last := func(ctx context.Context) (uint64, error) {
		p, err := j.Last(ctx)
		return uint64(p), err
	}
	for n := range idleCount {
		making.Go(func() error {
			org, err := r.CreateOrganization(ctx, fmt.Sprintf("org %d", n))
			if err != nil {
				return err
			}
			e := sample(n)
			e.OrgID = org.ID
			if err := j.Append(ctx, "us", e); err != nil {
				return err
			}
			d, err := r.CreateDestination(ctx, registry.Destination{
				OrgID: org.ID, Name: "siem", Endpoint: "https://siem.example.com/logs", LogFormat: audit.CEF,
			}, "key")
			if err != nil {
				return err
			}
			enabled := true
			_, err = r.ChangeWebhook(ctx, org.ID, "us", registry.WebhookChange{DestinationID: &d.ID, Enabled: &enabled}, last)
			return err
		})
	}
	return making.Wait()
}

// settledMemory returns what the process holds when garbage is gone.
func settledMemory() (float64, error) {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(time.Second)
	}
	return memory(os.Getpid(), "VmRSS")
}
