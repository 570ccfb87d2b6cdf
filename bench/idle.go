package main

import (
	"context"
	"os"
	"os/exec"
	"runtime/debug"
	"time"
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
	p, err := openPlatform(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	before, err := settledMemory()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := p.makeTenants(ctx, idleCount, "https://siem.example.com/logs", nil); err != nil {
		return err
	}
	report("idle_org_creation_ms", milliseconds(time.Since(start))/idleCount, "ms")

	defer p.deliver()()
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

// settledMemory returns what the process holds when garbage is gone.
func settledMemory() (float64, error) {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(time.Second)
	}
	return memory(os.Getpid(), "VmRSS")
}
