package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/outbound"
)

// forwardState is what is kept of a source's forwarding.
type forwardState struct {
	ID            string // the Forwarding that it belongs to
	Cursor        int64  // the ordinal of the last record that was taken
	Forwarded     uint64 // lines
	Failing       bool
	LastError     string
	LastAttemptAt time.Time
}

// stored returns the state as it was saved last.
func (f *Forwarder) stored(source Source) forwardState {
	entry, err := f.states.Get(key(source.ID))
	if err != nil || entry.Value.ID != source.Forwarding.ID {
		return forwardState{ID: source.Forwarding.ID, Cursor: source.Forwarding.After}
	}
	return entry.Value
}

// ForwardStatus is how the forwarding of a source stands.
type ForwardStatus struct {
	Status        string    // active, or inactive: the last attempt failed, and lines are held
	LastError     string    // of the last attempt; empty if it succeeded
	LastAttemptAt time.Time // zero: there was none
	Forwarded     uint64    // lines that the endpoint has taken
	Cursor        int64     // the ordinal of the last of them in the store
	Behind        bool      // lines wait to be sent
}

// Status tells how the forwarding of a source stands that forwards.
func (f *Forwarder) Status(source Source) ForwardStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, behind := f.stored(source), false
	if w := f.workers[source.ID]; w != nil && w.state.ID == source.Forwarding.ID {
		state, behind = w.state, w.behind
	}
	status := ForwardStatus{
		Status: "active", LastError: state.LastError, LastAttemptAt: state.LastAttemptAt,
		Forwarded: state.Forwarded, Cursor: state.Cursor, Behind: behind || state.Failing,
	}
	if state.Failing {
		status.Status = "inactive"
	}
	return status
}

type forwardMetrics struct {
	lines    prometheus.Counter
	attempts *prometheus.CounterVec
}

func newForwardMetrics(registerer prometheus.Registerer, f *Forwarder) forwardMetrics {
	m := forwardMetrics{
		lines: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_forward_lines_total",
			Help: "Lines that the endpoints of forwarding sources have taken.",
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_forward_attempts_total",
			Help: "Attempts to forward lines, by the class of the answer's status, ok for syslog that was written, or error.",
		}, []string{"result"}),
	}
	for _, result := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "ok", "error"} {
		m.attempts.WithLabelValues(result)
	}
	registerer.MustRegister(m.lines, m.attempts, forwardGauge{f})
	return m
}

func (m forwardMetrics) attempted(a outbound.Attempt) {
	result := "error"
	if a.Err == nil {
		result = string('0'+rune(a.Status/100)) + "xx"
	}
	m.attempts.WithLabelValues(result).Inc()
}

// forwardGauge tells how many sources forward, by status.
type forwardGauge struct{ forwarder *Forwarder }

var forwardsGauge = prometheus.NewDesc("trailhook_forward_sources",
	"Sources that forward, by status: the last attempt of an inactive one failed, and its lines are held.", []string{"status"}, nil)

// Describe implements [prometheus.Collector].
func (g forwardGauge) Describe(descs chan<- *prometheus.Desc) { descs <- forwardsGauge }

// Collect implements [prometheus.Collector].
func (g forwardGauge) Collect(metrics chan<- prometheus.Metric) {
	count := map[string]int{"active": 0, "inactive": 0}
	for _, source := range g.forwarder.Catalog.forwarding() {
		count[g.forwarder.Status(source).Status]++
	}
	for status, n := range count {
		metrics <- prometheus.MustNewConstMetric(forwardsGauge, prometheus.GaugeValue, float64(n), status)
	}
}
