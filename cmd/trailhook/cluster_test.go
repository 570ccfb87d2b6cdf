package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

// siemEndpoint is a receiver that remembers what came, in order.
type siemEndpoint struct {
	*httptest.Server
	mu    sync.Mutex
	lines map[string][]string // by principal id, each time it came
	order []string
}

// newest is the line that came last.
func (s *siemEndpoint) newest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines[s.order[len(s.order)-1]]
	return lines[len(lines)-1]
}

func newSIEMEndpoint(t *testing.T) *siemEndpoint {
	s := &siemEndpoint{lines: map[string][]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, err := io.ReadAll(body)
		if err != nil {
			return // the sender was killed
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			decoded, err := audit.Decode(line)
			if err != nil {
				t.Errorf("%v: %s", err, line)
				continue
			}
			id := decoded.Event.PrincipalID
			if decoded.Event.Service != "billing" {
				continue
			}
			s.lines[id] = append(s.lines[id], string(line))
			s.order = append(s.order, id)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *siemEndpoint) arrived() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

func (s *siemEndpoint) twice() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lines := range s.lines {
		n += len(lines) - 1
	}
	return n
}

// Two processes on one cluster: either takes calls, one of them delivers, and
// when it is killed the other goes on.
func TestTwoProcessesOnAClusterDeliverEverythingWhenOneIsKilled(t *testing.T) {
	t.Parallel()
	cluster := brokertest.Cluster(t)
	endpoint := newSIEMEndpoint(t)
	first := serve(t, filepath.Join(t.TempDir(), "a"), "--only", "platform", "--nats", cluster.URLs())
	// The same master key; the second process finds the registry made.
	dir := filepath.Join(t.TempDir(), "b")
	copyFiles(t, first.dataDir, dir, "master.key", "admin.pat")
	second := serve(t, dir, "--only", "platform", "--nats", cluster.URLs())

	resp, body, err := first.api(t.Context(), "POST", "/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "SIEM", "endpoint": %q, "authorization": "", "log_format": "json"}`, endpoint.URL))
	destination := must(t, 201, resp, body, err)["id"]
	resp, body, err = second.api(t.Context(), "GET", fmt.Sprintf("/v3/audit-log-destinations/%s", destination), "")
	must(t, 200, resp, body, err) // at once
	resp, body, err = second.api(t.Context(), "PATCH", "/v3/audit-log-webhook",
		fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, destination))
	must(t, 200, resp, body, err)

	// A token that is made beside the running servers is known to them at once.
	create := exec.CommandContext(t.Context(), os.Args[0], "token", "create", "--nats", cluster.URLs(),
		"--data-dir", first.dataDir, "--system-account", "billing", "--role", "audit-events-writer")
	create.Env = append(os.Environ(), asTrailhook+"=1")
	token, err := create.Output()
	if err != nil {
		t.Fatalf("token create: %v", err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", second.apiURL+"/trailhook/v1/events", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if resp, body, err = exchange(req); err != nil || resp.StatusCode != 400 { // admitted, and told that nothing was sent
		t.Fatalf("the new token: %v\n%s", err, body)
	}

	o := &oracle{acknowledged: map[string]bool{}}
	recordThrough := func(n int, through ...*process) {
		t.Helper()
		for i := range n {
			r := o.newRequest()
			if _, err := o.send(t.Context(), through[i%len(through)], r); err != nil {
				t.Fatal(err)
			}
		}
	}
	recordThrough(40, first, second)
	eventually(t, "everything has arrived", func() bool { return endpoint.arrived() == len(o.acknowledged) })
	if n := endpoint.twice(); n != 0 {
		t.Errorf("%d events were sent twice with both processes well", n)
	}

	// Kill the one that delivers, whichever it is, while events come in through the other.
	killed, survivor := first, second
	if delivered(t, second) > delivered(t, first) {
		killed, survivor = second, first
	}
	recordThrough(10, killed, survivor)
	killed.end(syscall.SIGKILL)
	recordThrough(40, survivor)
	eventually(t, "the survivor has delivered everything", func() bool { return endpoint.arrived() == len(o.acknowledged) })
	for id, lines := range endpoint.lines {
		for _, line := range lines {
			if line != lines[0] {
				t.Errorf("%s: repeated with other bytes", id)
			}
		}
	}
}

// delivered is how many events a process has delivered.
func delivered(t *testing.T, p *process) (n int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.opsURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := exchange(req)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if _, err := fmt.Sscanf(line, "trailhook_delivery_events_total %d", &n); err == nil {
			return n
		}
	}
	t.Fatal("there is no metric of delivered events")
	return 0
}

func copyFiles(t *testing.T, from, to string, names ...string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
