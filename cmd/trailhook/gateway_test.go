package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

// passing is what is known of the requests that clients have sent through the
// data plane.
type passing struct {
	next     atomic.Int64
	mu       sync.Mutex
	answered map[string]int  // by path: the status
	acted    map[string]bool // POSTs that the upstream has got
}

// TestEveryRequestThatWasAnsweredIsInTheJournalAfterManyKills is an oracle test
// of the plugin audit with blocking: each answer is an obligation, and so is
// each request that may have changed something, answered or not.
func TestEveryRequestThatWasAnsweredIsInTheJournalAfterManyKills(t *testing.T) {
	t.Parallel()
	const kills = 8
	o := &passing{answered: map[string]int{}, acted: map[string]bool{}}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			o.mu.Lock()
			o.acted[r.URL.Path] = true
			o.mu.Unlock()
		}
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(upstream.Close)
	dir := t.TempDir()
	p := serve(t, dir, "--only", "platform")
	p.route(upstream.URL)
	for n := range kills {
		o.passUntilKilled(t, p)
		if n < kills-1 {
			p = serve(t, dir, "--only", "platform")
			p.awaitRoute()
		}
	}
	intents, accesses := passed(t, dir)
	t.Logf("%d kills, %d answers, %d acts, %d intents and %d accesses in the journal", kills, len(o.answered), len(o.acted), len(intents), len(accesses))
	if len(o.answered) < 20*kills {
		t.Errorf("only %d requests were answered: too few to prove anything", len(o.answered))
	}
	for path, status := range o.answered {
		if accesses[path] != status {
			t.Errorf("%s was answered with %d, and recorded with %d", path, status, accesses[path])
		}
	}
	for path := range o.acted {
		if !intents[path] {
			t.Errorf("%s reached the upstream unrecorded", path)
		}
	}
}

// route has the data plane serve an upstream, and record what passes: from the first
// request on, since the plugin is there before the route.
func (p *process) route(upstream string) {
	p.t.Helper()
	ctx := p.t.Context()
	resp, body, err := p.api(ctx, "POST", "/v2/control-planes", `{"name":"quickstart"}`)
	core := fmt.Sprintf("/v2/control-planes/%s/core-entities", must(p.t, 201, resp, body, err)["id"])
	for _, step := range []struct{ path, body string }{
		{"/plugins", `{"name":"audit"}`}, {"/services", fmt.Sprintf(`{"name":"s","url":%q}`, upstream)}, {"/services/s/routes", `{"name":"r","paths":["/"]}`},
	} {
		resp, body, err := p.api(ctx, "POST", core+step.path, step.body)
		must(p.t, 201, resp, body, err)
	}
	p.awaitRoute()
}

func (p *process) awaitRoute() {
	p.t.Helper()
	eventually(p.t, "the data plane serves its route", func() bool {
		resp, err := http.Get(p.proxy + "/ready")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusOK && string(text) == "ok"
	})
}

func (o *passing) passUntilKilled(t *testing.T, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	var clients sync.WaitGroup
	done := make(chan struct{}, 100_000)
	for range 6 {
		clients.Go(func() {
			for o.pass(ctx, p) {
				done <- struct{}{}
			}
		})
	}
	for range 30 + rand.IntN(100) {
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatal("the data plane does not answer")
		}
	}
	p.end(syscall.SIGKILL)
	clients.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// pass sends one request and reports whether it was answered.
func (o *passing) pass(ctx context.Context, p *process) bool {
	path := fmt.Sprintf("/id/%d", o.next.Add(1))
	method := []string{http.MethodGet, http.MethodPost}[rand.IntN(2)]
	r, err := http.NewRequestWithContext(ctx, method, p.proxy+path, strings.NewReader("")) // which has no body
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false // killed
	}
	resp.Body.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered[path] = resp.StatusCode
	return true
}

// passed tells by path what the data plane of a server that is gone has recorded.
func passed(t *testing.T, dir string) (intents map[string]bool, accesses map[string]int) {
	t.Helper()
	intents, accesses = map[string]bool{}, map[string]int{}
	for _, e := range journaled(t, dir) {
		switch {
		case e.Kind == audit.Access:
			accesses[e.Request] = e.Status
		case e.Service == "gateway":
			intents[e.Request] = true
		}
	}
	return intents, accesses
}
