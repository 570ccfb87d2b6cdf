package loadtest

import (
	"math/bits"
	"sync"
	"time"
)

// latencies counts durations in buckets: exact to the microsecond up to 256 µs, and
// to less than 1 % beyond, in a fixed amount of memory.
type latencies struct {
	mu     sync.Mutex
	counts [latencyBuckets]uint64
	total  uint64
	max    time.Duration
}

const (
	latencyBits    = 7                       // of a value's leading bits that are kept, behind the first
	latencyBuckets = (40 + 1) << latencyBits // up to 2^40 µs, twelve days
)

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[bucketOf(d)]++
	l.total++
	l.max = max(l.max, d)
}

func bucketOf(d time.Duration) int {
	value := uint64(max(d, 0) / time.Microsecond)
	shift := max(bits.Len64(value)-latencyBits-1, 0)
	return min(shift<<latencyBits+int(value>>shift), latencyBuckets-1)
}

// topOf returns the longest duration of a bucket.
func topOf(bucket int) time.Duration {
	shift := max(bucket>>latencyBits-1, 0)
	value := uint64(bucket-shift<<latencyBits+1)<<shift - 1
	return time.Duration(value) * time.Microsecond
}

// Latency is how long something took, in milliseconds.
type Latency struct {
	Samples uint64  `json:"samples"`
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

func (l *latencies) summary() Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Latency{
		Samples: l.total, Max: milliseconds(l.max),
		P50: milliseconds(l.percentile(0.5)), P95: milliseconds(l.percentile(0.95)), P99: milliseconds(l.percentile(0.99)),
	}
}

// percentile returns the duration that p of the samples (0 to 1) do not exceed.
func (l *latencies) percentile(p float64) time.Duration {
	if l.total == 0 {
		return 0
	}
	rank, seen := max(uint64(p*float64(l.total)+0.5), 1), uint64(0)
	for bucket, count := range l.counts {
		if seen += count; seen >= rank {
			return min(topOf(bucket), l.max)
		}
	}
	return l.max
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
