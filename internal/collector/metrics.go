package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/search"
)

// Metrics counts what the collector takes, refuses and indexes.
type Metrics struct {
	received    prometheus.Counter
	stored      prometheus.Counter
	duplicates  prometheus.Counter
	quarantined prometheus.Counter
	expired     prometheus.Counter
	verdicts    *prometheus.CounterVec
	rejected    *prometheus.CounterVec
}

// NewMetrics registers the counters; a second registration with the same
// registerer panics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_collector_lines_received_total",
			Help: "Lines that were taken: durable in the intake and acknowledged.",
		}),
		stored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_collector_lines_stored_total",
			Help: "Lines that the search store took.",
		}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_collector_lines_duplicate_total",
			Help: "Lines that the search store had already.",
		}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_collector_lines_quarantined_total",
			Help: "Indexed lines, duplicates included, that their source's signature policy set apart.",
		}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_collector_records_expired_total",
			Help: "Records that were deleted because their source keeps them no longer.",
		}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_collector_line_verdicts_total",
			Help: "Indexed lines, duplicates included, by the verdict on their signature.",
		}, []string{"verdict"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_collector_requests_rejected_total",
			Help: "Requests of which no line was acknowledged, by reason.",
		}, []string{"reason"}),
	}
	registerer.MustRegister(m.received, m.stored, m.duplicates, m.quarantined, m.expired, m.verdicts, m.rejected)
	return m
}

func (m *Metrics) indexed(records []search.Record, stored int) {
	m.stored.Add(float64(stored))
	m.duplicates.Add(float64(len(records) - stored))
	for i := range records {
		m.verdicts.WithLabelValues(records[i].Signature).Inc()
		if inQuarantine(&records[i]) {
			m.quarantined.Inc()
		}
	}
}
