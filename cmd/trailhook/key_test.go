package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

// trailhook runs another command beside the process.
func (p *process) trailhook(args ...string) (string, error) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), asTrailhook+"=1", "TRAILHOOK_API="+p.apiURL, "TRAILHOOK_TOKEN="+p.token())
	out, err := command.CombinedOutput()
	return string(out), err
}

// mustTrailhook is trailhook for what has to succeed.
func (p *process) mustTrailhook(args ...string) string {
	p.t.Helper()
	out, err := p.trailhook(args...)
	if err != nil {
		p.t.Fatalf("trailhook %v: %v\n%s", args, err, out)
	}
	return out
}

func (p *process) keySet() *audit.KeySet {
	p.t.Helper()
	resp, body, err := p.api(p.t.Context(), "GET", "/v2/audit-log-webhook/jwks.json", "")
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("key set: %v\n%s", err, body)
	}
	keys, err := audit.ParseJWKS(body)
	if err != nil {
		p.t.Fatal(err)
	}
	return keys
}

func TestLinesFromBeforeAndAfterARotationOfAllKeysVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	p.connect()
	var traces []string
	record := func() {
		resp, body, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
		must(t, 200, resp, body, err)
		trace := resp.Header.Get("X-Request-Id")
		traces = append(traces, trace)
		eventually(t, "both events of the call are found", func() bool { return len(p.search("_source=Konnect trace_id="+trace)) == 2 })
	}
	record()
	for _, rotate := range [][]string{{"rotate"}, {"rotate-master"}, {"rotate-master", "--prune"}} {
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.mustTrailhook(append(append([]string{"key"}, rotate...), "--data-dir", dir)...)
		p = serve(t, dir)
		record() // the destination's authorization opens: the source demands it
	}
	keys := p.keySet()
	if keys.Len() != 2 {
		t.Errorf("the key set has %d keys", keys.Len())
	}
	signers := map[string]bool{}
	for _, trace := range traces {
		for _, r := range p.search("_source=Konnect trace_id=" + trace) {
			verdict, kid := keys.Verify([]byte(r.Raw))
			if verdict != audit.Valid || r.Signature != "valid" {
				t.Errorf("trace %s: %s by the key set, %s by the collector: %s", trace, verdict, r.Signature, r.Raw)
			}
			signers[kid] = true
		}
	}
	if len(signers) != 2 {
		t.Errorf("the lines are of %d keys", len(signers))
	}
}

func TestServersOnAClusterSignWithANewKeyWithoutARestart(t *testing.T) {
	t.Parallel()
	cluster := brokertest.Cluster(t)
	endpoint := newSIEMEndpoint(t)
	p := serve(t, filepath.Join(t.TempDir(), "a"), "--only", "platform", "--nats", cluster.URLs())
	resp, body, err := p.api(t.Context(), "POST", "/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "SIEM", "endpoint": %q, "authorization": "", "log_format": "json"}`, endpoint.URL))
	destination := must(t, 201, resp, body, err)["id"]
	resp, body, err = p.api(t.Context(), "PATCH", "/v3/audit-log-webhook",
		fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, destination))
	must(t, 200, resp, body, err)
	o := &oracle{acknowledged: map[string]bool{}}
	record := func() {
		t.Helper()
		if _, err := o.send(t.Context(), p, o.newRequest()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "everything has arrived", func() bool { return endpoint.arrived() == len(o.acknowledged) })
	}
	record()
	made := strings.TrimSpace(p.mustTrailhook("key", "rotate", "--nats", cluster.URLs(), "--data-dir", p.dataDir))
	eventually(t, "the new key is in the key set", func() bool { return p.keySet().Len() == 2 })
	keys := p.keySet()
	eventually(t, "the new key signs", func() bool {
		record()
		_, kid := keys.Verify([]byte(endpoint.newest()))
		return kid == made
	})

	first, last := "", ""
	for _, id := range endpoint.order {
		verdict, kid := keys.Verify([]byte(endpoint.lines[id][0]))
		if verdict != audit.Valid {
			t.Errorf("%s: %s", verdict, endpoint.lines[id][0])
		}
		if first == "" {
			first = kid
		}
		last = kid
	}
	if first == made || last != made {
		t.Errorf("signed with %s, then with %s; the new key is %s", first, last, made)
	}
}

func TestATestDeliveryTellsWhatADeliveryWouldMeet(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.connect()
	resp, body, err := p.api(t.Context(), "GET", "/v3/audit-log-destinations", "")
	list := must(t, 200, resp, body, err)["data"].([]any)
	good := list[0].(map[string]any)
	out := p.mustTrailhook("destination", "test", good["id"].(string))
	at := strings.LastIndex(out, "trace_id ")
	if at < 0 || !strings.Contains(out, "response  ok") {
		t.Fatalf("output:\n%s", out)
	}
	trace := strings.TrimSpace(out[at+len("trace_id "):])
	eventually(t, "the test event is found", func() bool {
		for _, r := range p.search("_source=Konnect trace_id=" + trace) {
			if r.Name == "Authz.trailhook/test" && r.Signature == "valid" {
				return true
			}
		}
		return false
	})

	resp, body, err = p.api(t.Context(), "POST", "/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "wrong key", "endpoint": %q, "authorization": "wrong", "log_format": "cef"}`, good["endpoint"]))
	wrong := must(t, http.StatusCreated, resp, body, err)["id"].(string)
	out, err = p.trailhook("destination", "test", wrong)
	if err == nil || !strings.Contains(out, "response  FAILED") || !strings.Contains(out, "401 Unauthorized") || !strings.Contains(out, "Check the destination's authorization") {
		t.Errorf("a wrong key: %v\n%s", err, out)
	}
	if out, err := p.trailhook("destination", "test", "3f0cf5f2-70f7-4b0c-a0c6-0ee2ad1c2ee6"); err == nil || !strings.Contains(out, "404 Not Found") {
		t.Errorf("no destination: %v\n%s", err, out)
	}
}
