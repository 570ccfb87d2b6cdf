// Package server assembles the parts into one process: the platform's half
// (API, recorder, journal, delivery), the SIEM's half (HTTP sources, intake,
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
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/trailhook/trailhook/internal/broker"
)

// Config says how a server is to run. Addresses are host:port; port 0 takes a
// free one.
type Config struct {
	DataDir  string
	APIAddr  string // the platform's API; empty: this half does not run
	SIEMAddr string // the SIEM's side; empty: this half does not run
	OpsAddr  string // health and metrics; empty: none
	APIURL   string // where clients reach the API; empty: derived from the address
	SIEMURL  string // where clients reach the SIEM's side; empty: derived from the address
	Region   string // of hosts that name none
	TLS      string // off, auto, or CERT,KEY

	// AllowPrivateDestinations lets webhooks reach loopback and private
	// networks, and over http.
	AllowPrivateDestinations bool
	MasterKey                string // a keyset; empty: the file in the data directory
	Version                  string
	Logger                   *slog.Logger
}

// Server is a running server.
type Server struct {
	APIURL  string // empty when the half does not run
	SIEMURL string
	OpsURL  string
	CAFile  string // the local authority's certificate; empty without --tls auto

	// What the first start made; empty at later ones. They are kept nowhere
	// else in the clear but in the two files named beside them.
	Token         string // DATA_DIR/admin.pat
	AccessID      string // DATA_DIR/admin.access-key
	AccessKey     string
	config        Config
	logger        *slog.Logger
	broker        *broker.Broker
	metrics       *prometheus.Registry
	encryption    *encryption
	platform      *platform
	siem          *siem
	listeners     []*listener
	failed        chan error
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
	defer func() {
		if err != nil {
			s.Shutdown()
		}
	}()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.broker, err = broker.Open(ctx, config.DataDir, s.logger); err != nil {
		return nil, err
	}
	if s.encryption, err = openEncryption(config); err != nil {
		return nil, err
	}
	s.CAFile = s.encryption.caFile
	// All addresses are taken before anything is served: the halves need to
	// know each other's, and a port that is in use must stop the start.
	api, err := s.listen(config.APIAddr, true)
	if err != nil {
		return nil, fmt.Errorf("--api-addr: %w", err)
	}
	siem, err := s.listen(config.SIEMAddr, true)
	if err != nil {
		return nil, fmt.Errorf("--siem-addr: %w", err)
	}
	ops, err := s.listen(config.OpsAddr, false)
	if err != nil {
		return nil, fmt.Errorf("--ops-addr: %w", err)
	}
	s.APIURL, s.SIEMURL, s.OpsURL = api.url(config.APIURL), siem.url(config.SIEMURL), ops.url("")
	if siem != nil {
		if s.siem, err = s.startSIEM(ctx); err != nil {
			return nil, err
		}
		s.serve(siem, s.siem.handler)
	}
	if api != nil {
		if s.platform, err = s.startPlatform(ctx); err != nil {
			return nil, err
		}
		s.serve(api, s.platform.handler)
	}
	if ops != nil {
		s.serve(ops, s.opsHandler())
	}
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
	for _, l := range s.listeners {
		if l.handles(s.APIURL) {
			errs = append(errs, l.shutdown())
		}
	}
	if s.platform != nil {
		s.platform.stop()
	}
	for _, l := range s.listeners {
		errs = append(errs, l.shutdown())
	}
	if s.siem != nil {
		errs = append(errs, s.siem.stop())
	}
	if s.broker != nil {
		s.broker.Close()
	}
	return errors.Join(errs...)
}

// part runs something that lives as long as the server, and remembers why it
// ended early.
func (s *Server) fail(what string, err error) {
	s.logger.Error("stopping", "part", what, "error", err)
	select {
	case s.failed <- fmt.Errorf("%s: %w", what, err):
	default:
	}
}

func (s *Server) file(name string) string { return filepath.Join(s.config.DataDir, name) }

// listener is an address being served.
type listener struct {
	net.Listener
	scheme   string
	server   *http.Server
	external string
	done     chan struct{}
}

func (s *Server) listen(address string, encrypted bool) (*listener, error) {
	if address == "" {
		return nil, nil
	}
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: inner, scheme: "http", done: make(chan struct{})}
	if encrypted && s.encryption.config != nil {
		l.scheme = "https"
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

// url is where clients reach the listener: what the operator says, else its
// address, by the name localhost where it is this machine's.
func (l *listener) url(external string) string {
	if l == nil {
		return ""
	}
	if l.external = external; external == "" {
		host, port, _ := net.SplitHostPort(l.Addr().String())
		if ip := net.ParseIP(host); ip.IsUnspecified() || ip.IsLoopback() {
			host = "localhost"
		}
		l.external = l.scheme + "://" + net.JoinHostPort(host, port)
	}
	return l.external
}

func (l *listener) handles(url string) bool { return l.external == url }

func (s *Server) serve(l *listener, handler http.Handler) {
	l.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(l.done)
		var err error
		if l.scheme == "https" {
			l.server.TLSConfig = s.encryption.config.Clone()
			err = l.server.ServeTLS(l.Listener, "", "")
		} else {
			err = l.server.Serve(l.Listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.fail("listener "+l.external, err)
		}
	}()
}

// shutdown waits for the requests being served, but not for ever.
func (l *listener) shutdown() error {
	if l.server == nil {
		return l.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpGrace)
	defer cancel()
	err := l.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = l.server.Close()
	}
	<-l.done
	return err
}
