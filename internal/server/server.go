// Package server assembles the parts into one process: the platform's half
// (API, recorder, journal, delivery, and the data plane), the SIEM's half (HTTP sources, intake,
// search, console), and the operator's address.
//
// The two halves share the broker, which is the disk, and nothing else: events
// go from one to the other over HTTP only.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/trailhook/trailhook/internal/backup"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search/clickhouse"
	"github.com/trailhook/trailhook/internal/tracing"
)

// Config says how a server is to run. Addresses are host:port; port 0 takes a
// free one.
type Config struct {
	DataDir  string
	APIAddr  string // the platform's API; empty: this half does not run
	SIEMAddr string // the SIEM's side; empty: this half does not run
	OpsAddr  string // health and metrics; empty: none
	// ProxyAddr is the data plane's, and ProxyTLSAddr the same over TLS; empty:
	// none. They run with the platform's half only.
	ProxyAddr, ProxyTLSAddr string
	ProxyControlPlane       string // whose entities it serves: its id, or its name
	// ProxyControlPlaneURL is the API of another server, on which that control
	// plane is, by its id, and ProxyControlPlaneToken what may read it; empty: it is
	// on this server.
	ProxyControlPlaneURL, ProxyControlPlaneToken string
	ProxyControlPlaneCA                          string // PEM file of authorities that are trusted there beside the system's; empty: none
	// SyslogAddrs take syslog over TCP and UDP, SyslogTLSAddrs over TLS, for the
	// SIEM's side.
	SyslogAddrs, SyslogTLSAddrs []string

	Search *clickhouse.Address // where the SIEM's side keeps its lines; nil: in DuckDB, in the data directory

	APIURL  string // where clients reach the API; empty: derived from the address
	SIEMURL string // where clients reach the SIEM's side; empty: derived from the address
	Region  string // of hosts that name none
	TLS     string // off, auto, or CERT,KEY

	// AllowPrivateDestinations lets webhooks reach loopback and private
	// networks, and over http.
	AllowPrivateDestinations bool
	AllowDestinations        []netip.Prefix // networks that webhooks may reach, whatever they are
	DestinationProxy         *url.URL       // that makes the connections to webhooks; nil: none
	DestinationCA            string         // PEM file of authorities that webhooks trust beside the system's; empty: none
	MasterKey                string         // a keyset; empty: the file in the data directory

	Broker          broker.Options // the engine: Dir and Logger are the server's
	Retention       time.Duration  // of events in the journal; 0: journal.Retention
	JournalMaxBytes int64          // 0: no limit
	DropOldest      bool           // of a full journal, instead of refusing new events
	// SIEMRetentionDays is for how many days records are kept whose source says
	// nothing else; 0: collector.DefaultRetentionDays.
	SIEMRetentionDays int
	TrustedProxies    []netip.Prefix // whose word on a client's address and trace is taken
	PrincipalNames    bool           // principals' names in the events

	Rates           konnect.Rates // of the API's requests; what is zero is not limited
	Batch           BatchLimits   // of deliveries; what is zero stands for delivery's defaults
	ContentEncoding string        // of deliveries; empty: gzip

	// DeliveryTimeout is how long an endpoint may take until it begins to answer;
	// a whole delivery may take twice as long. 0: outbound's defaults.
	DeliveryTimeout time.Duration
	// MinPause and MaxPause are the pauses before a delivery that was refused after
	// all retries is tried again; 0: delivery's defaults.
	MinPause, MaxPause time.Duration

	Version string
	Logger  *slog.Logger
}

// BatchLimits say when a batch leaves: when the first of them is reached.
type BatchLimits struct {
	Events, Bytes int
	Wait          time.Duration
}

// Server is a running server.
type Server struct {
	APIURL  string // empty when the half does not run
	SIEMURL string
	OpsURL  string
	Proxy   []string // URLs of the data plane
	Syslog  []string // addresses, each with what it speaks
	CAFile  string   // the local authority's certificate; empty without --tls auto

	// What the first start made; empty at later ones. They are kept nowhere
	// else in the clear but in the two files named beside them.
	Token     string // DATA_DIR/admin.pat
	AccessID  string // DATA_DIR/admin.access-key
	AccessKey string

	config        Config
	logger        *slog.Logger
	broker        *broker.Broker
	metrics       *prometheus.Registry
	encryption    *encryption
	clients       []*outbound.Client
	platform      *platform
	proxy         *proxy
	siem          *siem
	api           *listener // nil when the half does not run
	collect       *listener
	syslog        *syslogDoors
	ops           *listener
	failed        chan error
	phase         atomic.Int32 // a phase
	tracer        *tracing.Tracer
	control       *controlSocket
	shutdownOnce  sync.Once
	shutdownError error
}

// How long the parts of a shutdown may take.
const (
	httpGrace  = 5 * time.Second
	indexGrace = 5 * time.Second
)

// Start starts everything and returns when all addresses answer. Whatever it
// cannot do is an error, and then nothing runs.
func Start(ctx context.Context, config Config) (_ *Server, err error) {
	s := &Server{
		config:  config,
		logger:  config.Logger,
		metrics: prometheus.NewRegistry(),
		failed:  make(chan error, 8),
	}
	if err := backup.CheckFinished(config.DataDir); err != nil {
		return nil, err
	}
	if config.Broker.URLs != "" && config.SIEMAddr != "" {
		return nil, errors.New("--nats: the SIEM's side is one process, which a cluster cannot share: " +
			"start this process with --only platform, and the SIEM's side as one of its own with --only collector and without --nats")
	}
	defer func() {
		if err != nil {
			s.Shutdown()
		}
	}()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), gauges{s})
	counted := newRequests(s.metrics)
	if s.tracer, err = tracing.Open(ctx, config.Version, s.logger); err != nil {
		return nil, err
	}
	s.config.Broker.Dir, s.config.Broker.Logger = config.DataDir, s.logger
	if s.broker, err = broker.Open(ctx, s.config.Broker); err != nil {
		return nil, err
	}
	if s.encryption, err = openEncryption(config); err != nil {
		return nil, err
	}
	s.CAFile = s.encryption.caFile
	// All addresses are taken before anything is served: the halves need to
	// know each other's, and a port that is in use must stop the start.
	if s.api, err = s.listen(config.APIAddr, config.APIURL, true); err != nil {
		return nil, fmt.Errorf("--api-addr: %w", err)
	}
	if s.collect, err = s.listen(config.SIEMAddr, config.SIEMURL, true); err != nil {
		return nil, fmt.Errorf("--siem-addr: %w", err)
	}
	if s.collect != nil {
		if s.syslog, err = s.listenSyslog(); err != nil {
			return nil, err
		}
		s.Syslog = s.syslog.shown
	}
	if s.proxy, err = s.listenProxy(); err != nil {
		return nil, err
	}
	if s.ops, err = s.listen(config.OpsAddr, "", false); err != nil {
		return nil, fmt.Errorf("--ops-addr: %w", err)
	}
	// At once: a start that takes its time, with much on disk, is alive and not ready.
	if s.ops != nil {
		s.serve(s.ops, s.opsHandler(), defaults)
	}
	s.APIURL, s.SIEMURL, s.OpsURL = s.api.url(), s.collect.url(), s.ops.url()
	if s.collect != nil {
		if s.siem, err = s.startSIEM(ctx); err != nil {
			return nil, err
		}
	}
	if s.api != nil {
		if s.platform, err = s.startPlatform(ctx); err != nil {
			return nil, err
		}
	}
	if s.siem != nil {
		if err = s.openConsole(); err != nil {
			return nil, err
		}
		s.serve(s.collect, s.observe(counted, siemPurpose, s.siem.console.Over(s.siem.handler)), defaults)
	}
	if s.platform != nil {
		s.serve(s.api, s.observe(counted, apiPurpose, s.platform.handler), defaults)
		if err := s.startProxy(); err != nil {
			return nil, err
		}
	}
	s.phase.Store(int32(serving))
	s.control = s.listenControl()
	return s, nil
}

// Failed tells of the first part that could not go on.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown ends everything in the order in which nothing is lost: no new
// requests, then no new deliveries, then what the SIEM's side has taken is
// made searchable, then the disk is closed. What remains is on disk and goes
// on at the next start.
func (s *Server) Shutdown() error {
	s.shutdownOnce.Do(func() { s.shutdownError = s.shutdown() })
	return s.shutdownError
}

func (s *Server) shutdown() error {
	var errs []error
	s.phase.Store(int32(stopping))
	s.control.stop()
	// Our own idle connections would have the listeners wait for them.
	s.closeIdle()
	errs = append(errs, s.proxy.stop()) // its requests are recorded by the platform's half
	if s.platform != nil {
		s.platform.api.EndWaits()
	}
	errs = append(errs, s.api.shutdown())
	if s.platform != nil {
		s.platform.stop()
		s.closeIdle()
	}
	if s.siem != nil {
		s.siem.api.EndTails()
		if s.siem.console != nil {
			s.siem.console.Close()
		}
	}
	errs = append(errs, s.collect.shutdown(), s.ops.shutdown(), s.syslog.stop())
	if s.siem != nil {
		errs = append(errs, s.siem.stop())
	}
	if s.broker != nil {
		s.broker.Close()
	}
	s.tracer.Close()
	return errors.Join(errs...)
}

// newClient makes a client for requests of our own.
func (s *Server) newClient(policy outbound.Policy) *outbound.Client {
	client := outbound.New(outbound.Options{
		Policy: policy, RootCAs: s.encryption.roots, UserAgent: s.userAgent(),
	})
	s.clients = append(s.clients, client)
	return client
}

func (s *Server) closeIdle() {
	for _, client := range s.clients {
		client.CloseIdleConnections()
	}
}

func (s *Server) userAgent() string { return "trailhook/" + s.config.Version }

// fail tells that a part cannot go on.
func (s *Server) fail(what string, err error) {
	s.logger.Error("stopping", "part", what, "error", err)
	select {
	case s.failed <- fmt.Errorf("%s: %w", what, err):
	default:
	}
}

func (s *Server) file(name string) string { return filepath.Join(s.config.DataDir, name) }
