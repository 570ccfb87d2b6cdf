package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hook takes the posts of alerts once it is open, and refuses them before.
type hook struct {
	*httptest.Server

	mu      sync.Mutex
	opened  bool
	refused map[string]int // how often, by id
	taken   []string       // states
	ids     []string
}

func startHook(t *testing.T) *hook {
	h := &hook{refused: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n struct{ ID, State string }
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || n.ID != r.Header.Get("Idempotency-Key") {
			t.Errorf("%+v %v", n, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.opened {
			h.refused[n.ID]++
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.taken, h.ids = append(h.taken, n.State), append(h.ids, n.ID)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) look(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

// told returns what was taken, in order.
func (h *hook) told() (states string) {
	h.look(func() { states = fmt.Sprint(h.taken) })
	return states
}

// An alert fires once and recovers once, whatever dies in between.
func TestAnAlertFiresAndRecoversOnceOverKills(t *testing.T) {
	t.Parallel()
	dir, h := t.TempDir(), startHook(t)
	flags := []string{"--only", "collector", "--delivery-min-pause", "20ms", "--delivery-max-pause", "100ms"}
	restart := func(p *process) *process {
		t.Helper()
		p.end(syscall.SIGKILL)
		return serve(t, dir, flags...)
	}
	p := serve(t, dir, flags...)
	post := p.addSource()
	alert := func(description string) string {
		return fmt.Sprintf(`{"name": "ann is silent", "description": %q, "query": "who=ann", "alert": {"enabled": true, "condition": "count == 0 in 1h", "webhook": {"url": %q}}}`,
			description, h.URL)
	}
	resp, body, err := p.siem(t.Context(), "POST", "/trailhook/v1/searches", alert(""))
	path := "/trailhook/v1/searches/" + must(t, 201, resp, body, err)["id"].(string)
	refusedTwice := func() (id string) {
		h.look(func() {
			for one, times := range h.refused {
				if times >= 2 {
					id = one
				}
			}
		})
		return id
	}
	eventually(t, "the webhook refuses a few times", func() bool { return refusedTwice() != "" })
	p = restart(p)
	h.look(func() { h.opened = true })
	eventually(t, "it fires", func() bool { return h.told() == "[fires]" })
	h.look(func() {
		if len(h.refused) != 1 || h.refused[h.ids[0]] == 0 {
			t.Errorf("%v was refused, %v taken", h.refused, h.ids)
		}
		h.opened, h.refused = false, map[string]int{}
	})

	// A change of its description has it evaluated at once.
	post(`{"who":"ann"}`)
	state := func() map[string]any {
		t.Helper()
		resp, body, err := p.siem(t.Context(), "GET", path, "")
		return must(t, 200, resp, body, err)["alert"].(map[string]any)["state"].(map[string]any)
	}
	evaluate := func(n int) {
		t.Helper()
		resp, body, err := p.siemMatching("PUT", path, alert(fmt.Sprint(n)), "*")
		must(t, 200, resp, body, err)
	}
	rounds := 0
	eventually(t, "it recovers", func() bool {
		rounds++
		evaluate(rounds)
		return refusedTwice() != ""
	})
	p = restart(p)
	h.look(func() { h.opened = true })
	eventually(t, "that is told", func() bool { return h.told() == "[fires recovers]" })

	p = restart(p)
	before := time.Now()
	evaluate(0)
	eventually(t, "it is evaluated again", func() bool {
		at, err := time.Parse(time.RFC3339, state()["evaluatedAt"].(string))
		return err == nil && at.After(before)
	})
	if st := state(); st["status"] != "ok" || st["pendingCount"] != 0.0 || h.told() != "[fires recovers]" {
		t.Errorf("%v, told %s", st, h.told())
	}
}

// siemMatching makes a request with If-Match.
func (p *process) siemMatching(method, path, body, match string) (*http.Response, []byte, error) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.siemURL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.SetBasicAuth(p.accessKey())
	req.Header.Set("If-Match", match)
	return exchange(req)
}
