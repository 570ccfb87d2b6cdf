package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
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

// platform is the platform's engines without its API, for many organizations.
type platform struct {
	registry *registry.Registry
	journal  *journal.Journal
	delivery *delivery.Manager
	closers  []func()
}

func openPlatform(ctx context.Context) (_ *platform, err error) {
	p := &platform{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { os.RemoveAll(dir) })
	logger := slog.New(slog.DiscardHandler)
	b, err := broker.Open(ctx, broker.Options{Dir: dir, Logger: logger})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, b.Close)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		return nil, err
	}
	if p.registry, err = registry.Open(ctx, b, registry.Options{Sealer: sealer, AllowHTTP: true, Now: time.Now}); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.registry.Close)
	if p.journal, err = journal.Open(ctx, b, journal.Options{}); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.journal.Close)
	p.delivery, err = delivery.Open(ctx, delivery.Options{
		Registry: p.registry, Journal: p.journal, Broker: b,
		Client:    outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}}),
		UserAgent: "trailhook/bench", Logger: logger, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.delivery.Close)
	return p, nil
}

func (p *platform) close() {
	for i := range p.closers {
		p.closers[len(p.closers)-1-i]()
	}
}

// deliver starts delivering, and returns what ends it.
func (p *platform) deliver() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.delivery.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// makeTenants makes so many organizations, each with a webhook to the endpoint
// and an event that was recorded before it was enabled, and tells their ids.
func (p *platform) makeTenants(ctx context.Context, count int, endpoint string, made func(id string)) error {
	var mu sync.Mutex
	var making errgroup.Group
	making.SetLimit(16)
	for n := range count {
		making.Go(func() error {
			id, err := p.makeTenant(ctx, n, endpoint)
			if err == nil && made != nil {
				mu.Lock()
				defer mu.Unlock()
				made(id)
			}
			return err
		})
	}
	return making.Wait()
}

func (p *platform) makeTenant(ctx context.Context, n int, endpoint string) (id string, err error) {
	org, err := p.registry.CreateOrganization(ctx, fmt.Sprintf("org %d", n))
	if err != nil {
		return "", err
	}
	e := sample(n)
	e.OrgID = org.ID
	if err := p.journal.Append(ctx, "us", e); err != nil {
		return "", err
	}
	d, err := p.registry.CreateDestination(ctx, registry.Destination{
		OrgID: org.ID, Name: "siem", Endpoint: endpoint, LogFormat: audit.CEF,
	}, "key")
	if err != nil {
		return "", err
	}
	enabled := true
	last := func(ctx context.Context) (uint64, error) {
		position, err := p.journal.Last(ctx)
		return uint64(position), err
	}
	_, err = p.registry.ChangeWebhook(ctx, registry.Scope{Region: "us", Organization: org.ID}, registry.WebhookChange{DestinationID: &d.ID, Enabled: &enabled}, last)
	return org.ID, err
}
