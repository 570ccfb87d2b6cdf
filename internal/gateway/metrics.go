package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// methods have a label of their own; others share one.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}

// metrics are the gateway's. Their labels are bounded, whatever is configured
// and asked for.
type metrics struct {
	requests      [len(methods)][6][2]prometheus.Counter // by method, class of the status, and who answered
	took          prometheus.Histogram
	waited        prometheus.Histogram
	retries       prometheus.Counter
	unrecorded    prometheus.Counter
	auditsDropped prometheus.Counter
	logsDropped   prometheus.Counter
	routes        prometheus.Gauge
	configured    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 13)})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "trailhook_proxy_requests_total",
		Help: "Requests that the data plane has answered, by method, class of the status, and whether they were sent on to an upstream.",
	}, []string{"method", "status", "proxied"})
	m := &metrics{
		took:          histogram("trailhook_proxy_request_seconds", "How long requests took from their header to the end of their answer."),
		waited:        histogram("trailhook_proxy_upstream_seconds", "How long upstreams took until the header of their answer."),
		retries:       counter("trailhook_proxy_retries_total", "Attempts to send a request again after an upstream had failed."),
		unrecorded:    counter("trailhook_proxy_unrecorded_total", "Requests that were refused, or answers that were withheld, because they could not be recorded."),
		auditsDropped: counter("trailhook_proxy_audit_dropped_total", "Audit events of requests that did not wait for them, and that were dropped."),
		logsDropped:   counter("trailhook_proxy_log_dropped_total", "Requests that http-log could not tell of."),
		routes:        gauge("trailhook_proxy_routes", "Routes that are served."),
		configured:    gauge("trailhook_proxy_configuration_timestamp_seconds", "When the data plane last took a configuration over; 0 before the first."),
	}
	for i, method := range methods {
		for class := range 6 {
			for j, proxied := range []string{"no", "yes"} {
				m.requests[i][class][j] = requests.WithLabelValues(method, []string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}[class], proxied)
			}
		}
	}
	if r != nil {
		r.MustRegister(requests, m.took, m.waited, m.retries, m.unrecorded, m.auditsDropped, m.logsDropped, m.routes, m.configured)
	}
	return m
}

// served counts an answer. A status of 0 is of a request that was given up.
func (m *metrics) served(method string, status int, proxied bool, took, waited time.Duration) {
	row := len(methods) - 1
	for i, known := range methods {
		if known == method {
			row = i
		}
	}
	class, column := status/100, 0
	if class < 0 || class > 5 {
		class = 0
	}
	if proxied {
		column = 1
		m.waited.Observe(waited.Seconds())
	}
	m.requests[row][class][column].Inc()
	m.took.Observe(took.Seconds())
}
