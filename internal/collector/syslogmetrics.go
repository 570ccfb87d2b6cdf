package collector

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

type syslogMetrics struct {
	messages *prometheus.CounterVec
	dropped  *prometheus.CounterVec
	faults   *prometheus.CounterVec
}

func newSyslogMetrics(registerer prometheus.Registerer, connections *atomic.Int64) *syslogMetrics {
	m := &syslogMetrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_collector_syslog_messages_total",
			Help: "Syslog messages that were read, by transport.",
		}, []string{"transport"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_collector_syslog_dropped_total",
			Help: "Syslog messages that were read and not kept, by reason: no room (UDP), or a shutdown while they could not be made durable.",
		}, []string{"reason"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_collector_syslog_faults_total",
			Help: "Faults in the framing of syslog connections, by kind; what came is kept.",
		}, []string{"fault"}),
	}
	for _, transport := range []string{"tcp", "tls", "udp"} {
		m.messages.WithLabelValues(transport)
	}
	for _, reason := range []string{"udp_no_room", "shutdown"} {
		m.dropped.WithLabelValues(reason)
	}
	for _, f := range []fault{outOfStep, tooLong, halfFrame} {
		m.faults.WithLabelValues(string(f))
	}
	registerer.MustRegister(m.messages, m.dropped, m.faults, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trailhook_collector_syslog_connections",
		Help: "Open syslog connections.",
	}, func() float64 { return float64(connections.Load()) }))
	return m
}
