package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/outbound"
)

type metrics struct {
	delivered prometheus.Counter
	lost      prometheus.Counter
	setAside  prometheus.Counter
	attempts  *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_delivery_events_total",
			Help: "Events that webhook endpoints have taken.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_delivery_lost_events_total",
			Help: "Events that retention took before an endpoint did.",
		}),
		setAside: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_delivery_set_aside_events_total",
			Help: "Events that an endpoint refused while it took others, and that were set aside.",
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_delivery_attempts_total",
			Help: "Requests to webhook endpoints, by the class of the answer's status or error.",
		}, []string{"result"}),
	}
	for _, result := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "error"} { // from the start: a series that begins with 1 shows no increase
		m.attempts.WithLabelValues(result)
	}
	registerer.MustRegister(m.delivered, m.lost, m.setAside, m.attempts)
	return m
}

func (m metrics) attempted(a outbound.Attempt) {
	result := "error"
	if a.Err == nil {
		result = string('0'+rune(a.Status/100)) + "xx"
	}
	m.attempts.WithLabelValues(result).Inc()
}

// collector tells how the webhooks stand that this process serves. However many
// they are, it gives the same few figures: each webhook's own are in its status.
type collector struct{ manager *Manager }

var (
	webhooksGauge = prometheus.NewDesc("trailhook_delivery_webhooks",
		"Webhooks, by status: an inactive one is enabled, but its last delivery failed.", []string{"status"}, nil)
	backlogGauge = prometheus.NewDesc("trailhook_delivery_backlog_webhooks",
		"Webhooks with events that wait to be delivered by this process.", nil, nil)
	oldestGauge = prometheus.NewDesc("trailhook_delivery_backlog_oldest_seconds",
		"Age of the oldest event that waits to be delivered by this process; 0 when none waits.", nil, nil)
	lossGauge = prometheus.NewDesc("trailhook_delivery_backlog_next_loss_seconds",
		"Time until retention takes the oldest event that waits to be delivered by this process; the retention when none waits.", nil, nil)
	workersGauge = prometheus.NewDesc("trailhook_delivery_workers",
		"Webhooks that are being sent to at this moment, by how their last delivery went.", []string{"lane"}, nil)
)

// Describe implements [prometheus.Collector].
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{webhooksGauge, backlogGauge, oldestGauge, lossGauge, workersGauge} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	m := c.manager
	count := map[string]int{Active: 0, Inactive: 0, "disabled": 0}
	for _, hook := range m.Registry.Webhooks() {
		switch {
		case !hook.Enabled:
			count["disabled"]++
		case m.stateOf(hook).Failing:
			count[Inactive]++
		default:
			count[Active]++
		}
	}
	for status, n := range count {
		gauge(webhooksGauge, float64(n), status)
	}
	now := m.Now()
	oldest, behind := now.UnixMilli(), m.busy.all()
	for _, w := range behind {
		oldest = min(oldest, w.oldest.Load())
	}
	age := float64(now.UnixMilli()-oldest) / 1000
	gauge(backlogGauge, float64(len(behind)))
	gauge(oldestGauge, age)
	gauge(lossGauge, m.Journal.Retention().Seconds()-age)
	running := m.lanes.counts()
	gauge(workersGauge, float64(running[well]), "well")
	gauge(workersGauge, float64(running[troubled]), "troubled")
}
