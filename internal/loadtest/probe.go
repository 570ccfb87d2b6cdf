package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// probeInterval is how often a request is followed until the SIEM shows it: few
	// enough for a tail never to leave any out.
	probeInterval = 50 * time.Millisecond
	// mostExpected bounds the probes that are waited for. Beyond, requests are not
	// followed until some have come.
	mostExpected = 100_000
)

// probes follow a sample of requests by a tail of the SIEM's, which shows a line as
// soon as it is stored, so that a search finds it too.
type probes struct {
	cancel context.CancelFunc
	reader sync.WaitGroup
	sent   atomic.Int64 // when the last probe was, in nanoseconds of the Unix epoch

	mu       sync.Mutex
	expected map[string]expectation
	broken   error // why the tail ended before its time
}

type expectation struct {
	begun time.Time
	found *latencies
}

// startProbes returns once the tail misses nothing.
func (r *run) startProbes(ctx context.Context) (*probes, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &probes{cancel: cancel, expected: map[string]expectation{}}
	query := fmt.Sprintf("_source=%s kind=authorization user_agent=%s*probe", r.source, r.mark())
	request, err := r.siem.request(ctx, http.MethodGet, "/trailhook/v1/tail?query="+url.QueryEscape(query), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	response, err := r.siem.streaming.Do(request)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("--siem %s: %w: is the server running there?", r.Target.SIEM, withoutURL(err))
	}
	if response.StatusCode != http.StatusOK {
		defer cancel()
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // what there is of it is told
		return nil, fmt.Errorf("--siem %s: %w", r.Target.SIEM, refusalOf(response, text))
	}
	p.reader.Go(func() {
		defer response.Body.Close()
		err := p.read(response.Body)
		if ctx.Err() == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.broken = fmt.Errorf("the tail broke off: %w", withoutURL(err))
		}
	})
	return p, nil
}

func (p *probes) stop() {
	p.cancel()
	p.reader.Wait()
}

// due reports whether a request of this time is to be a probe.
func (p *probes) due(now time.Time) bool {
	last := p.sent.Load()
	return now.UnixNano()-last >= int64(probeInterval) && p.sent.CompareAndSwap(last, now.UnixNano())
}

// expect waits for the event of that name.
func (p *probes) expect(name string, begun time.Time, found *latencies) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.expected) < mostExpected {
		p.expected[name] = expectation{begun, found}
	}
}

// forget waits no more for an event that nobody promised.
func (p *probes) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.expected, name)
}

// last waits for what a search finds already and the tail is about to show.
func (p *probes) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probesAfterSearch)
	defer cancel()
	for p.waits() && pause(ctx, 10*time.Millisecond) {
	}
}

// probesAfterSearch is how long that may take at most: what is lost never comes.
const probesAfterSearch = 5 * time.Second

func (p *probes) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.expected) > 0 && p.broken == nil
}

// read reads server-sent events to their end, of which the lines of data count.
func (p *probes) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		var line foundLine
		if ok && json.Unmarshal([]byte(data), &line) == nil {
			p.come(line.name())
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (p *probes) come(name string) {
	p.mu.Lock()
	e, ok := p.expected[name]
	delete(p.expected, name)
	p.mu.Unlock()
	if ok {
		e.found.add(time.Since(e.begun))
	}
}

// why says why there are fewer samples than there should be, or nothing.
func (p *probes) why() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken.Error()
	}
	return ""
}

func probeName(sort string, number uint64) string { return fmt.Sprintf("%s %d", sort, number) }
