package konnect

import (
	"crypto/sha256"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Rates are how many requests are taken, in requests a second; 0 is no limit.
// Each lets five seconds' worth through at once.
//
// A request that is over a limit is answered with 429 and leaves no event: it
// did nothing, and a limit whose refusals had to be written to disk would
// protect nothing. They are counted in the metrics.
//
// The endpoints of other packages ([API.Mount]) are held to Failures only, for
// callers who may use them: they take much in one request and bound their own
// work, and refusing an audit event is worse than making its sender wait.
type Rates struct {
	Requests float64 // of all callers together, whether they are known or not
	Token    float64 // of one token that is good
	// Failures are failed authentications of one source address (of one /64
	// network with IPv6). Good tokens from there still get through, since many
	// callers can share an address. That does not help who guesses: tokens have
	// 256 random bits. What the limit protects is the journal, to which every
	// failure is written.
	Failures float64
}

// burst is how many seconds' worth of its rate a limit lets through at once.
const burst = 5

// rateLimits are the API's limits and what they have counted.
type rateLimits struct {
	requests *buckets[struct{}]
	tokens   *buckets[[sha256.Size]byte]
	failures *buckets[netip.Prefix]
	refused  *prometheus.CounterVec
}

func newRateLimits(r Rates, metrics prometheus.Registerer) *rateLimits {
	l := &rateLimits{
		requests: newBuckets[struct{}](r.Requests),
		tokens:   newBuckets[[sha256.Size]byte](r.Token),
		failures: newBuckets[netip.Prefix](r.Failures),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_api_limited_total", Help: "Requests answered with 429, by the limit that they were over.",
		}, []string{"limit"}),
	}
	for _, limit := range []string{"requests", "token", "failures"} { // from the start: a series that begins with 1 shows no increase
		l.refused.WithLabelValues(limit)
	}
	if metrics != nil {
		metrics.MustRegister(l.refused)
	}
	return l
}

// request holds a request to the limit of all.
func (l *rateLimits) request(c *call) *Problem {
	if c.mounted {
		return nil
	}
	return l.hold(c, l.requests.take(struct{}{}, time.Now()), "requests", "The server gets more requests than it is set to take")
}

// authenticated holds a request to its token's limit.
func (l *rateLimits) authenticated(c *call, token string) *Problem {
	c.token = sha256.Sum256([]byte(token))
	if c.mounted {
		return nil
	}
	return l.holdToken(c)
}

// denied holds a request to its token's limit that authenticated let pass, and
// that is not going to reach its endpoint.
func (l *rateLimits) denied(c *call) *Problem {
	if !c.mounted {
		return nil
	}
	return l.holdToken(c)
}

func (l *rateLimits) holdToken(c *call) *Problem {
	return l.hold(c, l.tokens.take(c.token, time.Now()), "token", "This token makes more requests than it may")
}

// failed holds a request whose token is not good to its address's limit.
func (l *rateLimits) failed(c *call) *Problem {
	return l.hold(c, l.failures.take(network(c.trail.Source()), time.Now()), "failures", "Too many requests without a valid token come from this address")
}

func (l *rateLimits) hold(c *call, wait time.Duration, limit, detail string) *Problem {
	if wait <= 0 {
		return nil
	}
	c.wait = wait
	l.refused.WithLabelValues(limit).Inc()
	return c.problem(http.StatusTooManyRequests, detail+". Try again later: Retry-After says when")
}

// retryAfter is a wait as the header has it: whole seconds, at least one.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}

// network is what an address's failures are counted for: who has an IPv6
// address has 2⁶⁴ of them. What is no address shares one place.
func network(source string) netip.Prefix {
	address, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Prefix{}
	}
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // within the address's length
	return prefix
}

// maxBuckets bounds the memory of a limit, to some 2 MB.
const maxBuckets = 10_000

// buckets are a rate limit for each of many keys.
type buckets[K comparable] struct {
	rate  rate.Limit // 0: none
	burst int

	mu       sync.Mutex
	of       map[K]*rate.Limiter
	swept    time.Time
	overflow *rate.Limiter // of all keys for which there is no place
}

func newBuckets[K comparable](perSecond float64) *buckets[K] {
	b := &buckets[K]{rate: rate.Limit(perSecond), burst: max(1, int(math.Ceil(burst*perSecond))), of: map[K]*rate.Limiter{}}
	b.overflow = rate.NewLimiter(b.rate, b.burst)
	return b
}

// take takes one from the key's bucket, or says how long it will be empty.
func (b *buckets[K]) take(key K, now time.Time) (wait time.Duration) {
	if b.rate <= 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.bucket(key, now).ReserveN(now, 1)
	if wait = one.DelayFrom(now); wait > 0 {
		one.CancelAt(now)
	}
	return wait
}

func (b *buckets[K]) bucket(key K, now time.Time) *rate.Limiter {
	if bucket, ok := b.of[key]; ok {
		return bucket
	}
	if len(b.of) >= maxBuckets && now.Sub(b.swept) >= time.Second {
		b.sweep(now)
	}
	if len(b.of) >= maxBuckets {
		return b.overflow
	}
	b.of[key] = rate.NewLimiter(b.rate, b.burst)
	return b.of[key]
}

// sweep forgets the buckets that are full again: a new one would be no other.
func (b *buckets[K]) sweep(now time.Time) {
	b.swept = now
	for key, bucket := range b.of {
		if bucket.TokensAt(now) >= float64(b.burst) {
			delete(b.of, key)
		}
	}
}
