package collector

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	maxDatagram = 64 << 10
	// udpQueue and udpBytes bound what was read and is not on its way into the
	// intake yet.
	udpQueue = 16 << 10
	udpBytes = 16 << 20
	// udpBuffer is asked of the system for what was not read yet.
	udpBuffer = 4 << 20
)

// datagram is a message over UDP.
type datagram struct {
	peer    netip.Addr
	message []byte
}

// ServeUDP takes messages, one a datagram, until Shutdown, which closes conn,
// and returns nil then. UDP holds nobody up: what comes while the queue is full
// is dropped and counted, and what the system drops before is not even seen.
func (s *Syslog) ServeUDP(conn *net.UDPConn) error {
	l := packets{conn}
	if !s.begin(l) {
		return conn.Close()
	}
	defer s.end(l)
	_ = conn.SetReadBuffer(udpBuffer) // the system may allow less
	queue := make(chan datagram, udpQueue)
	var queued atomic.Int64
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		s.gatherDatagrams(queue, &queued, localPort(conn))
	}()
	err := s.readDatagrams(conn, queue, &queued)
	close(queue)
	<-gathered
	return err
}

type packets struct{ *net.UDPConn }

func (p packets) stop() { p.Close() }

func localPort(conn *net.UDPConn) uint16 {
	_, port := peerOf(conn.LocalAddr(), conn.LocalAddr())
	return port
}

func (s *Syslog) readDatagrams(conn *net.UDPConn, queue chan<- datagram, queued *atomic.Int64) error {
	read := s.syslog.messages.WithLabelValues("udp")
	noRoom := s.syslog.dropped.WithLabelValues("udp_no_room")
	dropped := func() {
		noRoom.Inc()
		s.metrics.sources.of(thisServer).refused("udp_no_room", 1, time.Now())
	}
	buffer := make([]byte, maxDatagram)
	for failures := 0; failures < 100; {
		n, peer, err := conn.ReadFromUDPAddrPort(buffer)
		switch {
		case err != nil && isClosed(err):
			return nil
		case err != nil: // of one datagram, as a rule
			failures++
			continue
		}
		failures = 0
		message := bytes.TrimRight(buffer[:n], "\r\n\x00")
		if len(message) == 0 {
			continue
		}
		read.Inc()
		if queued.Add(int64(len(message))) > udpBytes {
			queued.Add(int64(-len(message)))
			dropped()
			continue
		}
		select {
		case queue <- datagram{peer.Addr(), bytes.Clone(message)}:
		default:
			queued.Add(int64(-len(message)))
			dropped()
		}
	}
	return fmt.Errorf("syslog: read at %s: %w", conn.LocalAddr(), errors.New("it fails again and again"))
}

// gatherDatagrams makes durable what is in the queue, until it is closed.
func (s *Syslog) gatherDatagrams(queue <-chan datagram, queued *atomic.Int64, port uint16) {
	for first := range queue {
		peers := map[netip.Addr]*grouper{}
		lines, size := 0, 0
		add := func(d datagram) {
			queued.Add(int64(-len(d.message)))
			if peers[d.peer] == nil {
				peers[d.peer] = &grouper{}
			}
			peers[d.peer].add(oneMessage(d.message))
			lines++
			size += len(d.message)
		}
		add(first)
		window := time.NewTimer(gatherTime)
		for open := true; open && lines < groupLines && size < groupBytes; {
			var d datagram
			select {
			case d, open = <-queue:
				if open {
					add(d)
				}
			case <-window.C:
				open = false
			}
		}
		window.Stop()
		s.commitPeers(peers, port)
	}
}

// commitPeers returns when the lines of all the peers are durable.
func (s *Syslog) commitPeers(peers map[netip.Addr]*grouper, port uint16) {
	var waiting []chan bool
	for peer, lines := range peers {
		done := make(chan bool, 1)
		s.queue <- &consignment{peer: peer, port: port, lines: lines, done: done}
		waiting = append(waiting, done)
	}
	for _, done := range waiting {
		<-done
	}
}
