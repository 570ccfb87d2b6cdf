package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/outbound"
)

// httpLog is the plugin http-log: what was served is told to an address, many
// requests at a time.
type httpLog struct {
	Endpoint    string            `json:"http_endpoint"`
	ContentType string            `json:"content_type"`
	Headers     map[string]string `json:"headers"`

	timeout      time.Duration
	batch        int
	coalesce     time.Duration
	entries      int
	bytes        int // 0: no limit
	retryTime    time.Duration
	firstPause   time.Duration
	longestPause time.Duration
}

func newHTTPLog(d entity.Document) (*httpLog, error) {
	p := &httpLog{}
	if err := decode(d, p); err != nil {
		return nil, err
	}
	config, _ := d["config"].(map[string]any)
	queue, _ := config["queue"].(map[string]any)
	p.timeout = milliseconds(config, "timeout")
	p.batch, p.entries, p.bytes = whole(queue, "max_batch_size"), whole(queue, "max_entries"), whole(queue, "max_bytes")
	p.coalesce, p.retryTime = seconds(queue, "max_coalescing_delay"), seconds(queue, "max_retry_time")
	p.firstPause, p.longestPause = seconds(queue, "initial_retry_delay"), seconds(queue, "max_retry_delay")
	return p, nil
}

// logQueues are the queues of all plugins http-log, over changes of the
// configuration.
type logQueues struct {
	gateway *Gateway
	mu      sync.Mutex
	queues  map[string]*logQueue // by the plugin's id
	closed  bool
	ending  chan struct{} // closed with it
	running sync.WaitGroup
}

// logQueue holds what is to be told to one plugin's address. It has a goroutine
// while it holds anything.
type logQueue struct {
	waiting [][]byte
	bytes   int
	sending bool
	more    chan struct{} // has one element when something was added
	dropped context.Context
	drop    context.CancelFunc
}

// keep drops the queues of plugins that are gone.
func (l *logQueues) keep(needed map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, queue := range l.queues {
		if !needed[id] {
			queue.drop()
			delete(l.queues, id)
		}
	}
}

// drainLimit is how long what waits may still be sent at the end.
const drainLimit = 5 * time.Second

// close waits until what waits has been tried once more, but not long.
func (l *logQueues) close() {
	l.mu.Lock()
	l.closed = true
	close(l.ending)
	l.mu.Unlock()
	enough := time.AfterFunc(drainLimit, func() { l.keep(nil) })
	defer enough.Stop()
	l.running.Wait()
}

// add queues what was of an exchange.
func (l *logQueues) add(x *exchange, p *plugin, took time.Duration) {
	text, err := json.Marshal(x.logEntry(took))
	if err != nil {
		l.gateway.metrics.logsDropped.Inc()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[p.id]
	if queue == nil {
		queue = &logQueue{more: make(chan struct{}, 1)}
		queue.dropped, queue.drop = context.WithCancel(context.Background())
		l.queues[p.id] = queue
	}
	log := p.http.log
	if l.closed || len(queue.waiting) >= log.entries || log.bytes > 0 && queue.bytes+len(text) > log.bytes {
		l.gateway.metrics.logsDropped.Inc()
		return
	}
	queue.waiting, queue.bytes = append(queue.waiting, text), queue.bytes+len(text)
	select {
	case queue.more <- struct{}{}:
	default:
	}
	if !queue.sending {
		queue.sending = true
		l.running.Go(func() { l.send(queue, log) })
	}
}

// send sends what waits, until nothing does.
func (l *logQueues) send(queue *logQueue, log *httpLog) {
	for {
		l.coalesce(queue, log)
		l.mu.Lock()
		if len(queue.waiting) == 0 || queue.dropped.Err() != nil {
			l.gateway.metrics.logsDropped.Add(float64(len(queue.waiting)))
			queue.sending, queue.waiting = false, nil
			l.mu.Unlock()
			return
		}
		n := min(log.batch, len(queue.waiting))
		batch := queue.waiting[:n:n]
		queue.waiting = queue.waiting[n:]
		for _, text := range batch {
			queue.bytes -= len(text)
		}
		l.mu.Unlock()
		if !l.deliver(queue.dropped, log, batch) {
			l.gateway.metrics.logsDropped.Add(float64(n))
		}
	}
}

// coalesce waits until a batch is full, or for as long as one may be waited for.
func (l *logQueues) coalesce(queue *logQueue, log *httpLog) {
	if log.batch == 1 || log.coalesce == 0 {
		return
	}
	enough := time.NewTimer(log.coalesce)
	defer enough.Stop()
	for {
		l.mu.Lock()
		full := len(queue.waiting) >= log.batch || l.closed
		l.mu.Unlock()
		if full {
			return
		}
		select {
		case <-queue.more:
		case <-enough.C:
			return
		case <-l.ending:
			return
		case <-queue.dropped.Done():
			return
		}
	}
}

// deliver sends a batch, and again after pauses that double, for as long as the
// plugin's retries may take.
func (l *logQueues) deliver(ctx context.Context, log *httpLog, batch [][]byte) bool {
	body := batch[0]
	if log.batch > 1 {
		body = slices.Concat([]byte("["), bytes.Join(batch, []byte(",")), []byte("]"))
	}
	header := http.Header{"Content-Type": {log.ContentType}}
	for name, value := range log.Headers {
		header.Set(name, value)
	}
	begun := time.Now()
	for pause := log.firstPause; ; pause = min(2*pause, log.longestPause) {
		err := l.attempt(ctx, log, header, body)
		if err == nil {
			return true
		}
		if ctx.Err() != nil || time.Since(begun)+pause > log.retryTime {
			l.gateway.Logger.Warn("what was served could not be told to a log's address, and is dropped", "requests", len(batch), "error", err)
			return false
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-l.ending:
			wait.Stop()
			return l.attempt(ctx, log, header, body) == nil
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

func (l *logQueues) attempt(ctx context.Context, log *httpLog, header http.Header, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, log.timeout)
	defer cancel()
	resp, err := l.gateway.Client.Post(ctx, outbound.Request{URL: log.Endpoint, Header: header, Body: body})
	if err != nil {
		return err
	}
	if resp.Status >= 300 {
		return fmt.Errorf("answered %d", resp.Status)
	}
	return nil
}

// logEntry is an exchange in the form of Kong's log plugins.
func (x *exchange) logEntry(took time.Duration) map[string]any {
	scheme := map[bool]string{true: "https", false: "http"}[x.secure]
	query := map[string]any{}
	for name, values := range x.r.URL.Query() {
		if p := x.chain[slotKeyAuth]; p != nil && slices.Contains(p.http.keyAuth.Names, name) {
			continue
		}
		query[name] = values[0]
	}
	entry := map[string]any{
		"request": map[string]any{
			"id": x.id, "method": x.r.Method, "uri": withQuery(x.r.URL.EscapedPath(), x.query()), "url": scheme + "://" + x.r.Host + x.r.URL.EscapedPath(),
			"querystring": query, "headers": x.loggedHeaders(x.r.Header), "size": max(x.r.ContentLength, 0),
		},
		"response":   map[string]any{"status": x.status, "headers": x.loggedHeaders(x.w.Header()), "size": x.w.bytes},
		"latencies":  map[string]any{"request": took.Milliseconds(), "proxy": x.waited.Milliseconds(), "kong": (took - x.waited).Milliseconds()},
		"client_ip":  x.source(),
		"started_at": x.begun.UnixMilli(),
		"source":     map[bool]string{true: "upstream", false: "kong"}[x.proxied],
	}
	if x.match.route != nil {
		entry["route"] = x.match.document
		if s := x.match.service; s != nil {
			entry["service"] = s.document
			entry["upstream_uri"] = escapedPath(upstreamPath(s.path, x.asked.path, x.match.rest, x.match.strips()))
		}
	}
	if x.consumer != nil {
		entry["consumer"] = map[string]any{"id": x.consumer.id, "username": x.consumer.username, "custom_id": x.consumer.customID}
	}
	if x.credential != "" {
		entry["authenticated_entity"] = map[string]any{"id": x.credential}
	}
	return entry
}

func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// loggedHeaders are headers as they may be told: without what proves who calls.
func (x *exchange) loggedHeaders(header http.Header) map[string]any {
	secret := []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}
	if p := x.chain[slotKeyAuth]; p != nil {
		for _, name := range p.http.keyAuth.Names {
			secret = append(secret, http.CanonicalHeaderKey(name))
		}
	}
	told := map[string]any{}
	for name, values := range header {
		key := string(bytes.ToLower([]byte(name)))
		switch {
		case slices.Contains(secret, name):
			told[key] = "REDACTED"
		case len(values) == 1:
			told[key] = values[0]
		default:
			told[key] = values
		}
	}
	return told
}
