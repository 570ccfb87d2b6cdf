package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/ingest"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// platform is the running platform's half.
type platform struct {
	handler  http.Handler
	api      *konnect.API
	registry *registry.Registry
	journal  *journal.Journal
	delivery *delivery.Manager
	cancel   context.CancelFunc
	ended    chan struct{}
}

func (s *Server) startPlatform(ctx context.Context) (*platform, error) {
	p := &platform{ended: make(chan struct{})}
	if err := p.open(ctx, s); err != nil {
		p.close()
		return nil, err
	}
	running, cancel := context.WithCancel(s.tracer.Into(context.Background()))
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		var dropping sync.WaitGroup
		dropping.Go(func() { s.dropOldKeys(running, p) })
		p.delivery.Run(running)
		dropping.Wait()
	}()
	return p, nil
}

func (p *platform) open(ctx context.Context, s *Server) error {
	sealer, err := s.openSealer()
	if err != nil {
		return err
	}
	p.registry, err = registry.Open(ctx, s.broker, registry.Options{
		Sealer: sealer, AllowHTTP: s.config.AllowPrivateDestinations, Now: time.Now, Shared: s.config.Broker.URLs != "",
	})
	if err != nil {
		return err
	}
	// Before anything depends on it: a process with another master key than the
	// one that made the signing key could not deliver.
	if _, err := p.registry.Signer(); err != nil {
		return fmt.Errorf("%w (all processes on one registry need the same master key: copy master.key, or set TRAILHOOK_MASTER_KEY)", err)
	}
	if err := s.bootstrapPlatform(ctx, p.registry); err != nil {
		return err
	}
	if p.journal, err = journal.Open(ctx, s.broker, journal.Options{
		Retention: s.config.Retention, MaxBytes: s.config.JournalMaxBytes, DropOldest: s.config.DropOldest,
		Logger: s.logger, Metrics: s.metrics,
	}); err != nil {
		return err
	}
	client, err := s.newDestinationClient()
	if err != nil {
		return err
	}
	p.delivery, err = delivery.Open(ctx, delivery.Options{
		Registry: p.registry, Journal: p.journal, Broker: s.broker, Shared: s.config.Broker.URLs != "",
		Client:    client,
		UserAgent: s.userAgent(), Logger: s.logger, Metrics: s.metrics, Now: time.Now,
		MaxEvents: s.config.Batch.Events, MaxBytes: s.config.Batch.Bytes, MaxWait: s.config.Batch.Wait,
		ContentEncoding: s.config.ContentEncoding,
		MinPause:        s.config.MinPause, MaxPause: s.config.MaxPause,
	})
	if err != nil {
		return err
	}
	api := konnect.New(konnect.Options{
		Registry: p.registry, Recorder: recorder.New(s.recorderOptions(p.journal)), Journal: p.journal, Delivery: p.delivery,
		Logger: s.logger, Region: s.config.Region, BaseURL: s.APIURL, Version: s.config.Version,
		Rates: s.config.Rates, Metrics: s.metrics,
	})
	ingest.New(ingest.Options{Journal: p.journal, Retention: p.journal.Retention(), Logger: s.logger, Now: time.Now}).Mount(api)
	p.handler, p.api = api, api
	return nil
}

func (s *Server) recorderOptions(j *journal.Journal) recorder.Options {
	return recorder.Options{
		Journal: j, Now: time.Now,
		TrustedProxies: s.config.TrustedProxies, PrincipalNames: s.config.PrincipalNames,
	}
}

func (s *Server) openSealer() (*seal.Sealer, error) {
	if s.config.MasterKey != "" {
		sealer, err := seal.Parse(s.config.MasterKey)
		if err != nil {
			return nil, fmt.Errorf("TRAILHOOK_MASTER_KEY: %w", err)
		}
		return sealer, nil
	}
	return seal.OpenFile(s.file("master.key"))
}

// bootstrapPlatform makes the first organization and its admin's token, which
// is written to a file for who missed it on the screen.
func (s *Server) bootstrapPlatform(ctx context.Context, r *registry.Registry) error {
	token, err := r.Bootstrap(ctx, func(token string) error {
		return writeSecret(s.file("admin.pat"), token)
	})
	s.Token = token
	return err
}

// dropOldKeys deletes the private halves of signing keys once nothing can be sent
// again that they have signed: an event is kept for the retention, and for as
// long again where it was set aside.
func (s *Server) dropOldKeys(ctx context.Context, p *platform) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		n, err := p.registry.DropRetiredSeeds(ctx, time.Now().Add(-2*p.journal.Retention()))
		switch {
		case err != nil && ctx.Err() == nil:
			s.logger.Warn("cannot drop the private half of a retired signing key; trying again in an hour", "error", err)
		case n > 0:
			s.logger.Info("the private halves of retired signing keys were dropped", "keys", n)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// stop ends the half. Its address serves nobody any more.
func (p *platform) stop() {
	p.cancel()
	<-p.ended
	p.close()
}

func (p *platform) close() {
	if p.journal != nil {
		p.journal.Close()
	}
	if p.delivery != nil {
		p.delivery.Close()
	}
	if p.registry != nil {
		p.registry.Close()
	}
}
