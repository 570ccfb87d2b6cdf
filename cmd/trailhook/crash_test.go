package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// kills is how often the journal's crash test kills the server.
const kills = 20

// TestEveryAcknowledgedEventIsInTheJournalOnceAfterManyKills is an oracle test:
// every id that was acknowledged is an obligation, and so is that no id is there
// twice. Some clients send an Idempotency-Key, and repeat until they get an
// answer: their events must be there once whatever happened to the first tries.
func TestEveryAcknowledgedEventIsInTheJournalOnceAfterManyKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &oracle{acknowledged: map[string]bool{}}
	p := serve(t, dir, "--only", "platform")
	for n := range kills {
		o.recordUntilKilled(t, p)
		if n < kills-1 {
			p = serve(t, dir, "--only", "platform")
		}
	}
	p = serve(t, dir, "--only", "platform")
	o.finish(t, p)
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	times := journalIDs(t, dir)
	t.Logf("%d kills, %d acknowledged events, %d in the journal", kills, len(o.acknowledged), len(times))
	if len(o.acknowledged) < 100*kills {
		t.Errorf("only %d events were acknowledged: too few to prove anything", len(o.acknowledged))
	}
	for id := range o.acknowledged {
		if times[id] == 0 {
			t.Errorf("acknowledged, and not in the journal: %s", id)
		}
	}
	for id, n := range times {
		if n > 1 {
			t.Errorf("%d times in the journal: %s", n, id)
		}
	}
}

// oracle knows what clients were told.
type oracle struct {
	next         atomic.Int64
	mu           sync.Mutex
	acknowledged map[string]bool
	unanswered   []request // with a key: to be repeated
}

// request is one call of the ingest endpoint.
type request struct {
	ids  []string
	body string
	key  string // empty: none
}

func (o *oracle) newRequest() request {
	r := request{ids: make([]string, 1+rand.IntN(50))}
	var body strings.Builder
	for i := range r.ids {
		r.ids[i] = fmt.Sprintf("id-%d", o.next.Add(1))
		fmt.Fprintf(&body, `{"type":"authorization","ts":%q,"service":"billing","resource":"invoices","action":"list","granted":true,"principal_id":%q}`+"\n",
			time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), r.ids[i])
	}
	r.body = body.String()
	if rand.IntN(2) == 0 {
		r.key = "key-of-" + r.ids[0]
	}
	return r
}

func (o *oracle) send(ctx context.Context, p *process, r request) (answered bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.apiURL+"/trailhook/v1/events", strings.NewReader(r.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token())
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	resp, answer, err := exchange(req)
	if err != nil {
		return false, nil // killed
	}
	if resp.StatusCode != http.StatusCreated {
		return true, fmt.Errorf("ingest: %s: %s", resp.Status, answer)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range r.ids {
		o.acknowledged[id] = true
	}
	return true, nil
}

// recordUntilKilled has clients record events, first what had no answer the
// last time, and kills the process at a random moment.
func (o *oracle) recordUntilKilled(t *testing.T, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	o.finish(t, p)
	var (
		clients sync.WaitGroup
		done    = make(chan struct{}, 10_000)
	)
	for range 6 {
		clients.Go(func() {
			for {
				r := o.newRequest()
				answered, err := o.send(ctx, p, r)
				if err != nil {
					t.Error(err)
					return
				}
				if !answered {
					o.mu.Lock()
					if r.key != "" {
						o.unanswered = append(o.unanswered, r)
					}
					o.mu.Unlock()
					return
				}
				done <- struct{}{}
			}
		})
	}
	for range 10 + rand.IntN(60) {
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatal("the server does not answer")
		}
	}
	p.end(syscall.SIGKILL)
	clients.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// finish repeats the requests that have a key and no answer.
func (o *oracle) finish(t *testing.T, p *process) {
	t.Helper()
	repeats := o.unanswered
	o.unanswered = nil
	for _, r := range repeats {
		if answered, err := o.send(t.Context(), p, r); err != nil || !answered {
			t.Fatalf("a repeat: answered %v, %v", answered, err)
		}
	}
}

// journalIDs opens the journal of a stopped server and returns how often each
// id is in it.
func journalIDs(t *testing.T, dir string) map[string]int {
	t.Helper()
	times := map[string]int{}
	for _, e := range journaled(t, dir) {
		if e.Service == "billing" {
			times[e.PrincipalID]++
		}
	}
	return times
}

// journaled opens the journal of a stopped server, and returns the events of the
// first organization.
func journaled(t *testing.T, dir string) (events []*audit.Event) {
	t.Helper()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), b, registry.Options{Sealer: sealer, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	j, err := journal.Open(t.Context(), b, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	q := journal.Query{Region: "us", Organization: r.Organizations()[0].ID, Limit: 5000}
	for {
		entries, err := j.Range(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return events
		}
		for _, e := range entries {
			events = append(events, &e.Event)
		}
		q.After = entries[len(entries)-1].Position
	}
}
