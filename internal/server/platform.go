package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// platform is the running platform's half.
type platform struct {
	handler  http.Handler
	registry *registry.Registry
	journal  *journal.Journal
	delivery *delivery.Manager
	cancel   context.CancelFunc
	ended    chan struct{}
}

func (s *Server) startPlatform(ctx context.Context) (p *platform, err error) {
	sealer, err := s.openSealer()
	if err != nil {
		return nil, err
	}
	p = &platform{ended: make(chan struct{})}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	p.registry, err = registry.Open(ctx, s.broker, registry.Options{
		Sealer: sealer, AllowHTTP: s.config.AllowPrivateDestinations, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	if err := s.bootstrapPlatform(ctx, p.registry); err != nil {
		return nil, err
	}
	if p.journal, err = journal.Open(ctx, s.broker); err != nil {
		return nil, err
	}
	userAgent := "trailhook/" + s.config.Version
	p.delivery, err = delivery.Open(ctx, delivery.Options{
		Registry: p.registry, Journal: p.journal, Broker: s.broker,
		Client: outbound.New(outbound.Options{
			Policy:    outbound.Policy{AllowPrivate: s.config.AllowPrivateDestinations},
			RootCAs:   s.encryption.roots,
			UserAgent: userAgent,
		}),
		UserAgent: userAgent, Logger: s.logger, Metrics: s.metrics, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	p.handler = konnect.New(konnect.Options{
		Registry: p.registry, Recorder: recorder.New(p.journal, time.Now), Journal: p.journal, Delivery: p.delivery,
		Logger: s.logger, Region: s.config.Region, BaseURL: s.APIURL, Version: s.config.Version,
	})
	running, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.delivery.Run(running)
	}()
	return p, nil
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
