package journal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// usageInterval is how often the journal looks at how full it is.
	usageInterval = 10 * time.Second
	// nearlyFull is the share of its limit from which on it warns.
	nearlyFull = 0.8
)

// Usage is how much the journal holds.
type Usage struct {
	Bytes    uint64
	MaxBytes int64 // 0: no limit
	Oldest   time.Time
}

// share is how much of the limit is used; 0 without one.
func (u Usage) share() float64 {
	if u.MaxBytes <= 0 {
		return 0
	}
	return float64(u.Bytes) / float64(u.MaxBytes)
}

// Usage returns how much the journal held a few seconds ago.
func (j *Journal) Usage() Usage {
	j.usage.mu.Lock()
	defer j.usage.mu.Unlock()
	return j.usage.now
}

// Warning says what an operator should know of how full the journal is; it is
// empty when all is well.
func (j *Journal) Warning() string {
	u := j.Usage()
	if u.share() < nearlyFull {
		return ""
	}
	return fmt.Sprintf("the journal holds %d of %d bytes (%.0f%%): when it is full, %s; raise --journal-max-bytes or lower --retention",
		u.Bytes, u.MaxBytes, 100*u.share(), j.whenFull())
}

func (j *Journal) whenFull() string {
	if j.options.DropOldest {
		return "its oldest events are dropped, delivered or not"
	}
	return "API calls are refused"
}

// usage keeps the last look, for metrics and readiness.
type usage struct {
	mu  sync.Mutex
	now Usage

	recorded, refused atomic.Uint64 // events
}

// watchUsage looks at intervals, and logs when the journal becomes nearly full
// or is so no longer.
func (j *Journal) watchUsage() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(usageInterval)
	defer ticker.Stop()
	warned := false
	for {
		j.lookAtUsage(ctx)
		warning := j.Warning()
		switch {
		case warning != "" && !warned:
			j.logger.Warn(warning)
		case warning == "" && warned:
			j.logger.Info("the journal is no longer nearly full")
		}
		warned = warning != ""
		select {
		case <-ticker.C:
		case <-j.closing:
			return
		}
	}
}

// lookAtUsage asks the engine. What it cannot tell stays as it was: that the
// engine is unwell is for others to say.
func (j *Journal) lookAtUsage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, usageInterval)
	defer cancel()
	info, err := j.stream.Info(ctx)
	if err != nil {
		return
	}
	j.usage.mu.Lock()
	defer j.usage.mu.Unlock()
	j.usage.now = Usage{Bytes: info.State.Bytes, MaxBytes: max(info.Config.MaxBytes, 0), Oldest: info.State.FirstTime}
}

var (
	bytesDesc = prometheus.NewDesc("trailhook_journal_bytes", "Bytes that the journal holds.", nil, nil)
	limitDesc = prometheus.NewDesc("trailhook_journal_max_bytes", "Bytes that the journal may hold; 0 means no limit.", nil, nil)

	recordedDesc = prometheus.NewDesc("trailhook_journal_events_recorded_total", "Events that this process has made durable.", nil, nil)
	refusedDesc  = prometheus.NewDesc("trailhook_journal_events_refused_total", "Events that could not be made durable; what they tell of was refused.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (u *usage) Describe(descs chan<- *prometheus.Desc) {
	descs <- bytesDesc
	descs <- limitDesc
	descs <- recordedDesc
	descs <- refusedDesc
}

// Collect implements [prometheus.Collector].
func (u *usage) Collect(metrics chan<- prometheus.Metric) {
	u.mu.Lock()
	now := u.now
	u.mu.Unlock()
	metrics <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(now.Bytes))
	metrics <- prometheus.MustNewConstMetric(limitDesc, prometheus.GaugeValue, float64(now.MaxBytes))
	metrics <- prometheus.MustNewConstMetric(recordedDesc, prometheus.CounterValue, float64(u.recorded.Load()))
	metrics <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(u.refused.Load()))
}
