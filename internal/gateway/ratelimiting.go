package gateway

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
)

// rateLimiting is the plugin rate-limiting, with the policy local: each gateway
// counts for itself, in windows of the clock.
type rateLimiting struct {
	By         string `json:"limit_by"`
	HeaderName string `json:"header_name"`
	Path       string `json:"path"`
	HideLimits bool   `json:"hide_client_headers"`
	Code       int    `json:"error_code"`
	Message    string `json:"error_message"`

	limits [6]int64 // of each window; 0: none
}

// windows of a limit, by their names in headers. Months and years are those of
// the calendar, in UTC.
var windows = [6]struct {
	name   string
	begins func(time.Time) time.Time
	next   func(time.Time) time.Time
}{
	{"Second", cutTo(time.Second), add(time.Second)},
	{"Minute", cutTo(time.Minute), add(time.Minute)},
	{"Hour", cutTo(time.Hour), add(time.Hour)},
	{"Day", cutTo(24 * time.Hour), add(24 * time.Hour)},
	{"Month", func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) },
		func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"Year", func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) },
		func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

func cutTo(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Truncate(d) }
}

func add(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Add(d) }
}

func newRateLimiting(d entity.Document) (*rateLimiting, error) {
	p := &rateLimiting{}
	config, _ := d["config"].(map[string]any)
	for i, window := range entity.RateWindows() {
		p.limits[i] = int64(whole(config, window))
	}
	return p, decode(d, p)
}

// identity is what a request is counted under: what the plugin says, or the
// client's address where the request has none of that.
func (p *rateLimiting) identity(x *exchange) string {
	switch p.By {
	case "consumer":
		if x.consumer != nil && !x.anonymous {
			return "consumer " + x.consumer.id
		}
	case "credential":
		if x.credential != "" {
			return "credential " + x.credential
		}
	case "service":
		if x.match.service != nil {
			return "service " + x.match.service.id
		}
	case "header":
		if value := x.r.Header.Get(p.HeaderName); value != "" {
			return "header " + value
		}
	case "path":
		if x.asked.path == p.Path {
			return "path"
		}
	}
	return "ip " + x.source()
}

func (p *rateLimiting) access(x *exchange, configured *plugin) bool {
	now := x.gateway.Now().UTC()
	usage := x.gateway.limiter.take(configured.id, p.identity(x), p.limits, now)
	if !p.HideLimits {
		p.tell(x, usage)
	}
	if usage.ok {
		return true
	}
	x.headers.Set("Retry-After", strconv.FormatInt(usage.reset, 10))
	x.answer(p.Code, p.Message)
	return false
}

// tell sets the headers that a client can pace itself by: those of each window,
// and of the window that it will reach the limit of first.
func (p *rateLimiting) tell(x *exchange, u usage) {
	for i, limit := range p.limits {
		if limit == 0 {
			continue
		}
		x.headers["X-Ratelimit-Limit-"+windows[i].name] = []string{strconv.FormatInt(limit, 10)}
		x.headers["X-Ratelimit-Remaining-"+windows[i].name] = []string{strconv.FormatInt(u.remaining[i], 10)}
	}
	x.headers["Ratelimit-Limit"] = []string{strconv.FormatInt(u.limit, 10)}
	x.headers["Ratelimit-Remaining"] = []string{strconv.FormatInt(u.least, 10)}
	x.headers["Ratelimit-Reset"] = []string{strconv.FormatInt(u.reset, 10)}
}

// maxCounts bounds what is counted at a time, whoever sends requests under as
// many names as he can. Beyond it counts are forgotten.
const maxCounts = 1 << 18

// limiter counts requests.
type limiter struct {
	mu     sync.Mutex
	counts map[limitKey]int64
}

// limitKey is a window of a plugin for one who is counted.
type limitKey struct {
	plugin, identity string
	window           int
	begins           int64 // in seconds since the epoch
}

// usage is what is left to who was counted.
type usage struct {
	ok        bool
	remaining [6]int64
	limit     int64 // of the window of which the least is left
	least     int64
	reset     int64 // in how many seconds that window ends
}

// take counts a request, unless that is over a limit.
func (l *limiter) take(plugin, identity string, limits [6]int64, now time.Time) usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := usage{ok: true, least: math.MaxInt64}
	var keys [6]limitKey
	for i, limit := range limits {
		if limit == 0 {
			continue
		}
		begins := windows[i].begins(now)
		keys[i] = limitKey{plugin, strings.Clone(identity), i, begins.Unix()}
		u.remaining[i] = limit - l.counts[keys[i]]
		u.ok = u.ok && u.remaining[i] > 0
		if u.remaining[i] < u.least {
			u.least, u.limit = u.remaining[i], limit
			u.reset = int64(math.Ceil(windows[i].next(begins).Sub(now).Seconds()))
		}
	}
	if !u.ok {
		return u
	}
	u.least--
	for i, limit := range limits {
		if limit > 0 {
			u.remaining[i]--
			l.counts[keys[i]]++
		}
	}
	if len(l.counts) > maxCounts {
		l.forget(now)
	}
	return u
}

// forget drops the counts of windows that are over, and others where that is too
// little.
func (l *limiter) forget(now time.Time) {
	for key := range l.counts {
		if windows[key.window].begins(now).Unix() != key.begins {
			delete(l.counts, key)
		}
	}
	for key := range l.counts {
		if len(l.counts) <= maxCounts/2 {
			return
		}
		delete(l.counts, key)
	}
}
