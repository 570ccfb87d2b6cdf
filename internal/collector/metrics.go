package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
)

// Metrics counts what the collector takes, refuses and indexes: all together for
// Prometheus, and source by source for [Statistics].
type Metrics struct {
	received    prometheus.Counter
	stored      prometheus.Counter
	duplicates  prometheus.Counter
	quarantined prometheus.Counter
	expired     prometheus.Counter
	registerer  prometheus.Registerer
	verdicts    *prometheus.CounterVec
	rejected    *prometheus.CounterVec
	sources     *sources
}

// NewMetrics registers the counters; a second registration with the same
// registerer panics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		sources:    &sources{began: time.Now()},
		registerer: registerer,
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
	// All of them from the start: a series that begins with 1 shows no increase.
	for _, verdict := range []audit.Verdict{audit.Unsigned, audit.Valid, audit.Invalid, audit.UnknownKey} {
		m.verdicts.WithLabelValues(verdict.String())
	}
	for _, reason := range []string{"busy", "canceled", "event", "header", "incomplete", "method", "too_large", "unauthorized", "unavailable", "undecodable"} {
		m.rejected.WithLabelValues(reason)
	}
	registerer.MustRegister(m.received, m.stored, m.duplicates, m.quarantined, m.expired, m.verdicts, m.rejected)
	return m
}

// took counts lines that a source has made durable.
func (m *Metrics) took(sourceID int64, lines int, at time.Time) {
	m.received.Add(float64(lines))
	m.sources.of(sourceID).took(lines, at)
}

// refused counts a request to a source, or to [thisServer], of which no line was
// acknowledged.
func (m *Metrics) refused(sourceID int64, reason string) {
	m.rejected.WithLabelValues(reason).Inc()
	m.sources.of(sourceID).refused(reason, 1, time.Now())
}

// indexed counts the lines of an insert.
func (m *Metrics) indexed(all []*tally) {
	now := time.Now()
	for _, t := range all {
		m.stored.Add(float64(t.stored))
		m.duplicates.Add(float64(t.lines - t.stored))
		for verdict, lines := range t.verdicts {
			if lines > 0 {
				m.verdicts.WithLabelValues(audit.Verdict(verdict).String()).Add(float64(lines))
			}
		}
		if t.quarantined {
			m.quarantined.Add(float64(t.lines))
		}
		m.sources.of(t.source()).indexed(t, now)
	}
}
