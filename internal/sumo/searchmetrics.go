package sumo

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/jobs"
)

// searchKind is how a search came in.
type searchKind string

const (
	jobSearch    searchKind = "job"
	directSearch searchKind = "direct" // its caller waits for the answer
	exportSearch searchKind = "export" // its answer is a file
	tailSearch   searchKind = "tail"
)

// searchMetrics tells how much is searched, and how long it takes.
type searchMetrics struct {
	seconds *prometheus.HistogramVec
	running *prometheus.GaugeVec
	refused *prometheus.CounterVec

	tailEvents  prometheus.Counter
	tailDropped prometheus.Counter
}

func newSearchMetrics(registerer prometheus.Registerer) *searchMetrics {
	m := &searchMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "trailhook_search_seconds",
			Help:    "How long searches took from when it was their turn until they ended, by kind: job, direct or export.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100, 600},
		}, []string{"kind"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trailhook_searches_running",
			Help: "Searches that run now and whose callers wait for the answer, by kind: direct or export. For jobs see trailhook_search_jobs.",
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_search_refused_total",
			Help: "Searches that were refused because too many ran, by kind: job, direct, export or tail.",
		}, []string{"kind"}),
		tailEvents: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_tail_events_total",
			Help: "Messages that were sent to readers of tails.",
		}),
		tailDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trailhook_tail_dropped_total",
			Help: "Messages that readers of tails missed because they did not keep up.",
		}),
	}
	for _, kind := range [...]searchKind{jobSearch, directSearch, exportSearch, tailSearch} {
		m.refused.WithLabelValues(string(kind)) // a series that begins with 1 shows no increase
		if kind != tailSearch {
			m.seconds.WithLabelValues(string(kind))
		}
	}
	m.running.WithLabelValues(string(directSearch))
	m.running.WithLabelValues(string(exportSearch))
	registerer.MustRegister(m.seconds, m.running, m.refused, m.tailEvents, m.tailDropped)
	return m
}

// begin counts a search that begins, until it calls end.
func (m *searchMetrics) begin(kind searchKind) (end func()) {
	began := time.Now()
	running := m.running.WithLabelValues(string(kind))
	running.Inc()
	return func() {
		running.Dec()
		m.ended(kind, time.Since(began))
	}
}

func (m *searchMetrics) ended(kind searchKind, ran time.Duration) {
	m.seconds.WithLabelValues(string(kind)).Observe(ran.Seconds())
}

func (m *searchMetrics) refuse(kind searchKind) { m.refused.WithLabelValues(string(kind)).Inc() }

// watch has what runs counted whenever somebody asks.
func (m *searchMetrics) watch(registerer prometheus.Registerer, js *jobs.Jobs, t *tails) {
	js.Watch(func(ran time.Duration) { m.ended(jobSearch, ran) })
	registerer.MustRegister(jobGauge{js}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trailhook_tails",
		Help: "Tails that run now.",
	}, func() float64 { return float64(t.turns.running()) }))
}

// jobGauge counts the search jobs by state when somebody asks.
type jobGauge struct{ jobs *jobs.Jobs }

var searchJobsGauge = prometheus.NewDesc("trailhook_search_jobs",
	"Search jobs that are not forgotten yet, by state: NOT STARTED, GATHERING RESULTS, DONE GATHERING RESULTS or CANCELLED.", []string{"state"}, nil)

// Describe implements [prometheus.Collector].
func (g jobGauge) Describe(descs chan<- *prometheus.Desc) { descs <- searchJobsGauge }

// Collect implements [prometheus.Collector].
func (g jobGauge) Collect(metrics chan<- prometheus.Metric) {
	for state, count := range g.jobs.Count() {
		metrics <- prometheus.MustNewConstMetric(searchJobsGauge, prometheus.GaugeValue, float64(count), string(state))
	}
}
