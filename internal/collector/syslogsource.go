package collector

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// SyslogFrom says which syslog messages a source takes: those that come to the
// port and from one of the networks.
type SyslogFrom struct {
	Port     uint16         `json:",omitempty"` // of ours; 0: any
	Networks []netip.Prefix `json:",omitempty"` // of the peer; none: any
}

// The names of the collector and the source that are made for messages which
// no other source takes.
const (
	syslogCollector = "Syslog"
	syslogSource    = "syslog"
)

// fit tells how well the source fits a peer and a port of ours: the longer the
// network the better, and of those alike one that names the port; -1: not at all.
func (s *SyslogFrom) fit(peer netip.Addr, port uint16) int {
	if s == nil || s.Port != 0 && s.Port != port {
		return -1
	}
	bits := -1
	for _, network := range s.Networks {
		if network.Contains(peer) {
			bits = max(bits, network.Bits())
		}
	}
	if bits < 0 && len(s.Networks) > 0 {
		return -1
	}
	fit := 2 * (bits + 1)
	if s.Port != 0 {
		fit++
	}
	return fit
}

// syslogSourceFor finds the source that takes messages of a peer: the one that
// fits best, or of several the oldest. Where none does, it is the source
// "syslog" of the collector "Syslog", which is made: a message that nobody
// has planned for is not dropped.
func (c *Catalog) syslogSourceFor(ctx context.Context, peer netip.Addr, port uint16) (Source, Collector, error) {
	peer = peer.Unmap().WithZone("")
	var found Source
	var of Collector
	best := -1
	for _, collector := range c.Collectors() {
		for _, source := range c.Sources(collector.ID) {
			fit := source.Syslog.fit(peer, port)
			if fit > best || fit == best && fit >= 0 && source.ID < found.ID {
				found, of, best = source, collector, fit
			}
		}
	}
	if best >= 0 {
		return found, of, nil
	}
	return c.makeSyslogSource(ctx)
}

func (c *Catalog) makeSyslogSource(ctx context.Context) (Source, Collector, error) {
	collector, err := c.CreateCollector(ctx, Collector{Name: syslogCollector})
	if errors.Is(err, ErrNameTaken) {
		collector, err = c.collectorNamed(syslogCollector)
	}
	if err != nil {
		return Source{}, Collector{}, fmt.Errorf("collector for syslog: %w", err)
	}
	name := syslogSource
	for n := 2; ; n++ {
		source, err := c.CreateSource(ctx, Source{CollectorID: collector.ID, Name: name, Syslog: &SyslogFrom{}})
		if err == nil {
			return source, collector, nil
		}
		if !errors.Is(err, ErrNameTaken) || n > 100 {
			return Source{}, Collector{}, fmt.Errorf("source for syslog: %w", err)
		}
		name = fmt.Sprintf("%s-%d", syslogSource, n) // somebody's source of another kind has the name
	}
}

func (c *Catalog) collectorNamed(name string) (Collector, error) {
	for _, collector := range c.Collectors() {
		if collector.Name == name {
			return collector, nil
		}
	}
	return Collector{}, fmt.Errorf("collector %q is gone", name)
}

// check refuses networks that cannot be told from a mistake.
func (s *SyslogFrom) check() error {
	if s == nil {
		return nil
	}
	for _, network := range s.Networks {
		if !network.IsValid() || network != network.Masked() {
			return fmt.Errorf("%w: network %s of the syslog source: want the form 10.0.0.0/8, with zeros behind the prefix", ErrInvalid, network)
		}
	}
	return nil
}
