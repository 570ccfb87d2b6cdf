package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
)

// lagTime is how long the intake may take to tell what waits in it.
const lagTime = 2 * time.Second

// Lag is how far the search store is behind the intake.
type Lag struct {
	Messages uint64        // that are not indexed; a message holds the lines of one request, or some of them
	Age      time.Duration // of the oldest of them; 0 when there is none
	Trouble  error         // why nothing is indexed at the moment; nil when nothing is wrong
}

// Lag tells how far the store is behind. Where the intake cannot be asked, the
// error says so, and the rest is what is known without it.
func (x *Indexer) Lag(ctx context.Context, now time.Time) (Lag, error) {
	newest, _ := x.intake.newest()
	x.mu.Lock()
	position, lag := x.position, Lag{Trouble: x.trouble}
	x.mu.Unlock()
	if newest <= position {
		return lag, nil
	}
	lag.Messages = newest - position
	ctx, cancel := context.WithTimeout(ctx, lagTime)
	defer cancel()
	waiting, err := x.intake.broker.Read(ctx, broker.Range{Stream: intakeStream, From: position + 1, Subject: intakeSubjects, Max: 1})
	if err != nil {
		return lag, fmt.Errorf("indexer: how long lines wait is not known: %w", err)
	}
	if len(waiting) > 0 {
		lag.Age = max(now.Sub(waiting[0].Stored), 0)
	}
	return lag, nil
}

// note keeps why nothing is indexed.
func (x *Indexer) note(trouble error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble = trouble
}

// KeepIntake has nothing taken out of the intake until release is called, though
// lines are indexed meanwhile: who copies the store and then the intake has in
// the two together whatever was acknowledged before. It waits for a removal under
// way. release may be called more than once.
func (x *Indexer) KeepIntake() (release func()) {
	x.purging.Lock()
	return sync.OnceFunc(x.purging.Unlock)
}

// lagGauges tell of the lag when somebody asks.
type lagGauges struct{ indexer *Indexer }

var (
	lagMessagesDesc = prometheus.NewDesc("trailhook_collector_index_lag_messages",
		"Messages of the intake that are not searchable yet; one holds the lines of a request, or some of them.", nil, nil)
	lagSecondsDesc = prometheus.NewDesc("trailhook_collector_index_lag_seconds",
		"Age of the oldest lines that are not searchable yet; 0 when there are none.", nil, nil)
)

// watch has the indexer's lag told.
func (m *Metrics) watch(x *Indexer) { m.registerer.MustRegister(lagGauges{x}) }

// Describe implements [prometheus.Collector].
func (g lagGauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- lagMessagesDesc
	descs <- lagSecondsDesc
}

// Collect implements [prometheus.Collector].
func (g lagGauges) Collect(metrics chan<- prometheus.Metric) {
	lag, err := g.indexer.Lag(context.Background(), time.Now())
	metrics <- prometheus.MustNewConstMetric(lagMessagesDesc, prometheus.GaugeValue, float64(lag.Messages))
	if err == nil {
		metrics <- prometheus.MustNewConstMetric(lagSecondsDesc, prometheus.GaugeValue, lag.Age.Seconds())
	}
}
