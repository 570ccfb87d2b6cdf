package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/gateway"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/recorder"
)

// proxy is the running data plane and its addresses.
type proxy struct {
	listeners []*listener
	gateway   *gateway.Gateway // nil before it is started
	cancel    context.CancelFunc
	ended     chan struct{}
}

// proxyLimits leave bodies and answers as long as they take: the data plane
// itself gives up who sends or takes nothing.
var proxyLimits = limits{
	connections: 16384,
	header:      64 << 10,
	headerTime:  10 * time.Second,
	idleTime:    2 * time.Minute,
}

// listenProxy takes the data plane's addresses; nil where it does not run.
func (s *Server) listenProxy() (*proxy, error) {
	p := &proxy{ended: make(chan struct{})}
	if s.config.APIAddr == "" || s.config.ProxyAddr == "" && s.config.ProxyTLSAddr == "" {
		return nil, nil
	}
	if s.config.ProxyTLSAddr != "" && s.encryption.config == nil {
		return nil, errors.New("--proxy-tls-addr: there is no certificate: set --tls")
	}
	for _, one := range []struct {
		flag, address string
		encrypted     bool
	}{{"--proxy-addr", s.config.ProxyAddr, false}, {"--proxy-tls-addr", s.config.ProxyTLSAddr, true}} {
		l, err := s.listen(one.address, "", one.encrypted)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", one.flag, err), p.stop())
		}
		if l != nil {
			p.listeners = append(p.listeners, l)
			s.Proxy = append(s.Proxy, l.url())
		}
	}
	return p, nil
}

// startProxy serves the data plane, once the platform's half runs.
func (s *Server) startProxy() error {
	p := s.proxy
	if p == nil {
		return nil
	}
	source, err := s.proxySource()
	if err != nil {
		return err
	}
	options := s.recorderOptions(s.platform.journal)
	options.Service, options.PrincipalNames = gateway.Service, true
	private := outbound.Policy{AllowPrivate: true, Allowed: s.config.AllowDestinations} // services are what is behind us
	p.gateway = gateway.New(gateway.Options{
		Source: source, Recorder: recorder.New(options), Client: s.newClient(private), Upstream: private,
		Version: s.config.Version, Logger: s.logger, Metrics: s.metrics,
	})
	running, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.gateway.Run(running)
	}()
	for _, l := range p.listeners {
		s.serve(l, p.gateway, proxyLimits)
	}
	return nil
}

// proxySource follows the registry of this process, or another server's API.
func (s *Server) proxySource() (gateway.Source, error) {
	if s.config.ProxyControlPlaneURL != "" {
		return s.remoteSource()
	}
	registry := s.platform.registry
	return gateway.Local{
		Now: func() (c gateway.Configuration, changed [2]<-chan struct{}, ok bool, err error) {
			plane, planes, ok := registry.ServedControlPlane(s.config.ProxyControlPlane, s.config.Region)
			changed[0] = planes
			if !ok {
				return c, changed, false, nil
			}
			set, entities, err := registry.CoreEntities(plane)
			changed[1] = entities
			return gateway.Configuration{Entities: set, Organization: plane.OrgID, Region: plane.Region}, changed, true, err
		},
		Failed: func(err error) {
			s.logger.Error("the data plane cannot read its configuration; it serves the last one", "error", err)
		},
	}, nil
}

// remoteSource follows a control plane of another server. What passes is
// recorded here, for this server's first organization.
func (s *Server) remoteSource() (gateway.Source, error) {
	organization, ok := s.platform.registry.FirstOrganization()
	if !ok {
		return nil, errors.New("--proxy-control-plane-url: there is no organization yet whose events the data plane could record")
	}
	roots := s.encryption.roots
	if file := s.config.ProxyControlPlaneCA; file != "" {
		var err error
		if roots, err = withAuthorities(roots, file); err != nil {
			return nil, fmt.Errorf("--proxy-control-plane-ca: %w", err)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return gateway.Remote{
		URL: strings.TrimSuffix(s.config.ProxyControlPlaneURL, "/"), Token: s.config.ProxyControlPlaneToken, ControlPlane: s.config.ProxyControlPlane,
		Organization: organization.ID, Region: s.config.Region,
		Kept: s.file("proxy-configuration.json"), Client: &http.Client{Transport: transport}, Logger: s.logger,
	}, nil
}

// stop ends the serving first, then what the last requests have left to record.
func (p *proxy) stop() error {
	if p == nil {
		return nil
	}
	var errs []error
	for _, l := range p.listeners {
		errs = append(errs, l.shutdown())
	}
	if p.gateway != nil {
		p.cancel()
		<-p.ended
	}
	return errors.Join(errs...)
}
