package collector

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// serveSyslog takes syslog over TCP and UDP at an address of 127.0.0.1.
func (y *system) serveSyslog(t *testing.T) (s *Syslog, address string) {
	t.Helper()
	s = NewSyslog(y.catalog, y.intake, y.metrics, y.registry, slog.New(slog.DiscardHandler))
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", stream.Addr().String())
	if err != nil {
		packets, err = net.ListenPacket("udp", "127.0.0.1:0") // somebody has the port
	}
	if err != nil {
		t.Fatal(err)
	}
	if y.frameTime > 0 {
		s.frameTime = y.frameTime
	}
	if y.idleTime > 0 {
		s.idleTime = y.idleTime
	}
	ended := make(chan error, 2)
	go func() { ended <- s.ServeTCP(stream) }()
	go func() { ended <- s.ServeUDP(packets.(*net.UDPConn)) }()
	y.closers = append(y.closers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Shutdown(ctx)
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	y.udp = packets.LocalAddr().String()
	return s, stream.Addr().String()
}

// sendTCP sends a stream and ends the connection.
func sendTCP(t *testing.T, address, stream string) {
	t.Helper()
	conn := dialSyslog(t, address)
	if _, err := io.WriteString(conn, stream); err != nil {
		t.Error(err)
	}
	conn.Close()
}

func dialSyslog(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// await returns the records that a query finds, as soon as there are so many.
func (y *system) await(t *testing.T, query string, want int) []search.Record {
	t.Helper()
	var found []search.Record
	waitFor(t, fmt.Sprintf("%d records of %s", want, query), func() bool {
		found = y.find(t, query)
		return len(found) >= want
	})
	if len(found) != want {
		t.Fatalf("%s: %d records, want %d", query, len(found), want)
	}
	return found
}

func TestSyslogOverTCPIsStoredAsItCame(t *testing.T) {
	signer := newSigner(1)
	y := start(t, t.TempDir(), setup{jwks: newKeyServer(t, signer).URL})
	_, address := y.serveSyslog(t)
	cef := signed(signer, audit.CEF, nil)
	counted := "<134>1 2026-02-03T04:05:06Z web-1 app 7 ID - " + signed(signer, audit.JSON, nil)
	sendTCP(t, address, "<133>Feb  3 04:05:06 web-2 sshd[42]: it works\n"+cef+"\r\n"+
		fmt.Sprintf("%d %s%d %s", len(counted), counted, len("<13>several\nlines"), "<13>several\nlines")+"<13>NUL-ended\x00<13>half a fra")
	found := y.await(t, "", 6)
	want := map[string]int{
		"<133>Feb  3 04:05:06 web-2 sshd[42]: it works": 1, cef: 1, counted: 1, "<13>several#012lines": 1, "<13>NUL-ended": 1, "<13>half a fra": 1,
	}
	if diff := cmp.Diff(want, raws(found)); diff != "" {
		t.Error(diff)
	}
	y.await(t, "_signature=valid granted=true", 2)
	if r := y.await(t, "app=sshd", 1)[0]; r.Host != "web-2" || r.Collector != "Syslog" || r.Source != "syslog" || fieldMap(r)["syslog_severity"] != "notice" {
		t.Errorf("%+v", r)
	}
	if r := y.await(t, "several", 1)[0]; r.Host != "127.0.0.1" {
		t.Errorf("a message without a host is from %q", r.Host)
	}
	if n := y.counter(t, "trailhook_collector_syslog_messages_total", "tcp"); n != 6 {
		t.Errorf("counted %v", n)
	}
}

func TestSyslogOverUDPIsStored(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.serveSyslog(t)
	conn, err := net.Dial("udp", y.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	long := "<13>" + strings.Repeat("x", 20_000)
	for _, message := range []string{"<13>app: one", "<13>app: two\n", "<13>app: three\x00", "<13>over\nlines", "\n", "CEF:0|v|p|1|c|four|1|", long} {
		if _, err := io.WriteString(conn, message); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{
		"<13>app: one": 1, "<13>app: two": 1, "<13>app: three": 1, "<13>over#012lines": 1, "CEF:0|v|p|1|c|four|1|": 1, long: 1,
	}
	if diff := cmp.Diff(want, raws(y.await(t, "_sourceHost=127.0.0.1", len(want)))); diff != "" {
		t.Error(short(diff))
	}
}

func TestSyslogOverTLSIsStored(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	s, _ := y.serveSyslog(t)
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTCP(tls.NewListener(inner, certified.TLS)) }()

	plain := dialSyslog(t, inner.Addr().String()) // who does not shake hands keeps nobody out
	defer plain.Close()
	conn, err := tls.Dial("tcp", inner.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 3 { // with pauses of ours in between
		fmt.Fprintf(conn, "<13>app: message %d\n", i)
		y.await(t, "app=app", i+1)
	}
	y.close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestASourceTakesTheMessagesOfItsPortAndNetworks(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	ctx := t.Context()
	made := map[string]Source{}
	for name, from := range map[string]*SyslogFrom{
		"http": nil, "all": {}, "port": {Port: 601},
		"ten": {Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "ten-one": {Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}},
		"ten-port": {Port: 601, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	} {
		source, err := y.catalog.CreateSource(ctx, Source{CollectorID: y.source.CollectorID, Name: name, Syslog: from})
		if err != nil {
			t.Fatal(err)
		}
		made[name] = source
	}
	for _, test := range []struct {
		peer string
		port uint16
		want string
	}{
		{"192.0.2.1", 8071, "all"}, {"192.0.2.1", 601, "port"}, {"10.2.0.1", 8071, "ten"}, {"10.2.0.1", 601, "ten-port"},
		{"10.1.0.1", 8071, "ten-one"}, {"10.1.0.1", 601, "ten-one"}, {"::ffff:10.1.0.1", 8071, "ten-one"}, {"fd00::1%eth0", 8071, "ten-one"},
	} {
		source, collector, err := y.catalog.syslogSourceFor(ctx, netip.MustParseAddr(test.peer), test.port)
		if err != nil || source.Name != test.want || collector.Name != "Konnect" {
			t.Errorf("%s at %d: %q of %q, want %q, %v", test.peer, test.port, source.Name, collector.Name, test.want, err)
		}
	}
	for _, name := range []string{"all", "port", "ten", "ten-port"} {
		if err := y.catalog.DeleteSource(ctx, made[name].ID, made[name].Revision); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // made once
		source, collector, err := y.catalog.syslogSourceFor(ctx, netip.MustParseAddr("192.0.2.1"), 8071)
		if err != nil || source.Name != "syslog" || collector.Name != "Syslog" || len(y.catalog.Sources(collector.ID)) != 1 {
			t.Errorf("%q of %q, %v", source.Name, collector.Name, err)
		}
	}
	_, err := y.catalog.CreateSource(ctx, Source{CollectorID: y.source.CollectorID, Name: "odd", Syslog: &SyslogFrom{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}})
	if err == nil {
		t.Error("a network with bits behind its prefix is taken")
	}
}

func TestASourceForSyslogIsMadeBesideOthersOfItsName(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	c, err := y.catalog.CreateCollector(t.Context(), Collector{Name: "Syslog"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := y.catalog.CreateSource(t.Context(), Source{CollectorID: c.ID, Name: "syslog"}); err != nil {
		t.Fatal(err)
	}
	source, _, err := y.catalog.syslogSourceFor(t.Context(), netip.MustParseAddr("192.0.2.1"), 8071)
	if err != nil || source.Name != "syslog-2" {
		t.Errorf("%q, %v", source.Name, err)
	}
}

func TestASenderOverTCPIsHeldUpWhileNothingCanBeMadeDurable(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	s, address := y.serveSyslog(t)
	y.broker.Close()
	conn := dialSyslog(t, address)
	conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	line := []byte("<13>" + strings.Repeat("x", 10_000) + "\n")
	written := 0
	for {
		n, err := conn.Write(line)
		written += n
		if err != nil {
			break // the buffers of both sides are full
		}
		if written > 256<<20 {
			t.Fatal("all is read although nothing can be kept")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("the shutdown tells nothing of what is lost")
	}
	if n := y.counter(t, "trailhook_collector_syslog_dropped_total", "shutdown"); n == 0 {
		t.Error("what is lost is not counted")
	}
}

func TestAtAShutdownWhatWasReadIsDurable(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	s, address := y.serveSyslog(t)
	for i := range 20 {
		conn := dialSyslog(t, address)
		fmt.Fprintf(conn, "<13>app: whole %d\n<13>app: half %d", i, i) // and it stays open
	}
	waitFor(t, "20 whole messages are read", func() bool {
		return y.counter(t, "trailhook_collector_syslog_messages_total", "tcp") >= 20
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	y.run()
	y.await(t, "whole", 20)
	y.await(t, "half", 20)
}
