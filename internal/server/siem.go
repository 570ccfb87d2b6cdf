package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/console"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/parquet"
	"github.com/trailhook/trailhook/internal/sumo"
)

// siem is the running SIEM's half.
type siem struct {
	handler *http.ServeMux
	catalog *collector.Catalog
	store   search.Store
	indexer *collector.Indexer
	forward *collector.Forwarder
	expiry  *collector.Retention
	counts  *collector.Statistics
	alerts  *alert.Alerts
	api     *sumo.API
	console *console.Console // nil until all that it shows runs
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (s *Server) startSIEM(ctx context.Context) (*siem, error) {
	p := &siem{}
	if err := p.open(ctx, s); err != nil {
		return nil, errors.Join(err, p.close())
	}
	running, cancel := context.WithCancel(s.tracer.Into(context.Background()))
	p.cancel = cancel
	p.running.Go(func() {
		if err := p.indexer.Run(running); err != nil {
			s.fail("indexer", err)
		}
	})
	p.running.Go(func() { p.forward.Run(running) })
	p.running.Go(func() { p.expiry.Run(running) })
	p.running.Go(func() { p.counts.Run(running) })
	p.running.Go(func() { p.alerts.Run(running) })
	return p, nil
}

func (p *siem) open(ctx context.Context, s *Server) (err error) {
	if p.catalog, err = collector.OpenCatalog(ctx, s.broker); err != nil {
		return err
	}
	if err := s.bootstrapSIEM(ctx, p.catalog); err != nil {
		return err
	}
	intake, err := collector.OpenIntake(ctx, s.broker)
	if err != nil {
		return err
	}
	if p.store, err = s.openStore(ctx); err != nil {
		return err
	}
	metrics := collector.NewMetrics(s.metrics)
	keys := collector.NewKeys(s.keysClient(), s.ownKeys(), s.logger)
	if p.indexer, err = collector.NewIndexer(ctx, intake, p.store, keys, metrics, s.logger); err != nil {
		return err
	}
	if err := p.openSenders(ctx, s); err != nil {
		return err
	}
	days := func(sourceID string) int {
		return cmp.Or(p.catalog.RetentionDays(sourceID), s.config.SIEMRetentionDays, collector.DefaultRetentionDays)
	}
	p.expiry = collector.NewRetention(p.store, days, metrics, s.logger)
	p.counts = collector.NewStatistics(p.catalog, metrics, s.logger)
	mux := http.NewServeMux()
	collector.NewReceiver(p.catalog, intake, metrics, s.logger).Routes(mux)
	exports, err := parquet.Open(s.file("exports"))
	if err != nil {
		return err
	}
	p.api = sumo.New(sumo.Options{
		Catalog: p.catalog, Forwarder: p.forward, Alerts: p.alerts, Store: p.store, Feed: p.indexer.Feed(), Exports: exports, Statistics: p.counts,
		Recorder: s.siemRecorder(collector.NewOwn(intake, metrics)),
		Logger:   s.logger, Metrics: s.metrics, BaseURL: s.SIEMURL, AllowHTTPKeys: s.config.AllowPrivateDestinations,
	})
	p.api.Routes(mux)
	p.handler = mux
	s.syslog.serve(s, p.catalog, intake, metrics, s.metrics)
	return nil
}

// openConsole adds the pages, which show the platform's half too where it runs.
func (s *Server) openConsole() (err error) {
	options := console.Options{SIEM: s.siem.handler, SIEMURL: s.SIEMURL, PlatformURL: s.APIURL, Logger: s.logger}
	if s.platform != nil {
		options.Platform = s.platform.handler
	}
	if s.siem.console, err = console.New(options); err != nil {
		return err
	}
	s.siem.console.Routes(s.siem.handler)
	return nil
}

// openSenders opens what sends lines on and what tells of alerts, which reach what
// webhooks may reach.
func (p *siem) openSenders(ctx context.Context, s *Server) error {
	sealer, err := s.openSealer()
	if err != nil {
		return err
	}
	client, err := s.newDestinationClient()
	if err != nil {
		return err
	}
	p.forward, err = collector.OpenForwarder(ctx, collector.ForwarderOptions{
		Catalog: p.catalog, Indexer: p.indexer, Store: p.store, Broker: s.broker, Client: client, Sealer: sealer,
		AllowHTTP: s.config.AllowPrivateDestinations, Logger: s.logger, Metrics: s.metrics,
		MinPause: s.config.MinPause, MaxPause: s.config.MaxPause,
	})
	if err != nil {
		return err
	}
	p.alerts, err = alert.Open(ctx, alert.Options{
		Broker: s.broker, Store: sumo.Scoped(p.store), Settled: p.indexer.Settled, Client: client, Sealer: sealer,
		AllowHTTP: s.config.AllowPrivateDestinations, BaseURL: s.SIEMURL, Logger: s.logger, Metrics: s.metrics,
		MinPause: s.config.MinPause, MaxPause: s.config.MaxPause,
	})
	return err
}

// siemRecorder records the calls of this half's own API.
func (s *Server) siemRecorder(own *collector.Own) *recorder.Recorder {
	return recorder.New(recorder.Options{
		Journal: own, Service: sumo.Service, Now: time.Now,
		TrustedProxies: s.config.TrustedProxies, PrincipalNames: s.config.PrincipalNames,
	})
}

// ownKeys is the JWKS of the platform's half, where it runs beside: sources
// that name no other verify with it.
func (s *Server) ownKeys() string {
	if s.APIURL == "" {
		return ""
	}
	return s.APIURL + "/v2/audit-log-webhook/jwks.json"
}

// keysClient fetches key sets. It reaches what webhooks may reach, and this
// machine itself where our own keys are.
func (s *Server) keysClient() *outbound.Client {
	policy := outbound.Policy{AllowPrivate: s.config.AllowPrivateDestinations}
	if s.APIURL != "" {
		policy.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return s.newClient(policy)
}

// bootstrapSIEM makes the first access key, which is written to a file for who
// missed it on the screen.
func (s *Server) bootstrapSIEM(ctx context.Context, catalog *collector.Catalog) error {
	var err error
	s.AccessID, s.AccessKey, err = catalog.Bootstrap(ctx, func(id, secret string) error {
		return writeSecret(s.file("admin.access-key"), id+":"+secret)
	})
	return err
}

// stop ends the half when what it has taken is searchable, or stays in the
// intake for the next start if that takes too long. Its address serves nobody
// any more.
func (p *siem) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), indexGrace)
	defer cancel()
	err := p.indexer.Flush(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	p.cancel()
	p.running.Wait()
	return errors.Join(err, p.close())
}

func (p *siem) close() error {
	var err error
	if p.api != nil {
		p.api.Close()
	}
	if p.forward != nil {
		p.forward.Close()
	}
	if p.alerts != nil {
		p.alerts.Close()
	}
	if p.store != nil {
		err = p.store.Close()
	}
	if p.catalog != nil {
		p.catalog.Close()
	}
	return err
}
