package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

// shippers post lines with unique ids to an HTTP source, over the server's
// restarts. Every line of a body that was answered with 200 is an obligation.
type shippers struct {
	t    *testing.T
	path string // of the source

	mu           sync.Mutex
	base         string // of the server, which has another one after a restart
	acknowledged map[string]bool
	sent         int
}

func newShippers(t *testing.T, p *process) *shippers {
	t.Helper()
	resp, body, err := p.siem(t.Context(), "POST", "/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": "Lines"}}`)
	id := must(t, 201, resp, body, err)["collector"].(map[string]any)["id"].(float64)
	resp, body, err = p.siem(t.Context(), "POST", fmt.Sprintf("/api/v1/collectors/%.0f/sources", id), `{"source": {"sourceType": "HTTP", "name": "Lines"}}`)
	address, err := url.Parse(must(t, 201, resp, body, err)["source"].(map[string]any)["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return &shippers{t: t, path: address.Path, base: p.siemURL, acknowledged: map[string]bool{}}
}

// post sends a body of new lines once, and returns the answer's status: 0 without
// one.
func (s *shippers) post(ctx context.Context, ids []string) int {
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	for _, id := range ids {
		fmt.Fprintf(w, "{\"id\": %q, \"text\": \"a line of no kind that is known\"}\n", id)
	}
	w.Close()
	s.mu.Lock()
	base := s.base
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, "POST", base+s.path, &body)
	if err != nil {
		s.t.Error(err)
		return 0
	}
	req.Header.Set("Content-Encoding", "gzip")
	resp, _, err := exchange(req)
	if err != nil {
		return 0
	}
	if resp.StatusCode == http.StatusOK {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range ids {
			s.acknowledged[id] = true
		}
	}
	return resp.StatusCode
}

func (s *shippers) newIDs(n int) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.sent++
		ids = append(ids, fmt.Sprintf("line-%06d", s.sent))
	}
	return ids
}

// ship sends bodies until ctx is done, each again until it is taken, as shippers do.
func (s *shippers) ship(ctx context.Context) {
	for ctx.Err() == nil {
		ids := s.newIDs(1 + rand.IntN(40))
		for ctx.Err() == nil && s.post(ctx, ids) != http.StatusOK {
			select {
			case <-time.After(10 * time.Millisecond): // as shippers wait
			case <-ctx.Done():
			}
		}
	}
}

func (s *shippers) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acknowledged)
}

// check waits until every line that was acknowledged is found, and sees that none
// is there twice.
func (s *shippers) check(p *process) {
	s.t.Helper()
	found := map[string]int{}
	eventually(s.t, "all acknowledged lines are found", func() bool {
		clear(found)
		for prefix := range 1 + s.sent/1000 {
			for _, r := range p.search(fmt.Sprintf("_source=Lines id=line-%03d*", prefix)) {
				_, rest, _ := strings.Cut(r.Raw, `"id": "`)
				id, _, _ := strings.Cut(rest, `"`)
				found[id]++
			}
		}
		for id := range s.acknowledged {
			if found[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range found {
		if n > 1 {
			s.t.Errorf("%s is found %d times", id, n)
		}
	}
	s.t.Logf("%d lines were acknowledged, %d are found", len(s.acknowledged), len(found))
}

func TestEveryAcknowledgedLineIsFoundOnceThoughTheServerIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--only", "collector")
	s := newShippers(t, p)
	ctx, stop := context.WithCancel(t.Context())
	var shipping sync.WaitGroup
	for range 3 {
		shipping.Go(func() { s.ship(ctx) })
	}
	defer shipping.Wait()
	defer stop()
	until := soakUntil(t)
	for kills := 0; kills < 4 || time.Now().Before(until); kills++ {
		enough := s.taken() + 100 + rand.IntN(600)
		eventually(t, "lines are taken", func() bool { return s.taken() >= enough })
		p.end(syscall.SIGKILL)
		p = serve(t, dir, "--only", "collector")
		s.mu.Lock()
		s.base = p.siemURL
		s.mu.Unlock()
	}
	stop()
	shipping.Wait()
	s.check(p)
}

func TestAFullDiskRefusesLinesLosesNoneAndHeals(t *testing.T) {
	disk := brokertest.SmallDisk(t, 256<<20)
	p := serve(t, disk.Dir, "--only", "collector")
	s := newShippers(t, p)
	post := func() int { return s.post(t.Context(), s.newIDs(50)) }
	for range 20 {
		if status := post(); status != 200 {
			t.Fatalf("with room: %d", status)
		}
	}
	// The store and the intake give room back while they compact: it is taken each time.
	eventually(t, "lines are refused", func() bool {
		disk.Fill(t, 0)
		return post() == 503
	})
	for range 20 {
		if status := post(); status != 503 && status != 200 {
			t.Errorf("with a full disk: %d", status)
		}
	}
	disk.Empty(t)
	eventually(t, "lines are taken again", func() bool { return post() == 200 })
	for range 20 {
		if status := post(); status != 200 {
			t.Errorf("with room again: %d", status)
		}
	}
	s.check(p)
}
