package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// generous is how long anything may take that takes a moment: the machine may
// be busy with other tests.
const generous = 60 * time.Second

// process is a running `trailhook serve`.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	dataDir string
	apiURL  string
	siemURL string
	opsURL  string
	syslog  string // address
	proxy   string // URL
	exited  chan error
	log     *lockedBuffer
}

// serve starts the real command on a data directory and free ports, without
// rate limits, and returns when it is ready.
func serve(t *testing.T, dataDir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, dataDir: dataDir, exited: make(chan error, 1), log: &lockedBuffer{}}
	args = append([]string{"serve", "--data-dir", dataDir, "--allow-private-destinations",
		"--api-addr", "127.0.0.1:0", "--siem-addr", siemAddr(t, dataDir), "--ops-addr", "127.0.0.1:0", "--syslog-addr", "127.0.0.1:0", "--proxy-addr", "127.0.0.1:0",
		"--api-rate", "0", "--api-token-rate", "0", "--api-failure-rate", "0"}, args...)
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asTrailhook+"=1")
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log of the server:\n%s", p.log)
		}
	})
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.note(lines.Text())
			if strings.HasPrefix(lines.Text(), "ready") {
				close(ready)
			}
		}
		p.exited <- p.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-p.exited:
		t.Fatalf("trailhook serve ended: %v\n%s", err, p.log)
	case <-time.After(generous):
		t.Fatalf("trailhook serve is not ready\n%s", p.log)
	}
	return p
}

// siemAddr is a free address for the SIEM's side of a data directory: the same
// at each start, since the webhook that is set up there leads to it.
func siemAddr(t *testing.T, dataDir string) string {
	t.Helper()
	file := dataDir + ".siem-addr"
	if kept, err := os.ReadFile(file); err == nil {
		return string(kept)
	}
	address := net.JoinHostPort("127.0.0.1", freePort(t))
	if err := os.WriteFile(file, []byte(address), 0o600); err != nil {
		t.Fatal(err)
	}
	return address
}

var addressLine = regexp.MustCompile(`^(API|SIEM and console|syslog|data plane|health, metrics) +(\S+)`)

func (p *process) note(line string) {
	match := addressLine.FindStringSubmatch(line)
	if match == nil {
		return
	}
	switch match[1] {
	case "API":
		p.apiURL = match[2]
	case "SIEM and console":
		p.siemURL = match[2]
	case "syslog":
		p.syslog = match[2]
	case "data plane":
		p.proxy = match[2]
	default:
		p.opsURL = match[2]
	}
}

// end sends the signal and returns how the process ended.
func (p *process) end(signal syscall.Signal) error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		return err
	case <-time.After(generous):
		p.t.Fatalf("the process did not end after %s\n%s", signal, p.log)
		return nil
	}
}

func (p *process) token() string { return p.secret("admin.pat") }
func (p *process) accessKey() (id, k string) {
	id, k, _ = strings.Cut(p.secret("admin.access-key"), ":")
	return
}

func (p *process) secret(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dataDir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// api makes a request to the platform. An error means that there was no answer.
func (p *process) api(ctx context.Context, method, path, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.apiURL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token())
	return exchange(req)
}

// siem makes a request to the SIEM's side with the first access key.
func (p *process) siem(ctx context.Context, method, path, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.siemURL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.SetBasicAuth(p.accessKey())
	return exchange(req)
}

func exchange(req *http.Request) (*http.Response, []byte, error) {
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// must returns the JSON answer of a request that has to succeed.
func must(t *testing.T, want int, resp *http.Response, body []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d\n%s", resp.Request.Method, resp.Request.URL.Path, resp.Status, want, body)
	}
	object := map[string]any{}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("%s: %v\n%s", resp.Request.URL.Path, err, body)
		}
	}
	return object
}

// connect sets up what the tutorial sets up: a source, a destination that
// leads to it, and the webhook.
func (p *process) connect() {
	t, ctx := p.t, p.t.Context()
	t.Helper()
	call := func(want int, do func(context.Context, string, string, string) (*http.Response, []byte, error), method, path, body string) map[string]any {
		t.Helper()
		resp, answer, err := do(ctx, method, path, body)
		return must(t, want, resp, answer, err)
	}
	made := call(201, p.siem, "POST", "/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": "Konnect"}}`)
	id := made["collector"].(map[string]any)["id"].(float64)
	made = call(201, p.siem, "POST", fmt.Sprintf("/api/v1/collectors/%.0f/sources", id), `{"source": {"sourceType": "HTTP", "name": "Konnect", "trailhook": {"requireAccessKey": true}}}`)
	endpoint := made["source"].(map[string]any)["url"].(string)
	_, key := p.accessKey()
	made = call(201, p.api, "POST", "/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "SIEM", "endpoint": %q, "authorization": %q, "log_format": "cef"}`, endpoint, key))
	call(200, p.api, "PATCH", "/v3/audit-log-webhook", fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, made["id"]))
}

// record is a line that a search found.
type record struct {
	Trace     string `json:"trace_id"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Signature string `json:"_signature"`
	Raw       string `json:"_raw"`
	Error     string `json:"error"`
}

func (p *process) search(query string) []record {
	p.t.Helper()
	path := "/trailhook/v1/search?limit=10000&from=-7d&query=" + url.QueryEscape(query)
	resp, body, err := p.siem(p.t.Context(), "GET", path, "")
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("search %s: %v %s", query, err, body)
	}
	var found []record
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Error != "" {
			p.t.Fatalf("search %s: %v %s", query, err, lines.Bytes())
		}
		found = append(found, r)
	}
	return found
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(generous)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s still not: %s", generous, what)
		}
	}
}

// lockedBuffer takes a process's output while a test may read it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
