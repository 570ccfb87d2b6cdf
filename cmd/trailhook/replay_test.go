package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// command runs the real command line as a client of the server.
func (p *process) command(args ...string) (stdout, stderr string, status int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTrailhook+"=1", "TRAILHOOK_API="+p.apiURL, "TRAILHOOK_TOKEN="+p.token())
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if failed := cmd.Run(); failed != nil && cmd.ProcessState == nil {
		p.t.Fatal(failed)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// create makes a control plane and waits until its call's three events are found.
func (p *process) create(name string) (trace string) {
	p.t.Helper()
	resp, body, err := p.api(p.t.Context(), "POST", "/v2/control-planes", fmt.Sprintf(`{"name": %q}`, name))
	must(p.t, 201, resp, body, err)
	trace = resp.Header.Get("X-Request-Id")
	eventually(p.t, "all three events of the call are found", func() bool {
		return len(p.search("_source=Konnect trace_id="+trace)) == 3
	})
	return trace
}

func TestAReplayIsShownToItsEndAndTheCollectorStoresNothingTwice(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.connect()
	traces := []string{p.create("one"), p.create("two"), p.create("three")}

	out, problem, status := p.command("replay", "--from", "-1h", "--wait")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sent, total int
	_, err := fmt.Sscanf(lines[len(lines)-1], "completed: %d of %d events sent", &sent, &total)
	if status != 0 || err != nil || sent != total || total < 3*len(traces) || problem != "" {
		t.Fatalf("status %d\n%s\n%s", status, out, problem)
	}
	// What comes after the replayed lines is found, so they have been dealt with.
	for _, trace := range append(traces, p.create("after")) {
		if found := p.search("_source=Konnect trace_id=" + trace); len(found) != 3 {
			t.Errorf("trace %s: %d events are found after the replay, want 3", trace, len(found))
		}
	}
	known := map[string]bool{}
	for _, r := range p.search("_source=Konnect") {
		if known[r.Raw] {
			t.Errorf("stored twice: %s", r.Raw)
		}
		known[r.Raw] = true
	}

	out, problem, status = p.command("replay", "--from", time.Now().Add(-time.Hour).Format(time.RFC3339))
	if status != 0 || out != "the replay job is accepted\n" {
		t.Errorf("without --wait: status %d\n%s\n%s", status, out, problem)
	}
}

func TestAReplayThatCannotBeOrFailsExitsWithTheReason(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform")
	fails := func(reason string, args ...string) {
		t.Helper()
		out, problem, status := p.command(append([]string{"replay"}, args...)...)
		if status != 1 || !strings.Contains(problem, reason) {
			t.Errorf("replay %v: status %d, want 1 and %q\n%s\n%s", args, status, reason, out, problem)
		}
	}
	fails("the region has no enabled webhook", "--from", "-1h")
	resp, body, err := p.api(t.Context(), "POST", "/v3/audit-log-destinations",
		`{"name": "nowhere", "endpoint": "`+p.opsURL+`/nothing", "authorization": "", "log_format": "cef"}`)
	made := must(t, 201, resp, body, err)
	resp, body, err = p.api(t.Context(), "PATCH", "/v3/audit-log-webhook", fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, made["id"]))
	must(t, 200, resp, body, err)
	fails("the replay failed: the endpoint answered 404 Not Found", "--from", "-1h", "--wait")
	fails("the region has no enabled webhook", "--from", "-1h", "--region", "eu")
	fails("start_at: must lie within the last 7 days", "--from", "-9d")
	fails("end_at: must not lie in the future", "--from", "-1h", "--to", time.Now().Add(time.Hour).Format(time.RFC3339))
	fails("is the server running there?", "--from", "-1h", "--api", "http://127.0.0.1:1")
	if _, problem, status := p.command("replay", "--from", "yesterday"); status != 2 || !strings.Contains(problem, `"yesterday" is no time such as now, -1h`) {
		t.Errorf("status %d: %s", status, problem)
	}
}

func TestAMomentIsATimeOrHowLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"now":                       now,
		"-90m":                      now.Add(-90 * time.Minute),
		"-7d":                       now.AddDate(0, 0, -7),
		"2026-01-02T03:04:05Z":      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02T03:04:05+01:00": time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC),
	} {
		var m moment
		if err := m.parse(text); err != nil || !m.at(now).Equal(want) {
			t.Errorf("%s: %v, %v; want %v", text, m.at(now), err, want)
		}
	}
	for _, text := range []string{"", "-", "1h", "--1h", "-1", "-1dd", "-d", "-1.5d", "tomorrow", "2026-01-02"} {
		if err := new(moment).parse(text); err == nil {
			t.Errorf("%q is taken for a time", text)
		}
	}
}
