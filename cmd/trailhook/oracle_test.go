package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// TestEveryEventArrivesHoweverTheEndpointBehavesAndTheServerIsKilled is an
// oracle test of delivery: every event that was acknowledged is an obligation.
// TRAILHOOK_ORACLE_SEED repeats a run, as far as that is possible with the real
// process; TRAILHOOK_SOAK (a duration) makes it go on with other seeds.
func TestEveryEventArrivesHoweverTheEndpointBehavesAndTheServerIsKilled(t *testing.T) {
	t.Parallel()
	seed, until := rand.Uint64(), soakUntil(t)
	if given := os.Getenv("TRAILHOOK_ORACLE_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("TRAILHOOK_ORACLE_SEED: %v", err)
		}
	}
	for round := uint64(0); round == 0 || time.Now().Before(until); round++ {
		t.Run(fmt.Sprintf("TRAILHOOK_ORACLE_SEED=%d", seed+round), func(t *testing.T) {
			deliverToErratic(t, seed+round)
		})
	}
}

func deliverToErratic(t *testing.T, seed uint64) {
	e := newErratic(t, seed)
	random := rand.New(rand.NewPCG(seed, 2))
	r := &recording{t: t, dir: t.TempDir(), authority: e.authority, random: rand.New(rand.NewPCG(seed, 3))}
	r.start()
	r.sendTo("https://"+e.address+"/collect", []string{"cef", "json", "cps"}[random.IntN(3)])
	finish := r.begin()

	// One of the ends is in order; the others are sudden.
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL}
	random.Shuffle(len(signals), func(i, j int) { signals[i], signals[j] = signals[j], signals[i] })
	for _, signal := range signals {
		begun, _ := e.requests()
		enough := begun + 1 + random.IntN(15)
		eventually(t, "more deliveries", func() bool {
			begun, _ := e.requests()
			return begun >= enough
		})
		<-time.After(time.Duration(random.IntN(300)) * time.Millisecond) // a random moment is the point
		r.end(signal)
		r.start()
	}
	eventually(t, "the script is at its end", func() bool {
		_, done := e.requests()
		return done
	})
	finish()
	// The second one is sent when all that was refused before the first is set aside.
	r.pass(e)
	r.pass(e)
	r.check(e)
}

// recording is a client that records numbered events, one request after the
// other, while the server is killed and started again.
type recording struct {
	t         *testing.T
	dir       string
	authority string
	random    *rand.Rand
	running   atomic.Pointer[process] // nil while there is none
	number    int                     // of the last event
}

func (r *recording) start() {
	r.t.Helper()
	r.running.Store(serve(r.t, r.dir, "--only", "platform", "--destination-ca", r.authority,
		"--batch-max-events", "64", "--batch-max-wait", "10ms",
		"--delivery-timeout", "1s", "--delivery-min-pause", "20ms", "--delivery-max-pause", "200ms"))
}

func (r *recording) end(signal syscall.Signal) {
	r.t.Helper()
	p := r.running.Swap(nil)
	if err := p.end(signal); signal == syscall.SIGTERM && err != nil {
		r.t.Errorf("after %s: %v", signal, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func (r *recording) sendTo(endpoint, format string) {
	r.t.Helper()
	p := r.running.Load()
	resp, body, err := p.api(r.t.Context(), "POST", "/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "SIEM", "endpoint": %q, "authorization": "key", "log_format": %q}`, endpoint, format))
	id := must(r.t, 201, resp, body, err)["id"]
	resp, body, err = p.api(r.t.Context(), "PATCH", "/v3/audit-log-webhook", fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, id))
	must(r.t, 200, resp, body, err)
}

// begin records until finish is called.
func (r *recording) begin() (finish func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for r.record(1 + r.random.IntN(20)) {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// pass records an event that the endpoint takes, and waits until it has.
func (r *recording) pass(e *erratic) {
	r.t.Helper()
	if !r.record(1) || r.number%poison == 0 && !r.record(1) {
		r.t.FailNow()
	}
	eventually(r.t, "the last event has come", func() bool { return slices.Contains(taken(e.read()), r.number) })
}

// record records the next n events: the same request again and again until it
// is acknowledged. It reports whether it was.
func (r *recording) record(n int) bool {
	var body strings.Builder
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	for range n {
		r.number++
		fmt.Fprintf(&body, `{"type":"authorization","ts":%q,"service":"billing","resource":"invoices","action":"list","granted":true,"trace_id":"%d"}`+"\n", now, r.number)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(generous); time.Now().Before(limit); <-tick.C {
		p := r.running.Load()
		if p == nil {
			continue
		}
		status, answer := r.post(p, body.String())
		switch {
		case status == http.StatusCreated:
			return true
		case status != 0 && status < 500:
			r.t.Errorf("event %d was refused: %d %s", r.number, status, answer)
			return false
		}
	}
	r.t.Errorf("event %d was not acknowledged within %s", r.number, generous)
	return false
}

// post returns status 0 when there is no answer.
func (r *recording) post(p *process, body string) (status int, answer []byte) {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, p.apiURL+"/trailhook/v1/events", strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return http.StatusBadRequest, nil
	}
	req.Header.Set("Authorization", "Bearer "+p.token())
	req.Header.Set("Idempotency-Key", fmt.Sprintf("up-to-%d", r.number))
	resp, answer, err := exchange(req)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, answer
}

// check holds what has arrived and what is set aside against what was recorded.
func (r *recording) check(e *erratic) {
	t := r.t
	t.Helper()
	p, deliveries := r.running.Load(), e.read()
	arrived, refused, aside := map[int]bool{}, map[int]bool{}, setAside(p)
	for _, d := range deliveries {
		if d.refusedAlone() {
			refused[d.numbers[0]] = true
		}
	}
	highest := 0
	for _, number := range taken(deliveries) {
		arrived[number] = true
		// An event that is refused alone may come late: it is set aside after those behind it were
		// taken, and is tried again if the server is killed in between.
		if number < highest && !refused[number] {
			t.Errorf("event %d came for the first time after event %d", number, highest)
		}
		highest = max(highest, number)
	}
	for number := 1; number <= r.number; number++ {
		switch {
		case !arrived[number] && !aside[number]:
			t.Errorf("event %d was acknowledged, and is lost", number)
		case aside[number] && !refused[number]:
			t.Errorf("event %d is set aside, and was never refused alone", number)
		}
	}
	repeats := checkLines(p, deliveries)
	t.Logf("%d events in %d deliveries, %d lines came again, %d set aside", r.number, len(deliveries), repeats, len(aside))
}

// taken are the numbers of the events that the endpoint has taken, in the
// order in which each came for the first time.
func taken(deliveries []delivery) (numbers []int) {
	known := map[int]bool{0: true}
	for _, d := range deliveries {
		if d.status != http.StatusOK {
			continue
		}
		for _, number := range d.numbers {
			if !known[number] {
				known[number] = true
				numbers = append(numbers, number)
			}
		}
	}
	return numbers
}

// checkLines checks that every line verifies by the server's key set, and that
// an event came as the same bytes each time. It returns how many lines came
// again.
func checkLines(p *process, deliveries []delivery) (repeats int) {
	p.t.Helper()
	resp, body, err := p.api(p.t.Context(), "GET", "/v3/audit-log-webhook/jwks.json", "")
	must(p.t, 200, resp, body, err)
	keys, err := audit.ParseJWKS(body)
	if err != nil {
		p.t.Fatal(err)
	}
	first, known := map[int]string{}, map[string]bool{}
	for _, d := range deliveries {
		for i, line := range d.lines {
			if known[line] {
				repeats++
				continue
			}
			known[line] = true
			if verdict, _ := keys.Verify([]byte(line)); verdict != audit.Valid {
				p.t.Errorf("signature %s: %s", verdict, line)
			}
			if number := d.numbers[i]; number > 0 {
				if before, ok := first[number]; ok {
					p.t.Errorf("event %d came as\n%s\nand as\n%s", number, before, line)
				}
				first[number] = line
			}
		}
	}
	return repeats
}

// setAside are the numbers of the events that are set aside.
func setAside(p *process) map[int]bool {
	p.t.Helper()
	numbers := map[int]bool{}
	for next := setAsidePath; next != ""; {
		resp, body, err := p.api(p.t.Context(), "GET", next, "")
		must(p.t, 200, resp, body, err)
		var page struct {
			Data []struct{ Event json.RawMessage }
			Meta struct{ Next string }
		}
		if err := json.Unmarshal(body, &page); err != nil {
			p.t.Fatal(err)
		}
		for _, line := range page.Data {
			event, err := audit.DecodePull(line.Event)
			if err != nil {
				p.t.Fatalf("%v: %s", err, line.Event)
			}
			if event.Service == "billing" {
				numbers[int(event.TraceID)] = true
			}
		}
		next = page.Meta.Next
	}
	return numbers
}
