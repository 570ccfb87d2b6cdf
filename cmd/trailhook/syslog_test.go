package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Nobody acknowledges syslog messages, so what a sender is owed is this: its
// connection is read no further than what is durable, so that of each connection
// a beginning is kept, without a gap, each message once. It holds at least what
// was counted as durable before the end.
func TestOfEachSyslogConnectionABeginningIsKeptWhenTheServerEnds(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			p := serve(t, dir)
			const senders = 4
			var sending sync.WaitGroup
			for sender := range senders {
				conn := p.dialSyslog()
				sending.Go(func() { sendNumbered(conn, sender) })
			}
			eventually(t, "messages are taken", func() bool { return p.syslogDurable() > 2000 })
			durable := p.syslogDurable()
			p.end(signal)
			sending.Wait()

			p = serve(t, dir)
			p.awaitIndexed()
			kept := 0
			for sender := range senders {
				kept += checkBeginning(t, p, sender)
			}
			if kept < durable {
				t.Errorf("%d messages are found, %d were counted as durable", kept, durable)
			}
			p.end(syscall.SIGTERM)
		})
	}
}

func (p *process) dialSyslog() net.Conn {
	p.t.Helper()
	conn, err := net.DialTimeout("tcp", p.syslog, generous)
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// sendNumbered sends messages with numbers, in either framing, until the
// connection breaks.
func sendNumbered(conn net.Conn, sender int) {
	defer conn.Close()
	for n := range 9000 { // a search finds 10,000
		message := fmt.Sprintf("<134>1 - sender-%d app - - - n=%d.", sender, n)
		framed := message + "\n"
		if n%3 == 0 {
			framed = fmt.Sprintf("%d %s", len(message), message)
		}
		if _, err := conn.Write([]byte(framed)); err != nil {
			return
		}
	}
}

// syslogDurable is how many lines the server counts as durable, which are all syslog's.
func (p *process) syslogDurable() (n int) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "GET", p.opsURL+"/metrics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	_, body, err := exchange(req)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if _, err := fmt.Sscanf(line, "trailhook_collector_lines_received_total %d", &n); err == nil {
			break
		}
	}
	return n
}

// awaitIndexed returns when all that was taken before is searchable: lines
// become so in the order in which they were taken.
func (p *process) awaitIndexed() {
	p.t.Helper()
	conn := p.dialSyslog()
	fmt.Fprint(conn, "<134>1 - marker app - - - the last\n")
	conn.Close()
	eventually(p.t, "the marker is found", func() bool { return len(p.search("_sourceHost=marker")) == 1 })
}

// checkBeginning looks for the messages of a sender, and returns how many there are.
func checkBeginning(t *testing.T, p *process, sender int) int {
	t.Helper()
	times := map[int]int{}
	for _, r := range p.search(fmt.Sprintf("_sourceHost=sender-%d", sender)) {
		var n int
		if _, err := fmt.Sscanf(r.Raw[strings.Index(r.Raw, " n=")+1:], "n=%d.", &n); err != nil {
			continue // the half of a message that was read last
		}
		if strings.HasSuffix(r.Raw, ".") {
			times[n]++
		}
	}
	for n := range len(times) {
		if times[n] != 1 {
			t.Fatalf("sender %d: message %d is found %d times, of %d messages", sender, n, times[n], len(times))
		}
	}
	return len(times)
}
