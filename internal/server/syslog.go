package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/collector"

	"golang.org/x/net/netutil"
)

// syslogGrace is how long messages that were read may take to become durable
// when the server stops.
const syslogGrace = 5 * time.Second

// syslogDoors are the addresses at which syslog messages are taken.
type syslogDoors struct {
	streams   []net.Listener // TCP and TLS
	packets   []*net.UDPConn
	shown     []string // what each address speaks
	collector *collector.Syslog
}

// listenSyslog takes the addresses.
func (s *Server) listenSyslog() (_ *syslogDoors, err error) {
	d := &syslogDoors{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, address := range s.config.SyslogAddrs {
		stream, packets, err := listenBoth(address)
		if err != nil {
			return nil, fmt.Errorf("--syslog-addr: %w", err)
		}
		d.streams, d.packets = append(d.streams, netutil.LimitListener(stream, defaults.connections)), append(d.packets, packets)
		d.shown = append(d.shown, stream.Addr().String()+" (TCP, UDP)")
	}
	for _, address := range s.config.SyslogTLSAddrs {
		if s.encryption.config == nil {
			return nil, errors.New("--syslog-tls-addr: needs a certificate: set --tls to auto or to CERT,KEY")
		}
		stream, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("--syslog-tls-addr: %w", err)
		}
		config := s.encryption.config.Clone()
		config.NextProtos = nil // those are HTTP's
		d.streams = append(d.streams, tls.NewListener(netutil.LimitListener(stream, defaults.connections), config))
		d.shown = append(d.shown, stream.Addr().String()+" (TLS)")
	}
	return d, nil
}

// listenBoth takes an address for TCP and for UDP, the same port if any is asked for.
func listenBoth(address string) (net.Listener, *net.UDPConn, error) {
	for attempt := 0; ; attempt++ {
		stream, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, err
		}
		tcp := stream.Addr().(*net.TCPAddr)
		host, port, _ := net.SplitHostPort(address)
		packets, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(tcp.Port)))
		if err == nil {
			return stream, packets.(*net.UDPConn), nil
		}
		stream.Close()
		if port != "0" || attempt == 10 { // else another program has the port for UDP
			return nil, nil, err
		}
	}
}

// serve takes messages until stop.
func (d *syslogDoors) serve(s *Server, catalog *collector.Catalog, intake *collector.Intake, metrics *collector.Metrics, registerer prometheus.Registerer) {
	d.collector = collector.NewSyslog(catalog, intake, metrics, registerer, s.logger)
	for _, stream := range d.streams {
		go func() {
			if err := d.collector.ServeTCP(stream); err != nil {
				s.fail("syslog", err)
			}
		}()
	}
	for _, packets := range d.packets {
		go func() {
			if err := d.collector.ServeUDP(packets); err != nil {
				s.fail("syslog", err)
			}
		}()
	}
}

// stop returns when what was read is durable.
func (d *syslogDoors) stop() error {
	if d == nil || d.collector == nil {
		d.close()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), syslogGrace)
	defer cancel()
	if err := d.collector.Shutdown(ctx); err != nil {
		return fmt.Errorf("syslog: messages that were read could not be made durable: %w", err)
	}
	return nil
}

// close gives back addresses that are not served.
func (d *syslogDoors) close() {
	if d == nil {
		return
	}
	for _, stream := range d.streams {
		stream.Close()
	}
	for _, packets := range d.packets {
		packets.Close()
	}
}
