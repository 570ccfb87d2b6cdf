package collector

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/localca"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search"
)

// syslogServer takes frames with their length before them.
type syslogServer struct {
	listener net.Listener
	cut      int // closes each connection after so many messages; 0: never

	mu       sync.Mutex
	messages []string
	conns    int
}

func newSyslogServer(t *testing.T, listener net.Listener, cut int) *syslogServer {
	s := &syslogServer{listener: listener, cut: cut}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
			t.Cleanup(func() { conn.Close() })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return s
}

func (s *syslogServer) serve(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	in := bufio.NewReader(conn)
	for n := 1; s.cut == 0 || n <= s.cut; n++ {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		s.mu.Lock()
		s.messages = append(s.messages, string(message))
		s.mu.Unlock()
	}
}

func (s *syslogServer) got() (messages []string, conns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages), s.conns
}

func TestLinesAreForwardedAsSyslogOverTLS(t *testing.T) {
	ca, err := localca.Open(t.TempDir(), []string{"127.0.0.1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	server := newSyslogServer(t, listener, 0)
	y, f := startForwarding(t, t.TempDir(), outbound.Options{RootCAs: ca.Pool()})
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: "tls://" + listener.Addr().String()})
	var want []string
	for i := range 5 {
		line := fmt.Sprintf("line %d, café", i)
		y.take(t, line)
		want = append(want, "<110>1 - - trailhook - - - "+line)
	}
	waitFor(t, "the messages", func() bool {
		messages, conns := server.got()
		return slices.Equal(messages, want) && conns == 1
	})
}

func TestASyslogServerThatIsNotTrustedGetsNothing(t *testing.T) {
	ca, err := localca.Open(t.TempDir(), []string{"127.0.0.1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	server := newSyslogServer(t, listener, 0)
	y, f := startForwarding(t, t.TempDir(), outbound.Options{})
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: "tls://" + listener.Addr().String()})
	y.take(t, "a line")
	source, err := y.catalog.Source(y.source.ID)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the refusal", func() bool { return strings.Contains(f.Status(source).LastError, "certificate is not trusted") })
	if messages, _ := server.got(); len(messages) > 0 {
		t.Errorf("it got %q", messages)
	}
	y.forward(t, f, y.source.ID, ForwardingSetting{Endpoint: "tls://" + listener.Addr().String(), SkipTLSVerify: true})
	waitFor(t, "the line", func() bool { messages, _ := server.got(); return len(messages) == 1 })
}

func TestAClosedConnectionIsNoticedBeforeTheNextLines(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newSyslogServer(t, listener, 2)
	client := outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}})
	target := outbound.Target{Address: listener.Addr().String()}
	var link syslogLink
	defer link.close()
	for range 3 {
		if err := link.send(t.Context(), client, target, []search.Stored{{Raw: "one"}, {Raw: "two"}}); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if link.conn != nil {
			<-link.gone
		}
	}
	waitFor(t, "the messages", func() bool { messages, conns := server.got(); return len(messages) == 6 && conns == 3 })
	listener.Close()
	if err := link.send(t.Context(), client, target, []search.Stored{{Raw: "three"}}); err == nil || link.conn != nil {
		t.Errorf("to nobody: %v", err)
	}
}
