package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestASecondStartHasEverything(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			p := serve(t, dir)
			p.connect()
			resp, body, err := p.api(t.Context(), "POST", "/v2/control-planes", `{"name": "kept"}`)
			must(t, 201, resp, body, err)
			trace := resp.Header.Get("X-Request-Id")
			if err := p.end(signal); err != nil {
				t.Fatalf("ended with %v", err)
			}

			p = serve(t, dir)
			resp, body, err = p.api(t.Context(), "GET", "/v2/control-planes", "")
			if list := must(t, 200, resp, body, err)["data"].([]any); len(list) != 1 {
				t.Errorf("control planes after the second start: %s", body)
			}
			eventually(t, "all three events of the call are found", func() bool {
				return len(p.search("_source=Konnect trace_id="+trace)) == 3
			})
			for _, r := range p.search("_source=Konnect trace_id=" + trace) {
				if r.Signature != "valid" {
					t.Errorf("signature %s: %s", r.Signature, r.Raw)
				}
			}
			if strings.Contains(p.log.String(), p.token()) || strings.Contains(p.log.String(), "kpat_") {
				t.Error("the log holds a token")
			}
		})
	}
}

// TestNothingAnsweredIsLostWhenKilled is an oracle test: every answer that a
// client got is an obligation, whatever happens to the process afterwards.
// TRAILHOOK_SOAK (a duration) makes it go on for longer.
func TestNothingAnsweredIsLostWhenKilled(t *testing.T) {
	t.Parallel()
	rounds, until := 3, soakUntil(t)
	dir := t.TempDir()
	answered := &traces{wanted: map[string]int{}}
	for round := 0; round < rounds || time.Now().Before(until); round++ {
		p := serve(t, dir)
		if round == 0 {
			p.connect()
		}
		p.callUntilKilled(t, answered)
	}
	p := serve(t, dir)
	t.Logf("%d answered calls to find", len(answered.wanted))
	if len(answered.wanted) == 0 {
		t.Fatal("no call was answered: nothing was tested")
	}
	for trace, want := range answered.wanted {
		var found []record
		eventually(t, "the events of trace "+trace+" are found", func() bool {
			found = p.search("_source=Konnect trace_id=" + trace)
			return len(found) >= want
		})
		if len(found) != want {
			t.Errorf("trace %s: %d events are found, want %d", trace, len(found), want)
		}
		for _, r := range found {
			if r.Signature != "valid" {
				t.Errorf("trace %s: signature %s", trace, r.Signature)
			}
		}
	}
}

// soakUntil is until when a test goes on that TRAILHOOK_SOAK makes longer; now
// without it.
func soakUntil(t *testing.T) time.Time {
	t.Helper()
	soak := os.Getenv("TRAILHOOK_SOAK")
	if soak == "" {
		return time.Now()
	}
	d, err := time.ParseDuration(soak)
	if err != nil {
		t.Fatalf("TRAILHOOK_SOAK: %v", err)
	}
	return time.Now().Add(d)
}

// traces are the calls that were answered, and how many events each left.
type traces struct {
	mu     sync.Mutex
	wanted map[string]int
}

// callUntilKilled has clients call the API, and kills the process at a random
// moment while they do.
func (p *process) callUntilKilled(t *testing.T, answered *traces) {
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	enough := 10 + rand.IntN(60)
	var (
		clients sync.WaitGroup
		calls   = make(chan struct{}, 1000)
	)
	for range 4 {
		clients.Go(func() {
			for {
				method, body, events := "GET", "", 2
				if rand.IntN(3) == 0 {
					method, body, events = "POST", `{"name": "`+randomName()+`"}`, 3
				}
				resp, _, err := p.api(ctx, method, "/v2/control-planes", body)
				if err != nil {
					return // killed
				}
				if resp.StatusCode > 299 {
					t.Errorf("%s: %s", method, resp.Status)
					return
				}
				answered.mu.Lock()
				answered.wanted[resp.Header.Get("X-Request-Id")] = events
				answered.mu.Unlock()
				calls <- struct{}{}
			}
		})
	}
	for range enough {
		select {
		case <-calls:
		case <-ctx.Done():
			t.Fatal("the server does not answer")
		}
	}
	p.end(syscall.SIGKILL)
	clients.Wait()
	http.DefaultClient.CloseIdleConnections()
}

func randomName() string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	name := make([]byte, 16)
	for i := range name {
		name[i] = letters[rand.IntN(len(letters))]
	}
	return string(name)
}

func TestTheOperatorsAddressAnswers(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	for path, want := range map[string]string{
		"/healthz": "alive",
		"/readyz":  "ready",
		"/metrics": "trailhook_delivery_events_total 0",
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.opsURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, body, err := exchange(req)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v\n%s", path, err, body)
		}
	}
}

func TestOneHalfRunsAlone(t *testing.T) {
	t.Parallel()
	platform := serve(t, t.TempDir(), "--only", "platform")
	collector := serve(t, t.TempDir(), "--only", "collector")
	if platform.siemURL != "" || collector.apiURL != "" {
		t.Errorf("addresses: %q and %q", platform.siemURL, collector.apiURL)
	}
	resp, body, err := platform.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 200, resp, body, err)
	resp, body, err = collector.siem(t.Context(), "GET", "/api/v1/collectors", "")
	must(t, 200, resp, body, err)
}

func TestATokenThatAsksTooOftenIsToldWhenToComeAgain(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform", "--api-token-rate", "0.001")
	resp, body, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 200, resp, body, err)
	resp, body, err = p.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 429, resp, body, err)
	if resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("headers: %v", resp.Header)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.opsURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, body, err := exchange(req); err != nil || !strings.Contains(string(body), `trailhook_api_limited_total{limit="token"} 1`) {
		t.Errorf("metrics: %v\n%s", err, body)
	}
}

func TestTheDocumentTellsOfEveryEndpointThatIsServed(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform")
	resp, body, err := p.api(t.Context(), "GET", "/openapi.json", "")
	paths := must(t, 200, resp, body, err)["paths"].(map[string]any)
	for _, path := range []string{"/trailhook/v1/events", "/v2/control-planes", "/v3/audit-log-webhook"} {
		if paths[path] == nil {
			t.Errorf("%s is not in the document", path)
		}
	}
}
