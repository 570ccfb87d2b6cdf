package alert

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	evaluations   *prometheus.CounterVec
	seconds       prometheus.Histogram
	notifications *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer, a *Alerts) metrics {
	m := metrics{
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_alert_evaluations_total",
			Help: "Evaluations of alerts, by whether they succeeded (ok) or not (error).",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trailhook_alert_evaluation_seconds",
			Help:    "How long evaluations of alerts took.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
		}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_alert_notifications_total",
			Help: "Notifications of alerts: accepted by the webhook, refused after all retries (and tried again later), or dropped since their webhook is gone.",
		}, []string{"result"}),
	}
	for _, result := range []string{"ok", "error"} {
		m.evaluations.WithLabelValues(result)
	}
	for _, result := range []string{"accepted", "refused", "dropped"} {
		m.notifications.WithLabelValues(result)
	}
	registerer.MustRegister(m.evaluations, m.seconds, m.notifications, gauges{a})
	return m
}

func (m metrics) evaluated(result string, took time.Duration) {
	m.evaluations.WithLabelValues(result).Inc()
	m.seconds.Observe(took.Seconds())
}

// gauges tell how the alerts stand.
type gauges struct{ alerts *Alerts }

var (
	firingGauge  = prometheus.NewDesc("trailhook_alerts_firing", "Alerts of which a group fires.", nil, nil)
	pendingGauge = prometheus.NewDesc("trailhook_alert_notifications_pending", "Notifications that no webhook has accepted yet.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (g gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- firingGauge
	descs <- pendingGauge
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(metrics chan<- prometheus.Metric) {
	firing, pending := 0, 0
	for _, entry := range g.alerts.states.List("") {
		if len(entry.Value.Firing) > 0 {
			firing++
		}
		pending += len(g.alerts.waiting(entry.Key))
	}
	metrics <- prometheus.MustNewConstMetric(firingGauge, prometheus.GaugeValue, float64(firing))
	metrics <- prometheus.MustNewConstMetric(pendingGauge, prometheus.GaugeValue, float64(pending))
}
