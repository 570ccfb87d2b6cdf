package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/broker/brokertest"
	"github.com/trailhook/trailhook/internal/loadtest"
)

// benchRun is a `trailhook bench` that runs.
type benchRun struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err lockedBuffer
}

func startBench(t *testing.T, args ...string) *benchRun {
	t.Helper()
	b := &benchRun{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], append([]string{"bench"}, args...)...)}
	b.cmd.Env = append(os.Environ(), asTrailhook+"=1")
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.err
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// bench starts one on the server.
func (p *process) bench(args ...string) *benchRun {
	p.t.Helper()
	return startBench(p.t, append([]string{"--api", p.apiURL, "--siem", p.siemURL, "--token", p.token(), "--data-dir", p.dataDir}, args...)...)
}

// end waits for the end, and returns what it printed as JSON.
func (b *benchRun) end(wantStatus int) (result loadtest.Result) {
	b.t.Helper()
	b.cmd.Wait() // the status tells
	if status := b.cmd.ProcessState.ExitCode(); status != wantStatus {
		b.t.Fatalf("status %d, want %d\n%s\n%s", status, wantStatus, &b.out, &b.err)
	}
	decoder := json.NewDecoder(strings.NewReader(b.out.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		b.t.Fatalf("%v\n%s\n%s", err, &b.out, &b.err)
	}
	return result
}

// objects are what a bench must leave as it was.
func (p *process) objects() map[string]string {
	p.t.Helper()
	ctx, objects := p.t.Context(), map[string]string{}
	for _, path := range []string{"/v3/audit-log-destinations", "/v2/audit-log-webhook"} {
		resp, body, err := p.api(ctx, "GET", path, "")
		must(p.t, 200, resp, body, err)
		objects[path] = string(body)
	}
	for _, path := range []string{"/api/v1/collectors", "/api/v1/accessKeys"} {
		resp, body, err := p.siem(ctx, "GET", path, "")
		must(p.t, 200, resp, body, err)
		objects[path] = string(body)
	}
	return objects
}

func checkLatency(t *testing.T, what string, l loadtest.Latency) {
	t.Helper()
	if l.Samples == 0 || l.P50 <= 0 || l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Max {
		t.Errorf("%s: %+v", what, l)
	}
}

func TestABenchOfItsOwnServerMeasuresEverythingAndLosesNothing(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	// What a shell is set up for is left alone.
	t.Setenv("TRAILHOOK_API", "http://127.0.0.1:1")
	t.Setenv("TRAILHOOK_SIEM", "http://127.0.0.1:1")
	b := startBench(t, "--duration", "2s", "--rate", "40", "--connections", "4", "--events-per-call", "7", "--json")
	got := b.end(0)
	checkLatency(t, "calls", got.Calls.Latency)
	checkLatency(t, "bodies", got.Events.Latency)
	checkLatency(t, "calls, end to end", got.Calls.EndToEnd)
	checkLatency(t, "events, end to end", got.Events.EndToEnd)
	owed := 2*got.Calls.Acknowledged + (3+7)*got.Events.Acknowledged
	want := loadtest.Verdict{Owed: owed, Found: owed, Seconds: got.Verdict.Seconds, Complete: true}
	if diff := cmp.Diff(want, got.Verdict); diff != "" || owed == 0 {
		t.Errorf("%d owed, verdict (-want +got):\n%s", owed, diff)
	}
	if got.Calls.Acknowledged > 40 || got.Events.Acknowledged > 40 {
		t.Errorf("%d calls and %d bodies in a second each, at 40 a second", got.Calls.Acknowledged, got.Events.Acknowledged)
	}
	for _, y := range []loadtest.Yardsticks{got.Yardsticks, got.After} {
		if y.Sign <= 0 || y.FsyncP50 <= 0 || y.FsyncP99 < y.FsyncP50 {
			t.Errorf("yardsticks %+v", y)
		}
	}
	if got.Interrupted || got.Rate != 40 || got.Connections != 4 || got.EventsPerCall != 7 || b.err.String() != "" {
		t.Errorf("%+v\n%s", got, &b.err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestABenchLeavesARunningSystemAsItWas(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	before := p.objects()
	got := p.bench("--duration", "1s", "--rate", "20", "--json").end(0)
	if got.Verdict.Owed == 0 || !got.Verdict.Kept() {
		t.Errorf("%+v", got.Verdict)
	}
	if diff := cmp.Diff(before, p.objects()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// The SIEM need not reach the platform, nor know its keys before.
func TestABenchMeasuresHalvesThatRunApart(t *testing.T) {
	t.Parallel()
	cluster := brokertest.Cluster(t)
	platform := serve(t, filepath.Join(t.TempDir(), "platform"), "--only", "platform", "--nats", cluster.URLs())
	siem := serve(t, filepath.Join(t.TempDir(), "siem"), "--only", "collector")
	got := startBench(t, "--api", platform.apiURL, "--token", platform.token(), "--siem", siem.siemURL, "--data-dir", siem.dataDir,
		"--duration", "1s", "--rate", "20", "--json").end(0)
	if got.Verdict.Owed == 0 || !got.Verdict.Kept() {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestABenchDoesNotTouchAWebhookThatIsInUse(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.connect()
	before := p.objects()
	b := p.bench("--duration", "1s")
	if err := b.cmd.Wait(); err == nil || !strings.Contains(b.err.String(), "a webhook in this region already") || !strings.Contains(b.err.String(), "--region") {
		t.Errorf("%v\n%s", err, &b.err)
	}
	// The remedy that it names.
	got := p.bench("--duration", "1s", "--rate", "20", "--region", "sg", "--json").end(0)
	if !got.Verdict.Kept() {
		t.Errorf("%+v", got.Verdict)
	}
	if found := p.search("_source=Konnect user_agent=trailhook-bench*"); len(found) > 0 {
		t.Errorf("the webhook in use got %d events of the load", len(found))
	}
	if diff := cmp.Diff(before, p.objects()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestABenchSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	b := p.bench("--duration", "8s", "--rate", "40", "--patience", "3s", "--json")
	var made struct {
		Collectors []struct{ ID int64 }
	}
	eventually(t, "events of the run are stored", func() bool {
		return len(p.search("_source=trailhook-bench* user_agent=trailhook-bench* | limit 1")) > 0
	})
	_, body, err := p.siem(t.Context(), "GET", "/api/v1/collectors", "")
	if err != nil || json.Unmarshal(body, &made) != nil || len(made.Collectors) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if _, _, err := p.siem(t.Context(), "DELETE", fmt.Sprintf("/api/v1/collectors/%d", made.Collectors[0].ID), ""); err != nil {
		t.Fatal(err)
	}
	got := b.end(1)
	v := got.Verdict
	if v.Lost == 0 || v.Found == 0 || v.Found+v.Lost != v.Owed || v.Doubled+v.Invalid > 0 || !strings.HasPrefix(v.Webhook, "inactive, last answer 401") {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(b.err.String(), fmt.Sprintf("of %d events that were promised, %d are lost", v.Owed, v.Lost)) {
		t.Errorf("%s", &b.err)
	}
	if left := p.objects()["/api/v1/accessKeys"]; strings.Contains(left, "trailhook-bench") {
		t.Errorf("left behind: %s", left)
	}
}

func TestABenchThatIsInterruptedTellsWhatWasDoneAndTidiesUp(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	before := p.objects()
	b := p.bench("--duration", "1h", "--rate", "50", "--json")
	eventually(t, "events of the run are stored", func() bool {
		return len(p.search("_source=trailhook-bench* user_agent=trailhook-bench* | limit 1")) > 0
	})
	if err := b.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	got := b.end(1)
	if !got.Interrupted || got.Calls.Acknowledged == 0 || got.Events.Acknowledged > 0 || got.Verdict.Doubled+got.Verdict.Invalid > 0 {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(b.err.String(), "interrupted") {
		t.Errorf("%s", &b.err)
	}
	if diff := cmp.Diff(before, p.objects()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestABenchKeepsToTheLimitsOfTheServer(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--api-token-rate", "5")
	b := p.bench("--duration", "2s", "--rate", "200")
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s\n%s", err, &b.out, &b.err)
	}
	for _, want := range []string{"calls refused: 429 × ", "--api-token-rate", "lost 0, doubled 0, invalid 0"} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b.out)
		}
	}
	if left := p.objects()["/api/v1/accessKeys"]; strings.Contains(left, "trailhook-bench") {
		t.Errorf("left behind: %s", left)
	}
}

func TestABenchSaysWhyItCannotBegin(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	platform := serve(t, t.TempDir(), "--only", "platform")
	id, _ := p.accessKey()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nobody at the API":      {[]string{"--api", "http://127.0.0.1:1"}, "--api http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused: is the server running there?"},
		"nobody at the SIEM":     {[]string{"--siem", "http://127.0.0.1:1"}, "--siem http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused: is the server running there?"},
		"no URL":                 {[]string{"--api", "localhost"}, "--api localhost: not a URL"},
		"a wrong token":          {[]string{"--token", "kpat_wrong"}, "401 Unauthorized"},
		"a wrong access key":     {[]string{"--access-id", id, "--access-key", "wrong"}, "401 Unauthorized"},
		"another platform's API": {[]string{"--api", platform.apiURL}, "401 Unauthorized"},
		"a missing authority":    {[]string{"--ca", "missing.pem"}, "--ca: open missing.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, problem bytes.Buffer
			args := append([]string{"bench", "--api", p.apiURL, "--siem", p.siemURL, "--token", p.token(), "--data-dir", p.dataDir}, c.args...)
			cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
			cmd.Env = append(os.Environ(), asTrailhook+"=1")
			cmd.Stdout, cmd.Stderr = &out, &problem
			cmd.Run() // the status tells
			if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(problem.String(), c.want) || out.Len() > 0 {
				t.Errorf("status %d, want 1 and %q\n%s\n%s", cmd.ProcessState.ExitCode(), c.want, &out, &problem)
			}
		})
	}
}
