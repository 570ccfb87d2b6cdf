package gateway

import (
	"errors"

	"github.com/trailhook/trailhook/internal/entity"
)

// The places of plugins in a chain, in the order in which they are asked.
const (
	slotCORS = iota
	slotKeyAuth
	slotRateLimiting
	slotTermination
	slotHTTPLog
	slotAudit
	slots
)

// The schemes that a plugin can run for.
const (
	byHTTP = 1 << iota
	byHTTPS
)

// plugin is a plugin as it is configured somewhere.
type plugin struct {
	id                       string
	slot                     int
	service, route, consumer string // for which it is; empty: any
	schemes                  int
	http                     behaviour
}

// behaviour is what the plugin does: one of these.
type behaviour struct {
	cors         *cors
	keyAuth      *keyAuth
	rateLimiting *rateLimiting
	termination  *termination
	log          *httpLog
	audit        *auditing
}

func (p *plugin) runs(scheme int) bool { return p != nil && p.schemes&scheme != 0 }

// chain is the plugins of a request, at most one in each place.
type chain [slots]*plugin

func (g *Gateway) compilePlugin(d entity.Document) (plugin, error) {
	p := plugin{
		id: d.ID(), service: d.Reference("service"), route: d.Reference("route"), consumer: d.Reference("consumer"),
	}
	for _, protocol := range texts(d["protocols"]) {
		p.schemes |= map[string]int{"http": byHTTP, "https": byHTTPS}[protocol]
	}
	var err error
	switch name := d.Text("name"); name {
	case entity.CORS:
		p.slot = slotCORS
		p.http.cors, err = newCORS(d)
	case entity.KeyAuth:
		p.slot = slotKeyAuth
		p.http.keyAuth, err = newKeyAuth(d)
	case entity.RateLimiting:
		p.slot = slotRateLimiting
		p.http.rateLimiting, err = newRateLimiting(d)
	case entity.RequestTermination:
		p.slot = slotTermination
		p.http.termination, err = newTermination(d)
	case entity.HTTPLog:
		p.slot = slotHTTPLog
		p.http.log, err = newHTTPLog(d)
	case entity.Audit:
		p.slot = slotAudit
		p.http.audit, err = newAuditing(d)
	default:
		err = errors.New("this data plane does not have it")
	}
	return p, err
}

// rank tells how special a plugin is: of those of one name that a request could
// have, it has the highest. The order is Kong's
// (https://developer.konghq.com/gateway/entities/plugin/#plugin-precedence).
func (p *plugin) rank() int {
	service, route, consumer := p.service != "", p.route != "", p.consumer != ""
	switch {
	case consumer && route && service:
		return 8
	case consumer && route:
		return 7
	case consumer && service:
		return 6
	case route && service:
		return 5
	case consumer:
		return 4
	case route:
		return 3
	case service:
		return 2
	}
	return 1
}

// fits reports whether the plugin is for the route and its service.
func (p *plugin) fits(route, service string) bool {
	return (p.route == "" || p.route == route) && (p.service == "" || p.service == service)
}

// choose makes the chain of a route of plugins that are for any consumer.
func choose(plugins []plugin, route, service string) (c chain) {
	for i := range plugins {
		c.take(&plugins[i], route, service)
	}
	return c
}

func (c *chain) take(p *plugin, route, service string) {
	if there := c[p.slot]; p.fits(route, service) && (there == nil || p.rank() > there.rank()) {
		c[p.slot] = p
	}
}

// of is the chain of a request of the consumer.
func (c chain) of(owner *consumer, r *route) chain {
	service := ""
	if r.service != nil {
		service = r.service.id
	}
	for i := range owner.plugins {
		c.take(&owner.plugins[i], r.id, service)
	}
	return c
}
