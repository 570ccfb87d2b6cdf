package collector

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inUse is how many bytes of memory hold what is still needed.
func inUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestBombsLeaveRoomForOthers(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	mebibyte := []byte(strings.Repeat(strings.Repeat("x", 512<<10-1)+"\n", 2))
	bomb := bytes.Repeat(encode(t, "gzip", mebibyte), maxDecompressed>>20+1)
	var bombs sync.WaitGroup
	for range 12 {
		bombs.Go(func() {
			w := y.post(bomb, "Content-Encoding", "gzip")
			if w.Code != http.StatusRequestEntityTooLarge && w.Code != http.StatusTooManyRequests {
				t.Errorf("a bomb: %d", w.Code)
			}
		})
	}
	exploded := make(chan struct{})
	go func() { defer close(exploded); bombs.Wait() }()
	var most int64
	for others := true; others; {
		select {
		case <-exploded:
			others = false
		default:
		}
		if w := y.post([]byte("a line")); w.Code != http.StatusOK {
			t.Fatalf("another sender: %d %s", w.Code, w.Body)
		}
		most = max(most, inUse())
	}
	// Twice 100 MiB of lines, eight times 16 MiB, and what grows with them.
	if most > 500<<20 {
		t.Errorf("%d MiB in use", most>>20)
	}
	if len(y.receiver.admission.large) != 0 || len(y.receiver.admission.decoding) != 0 || y.receiver.admission.held.Load() != 0 {
		t.Error("not all places are free again")
	}
}

func TestASenderIsToldToComeBackWhenBodiesHaveAllTheMemory(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.receiver.admission.held.Add(maxHeld)
	w := y.post([]byte("a line"))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if status, answer := y.hec("/event", `{"event":1}`); status != 503 || answer != `{"text":"Server is busy","code":9}` {
		t.Errorf("%d %s", status, answer)
	}
	y.receiver.admission.held.Add(-maxHeld)
	if w := y.post([]byte("a line")); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
	if n := y.counter(t, "trailhook_collector_requests_rejected_total", "busy"); n != 2 {
		t.Errorf("counted %v", n)
	}
}

func TestSlowBodiesHoldNoMoreThanTheyHaveSent(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	server := httptest.NewServer(y.mux)
	defer server.CloseClientConnections()
	const senders = 300
	for range senders {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\nthe beginning of a line", y.path(), maxCompressed)
	}
	waitFor(t, "all bodies have begun", func() bool { return y.receiver.admission.held.Load() == senders*firstBuffer })
	if w := y.post([]byte("a line")); w.Code != http.StatusOK {
		t.Errorf("another sender: %d", w.Code)
	}
}

func TestAMillionTinyLinesAreTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	_, address := y.serveSyslog(t)
	const lines = 1_000_000
	if w := y.post(encode(t, "gzip", bytes.Repeat([]byte("a\n"), lines)), "Content-Encoding", "gzip"); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	const messages = 100_000
	sendTCP(t, address, strings.Repeat("a\n", messages))
	waitFor(t, "all are taken", func() bool {
		return y.counter(t, "trailhook_collector_lines_received_total", "") == lines+messages
	})
}

func TestWhoStopsWithinAMessageIsCutOffAndItIsKept(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.frameTime = 100 * time.Millisecond
	_, address := y.serveSyslog(t)
	for _, test := range []struct{ sent, kept string }{
		{"<13>half a line", "half a line"}, {"100 <13>half a count", "half a count"}, {"12", "12"}, {"<13>whole\n<13>half of the second", "half of the second"},
	} {
		conn := dialSyslog(t, address)
		io.WriteString(conn, test.sent)
		if !isCutOff(conn) {
			t.Errorf("%q: the connection stays open", test.sent)
		}
		y.await(t, `"`+test.kept+`"`, 1)
	}
	if n := y.counter(t, "trailhook_collector_syslog_faults_total", "half"); n != 4 {
		t.Errorf("%v halves are counted", n)
	}
}

func TestASilentConnectionIsCutOff(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.idleTime = 10 * time.Millisecond
	_, address := y.serveSyslog(t)
	if !isCutOff(dialSyslog(t, address)) {
		t.Error("the connection stays open")
	}
}

func isCutOff(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := conn.Read(make([]byte, 1))
	return err == io.EOF
}

func TestLongMessagesOfManyConnectionsAreAllTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	_, address := y.serveSyslog(t)
	const senders = longFrames + 20
	long := strings.Repeat("x", 100<<10)
	var sending sync.WaitGroup
	for i := range senders {
		conn := dialSyslog(t, address)
		sending.Go(func() {
			fmt.Fprintf(conn, "<13>%d %s\n<13>short %d\n%d <13>%s", i, long, i, 4+len(long), long)
			conn.Close()
		})
	}
	sending.Wait()
	waitFor(t, "all are taken", func() bool {
		return y.counter(t, "trailhook_collector_lines_received_total", "") == 3*senders
	})
}

func TestManyConnectionsTakeLittleMemoryAndLeaveRoomForOthers(t *testing.T) {
	connections := 2000
	if os.Getenv("TRAILHOOK_SOAK") != "" {
		connections = 10_000
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(2*connections+200) {
		t.Skipf("%d connections need more open files than %d", connections, files.Cur)
	}
	y := start(t, t.TempDir(), setup{idle: true})
	s, address := y.serveSyslog(t)
	before := inUse()
	for i := range connections {
		conn := dialSyslog(t, address)
		switch i % 3 {
		case 0: // silent
		case 1:
			io.WriteString(conn, "<13>half a mess")
		case 2:
			io.WriteString(conn, "1000000 <13>much is announced")
		}
	}
	waitFor(t, "all are connected", func() bool { return s.open.Load() == int64(connections) })
	if used := inUse() - before; used > int64(connections)*(24<<10) {
		t.Errorf("%d bytes of memory a connection", used/int64(connections))
	}
	sendTCP(t, address, "<13>one of another sender\n")
	waitFor(t, "it is taken", func() bool { return y.counter(t, "trailhook_collector_lines_received_total", "") == 1 })
}
