package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// deliveryGroup measures delivery: the server is a process of its own, this one
// is the receiver, which counts and verifies nothing.
func deliveryGroup(ctx context.Context) error {
	y, err := yardsticks()
	if err != nil {
		return err
	}
	r, err := newReceiver()
	if err != nil {
		return err
	}
	defer r.close()
	for _, load := range []struct {
		figure   string
		webhooks int
	}{{"deliver_events_per_s", 1}, {"deliver_200_events_per_s", 200}} {
		const events = 200_000
		rate, cpu, err := r.throughput(load.webhooks, events)
		if err != nil {
			return err
		}
		report(load.figure, rate, "1/s")
		if load.webhooks == 1 {
			report("deliver_cpu_signatures_per_event", cpu/events/(y.Sign/1e6), "")
		}
	}
	if err := r.replay(); err != nil {
		return err
	}
	if err := r.latency(); err != nil {
		return err
	}
	return backlogMemory()
}

// receiver is an endpoint that counts the lines it is sent, and how old each
// body's first event is.
type receiver struct {
	listener net.Listener
	server   *http.Server

	mu    sync.Mutex
	lines int
	ages  []time.Duration
	grown chan struct{} // closed and replaced at each request
}

func newReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{listener: listener, grown: make(chan struct{})}
	r.server = &http.Server{Handler: http.HandlerFunc(r.take)}
	go r.server.Serve(listener)
	return r, nil
}

func (r *receiver) close()      { r.server.Close() }
func (r *receiver) url() string { return "http://" + r.listener.Addr().String() }

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := gzip.NewReader(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now()
	first, _, _ := bytes.Cut(data, []byte("\n"))
	decoded, err := audit.Decode(first)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines += bytes.Count(data, []byte("\n")) + 1
	r.ages = append(r.ages, now.Sub(decoded.Event.Time))
	close(r.grown)
	r.grown = make(chan struct{})
}

// reset forgets what came.
func (r *receiver) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.ages = 0, nil
}

// await waits for so many lines.
func (r *receiver) await(lines int) error {
	deadline := time.After(3 * time.Minute)
	for {
		r.mu.Lock()
		enough, grown := r.lines >= lines, r.grown
		r.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-grown:
		case <-deadline:
			return fmt.Errorf("%d of %d lines came", r.lines, lines)
		}
	}
}

// throughput returns how many events each second go from Append to the
// receiver, and the processor seconds that the server took for all of them.
func (r *receiver) throughput(webhooks, events int) (rate, cpu float64, err error) {
	r.reset()
	c, err := startDeliverer(r.url(), webhooks)
	if err != nil {
		return 0, 0, err
	}
	defer c.stop()
	before, err := cpuSeconds(c.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := c.record(events, 0); err != nil {
		return 0, 0, err
	}
	if err := r.await(events); err != nil {
		return 0, 0, err
	}
	elapsed := time.Since(start)
	after, err := cpuSeconds(c.cmd.Process.Pid)
	return float64(events) / elapsed.Seconds(), after - before, err
}

// replay measures how many events each second go from the start of a replay job
// to the receiver, of events that were delivered before.
func (r *receiver) replay() error {
	r.reset()
	c, err := startDeliverer(r.url(), 1)
	if err != nil {
		return err
	}
	defer c.stop()
	const events = 200_000
	if err := c.record(events, 0); err != nil {
		return err
	}
	if err := errors.Join(c.recorded(), r.await(events)); err != nil {
		return err
	}
	r.reset()
	start := time.Now()
	if err := c.replay(); err != nil {
		return err
	}
	if err := r.await(events + 1); err != nil { // and what was there before the webhook
		return err
	}
	report("replay_events_per_s", (events+1)/time.Since(start).Seconds(), "1/s")
	return nil
}

// latency measures how old events are when they come, at 1,000 a second: from
// the moment that they happened, which is before the answer of their call.
func (r *receiver) latency() error {
	r.reset()
	c, err := startDeliverer(r.url(), 10)
	if err != nil {
		return err
	}
	defer c.stop()
	const events = 10_000
	if err := c.record(events, 1000); err != nil {
		return err
	}
	if err := r.await(events); err != nil {
		return err
	}
	// A body's first event has waited longest.
	report("deliver_ms_p50", milliseconds(percentile(r.ages, 0.5)), "ms")
	report("deliver_ms_p99", milliseconds(percentile(r.ages, 0.99)), "ms")
	return nil
}

// backlogMemory measures the server's peak memory with an endpoint that cannot
// be reached and a million events waiting for it.
func backlogMemory() error {
	c, err := startDeliverer("http://127.0.0.1:9/", 1)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := c.record(1_000_000, 0); err != nil {
		return err
	}
	if err := c.recorded(); err != nil {
		return err
	}
	time.Sleep(span)
	return c.reportPeak("backlog_peak_rss_mb")
}

// deliverer is a server that records on demand and delivers.
type deliverer struct{ *process }

func startDeliverer(endpoint string, webhooks int) (*deliverer, error) {
	p, err := startAgain("deliver-child", endpoint, strconv.Itoa(webhooks))
	if err != nil {
		return nil, err
	}
	c := &deliverer{p}
	if err := c.expect("ready"); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// record has so many events recorded, at the rate, or as fast as it goes with 0.
func (c *deliverer) record(events, perSecond int) error {
	_, err := fmt.Fprintln(c.stdin, "record", events, perSecond)
	return err
}

// replay starts a replay job over everything.
func (c *deliverer) replay() error {
	_, err := fmt.Fprintln(c.stdin, "replay")
	return err
}

// recorded waits until they are.
func (c *deliverer) recorded() error { return c.expect("recorded") }

func (c *deliverer) expect(word string) error {
	line, err := c.line()
	if err == nil && line != word {
		err = fmt.Errorf("the server said %q, not %q", line, word)
	}
	return err
}

// deliverChild is the other side of startDeliverer.
func deliverChild(ctx context.Context, endpoint, webhooks string) error {
	count, err := strconv.Atoi(webhooks)
	if err != nil {
		return err
	}
	p, err := openPlatform(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	var tenants []string
	if err := p.makeTenants(ctx, count, endpoint, func(id string) { tenants = append(tenants, id) }); err != nil {
		return err
	}
	defer p.deliver()()
	fmt.Println("ready")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		if err := p.obey(ctx, commands.Text(), tenants); err != nil {
			return fmt.Errorf("%s: %w", commands.Text(), err)
		}
	}
	return commands.Err()
}

// obey does what a line from the other side asks for.
func (p *platform) obey(ctx context.Context, command string, tenants []string) error {
	if command == "replay" {
		now := time.Now()
		_, err := p.registry.StartReplayJob(ctx, registry.Scope{Region: "us", Organization: tenants[0]}, now.Add(-time.Hour), now, p.journal.Retention())
		return err
	}
	var events, perSecond int
	if _, err := fmt.Sscanf(command, "record %d %d", &events, &perSecond); err != nil {
		return err
	}
	if err := p.record(ctx, tenants, events, perSecond); err != nil {
		return err
	}
	fmt.Println("recorded")
	return nil
}

// record appends events of the tenants in turn: in commits of 100 as fast as it
// goes, or of two, as an API call leaves, at the rate.
func (p *platform) record(ctx context.Context, tenants []string, events, perSecond int) error {
	size := 100
	var pace <-chan time.Time
	if perSecond > 0 {
		size = 2
		ticker := time.NewTicker(time.Second * time.Duration(size) / time.Duration(perSecond))
		defer ticker.Stop()
		pace = ticker.C
	}
	batch := make([]audit.Event, size)
	for n := 0; n < events; n += size {
		if pace != nil {
			<-pace
		}
		for i := range batch {
			batch[i] = sample(n + i)
			batch[i].OrgID = tenants[n/size%len(tenants)]
		}
		if err := p.journal.Append(ctx, "us", batch...); err != nil {
			return err
		}
	}
	return nil
}
