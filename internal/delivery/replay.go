package delivery

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// maxReplays is how many replay jobs a process runs at a time, which bounds the
// memory that they take. A job whose endpoint does not answer is over within
// minutes, so the others' turn comes.
const maxReplays = 16

// replayPause is the wait before a job goes on whose position could not be
// saved, or whose events could not be read.
const replayPause = time.Second

// startReplays runs the replay jobs beside the live deliveries until ctx is done.
// It returns what waits for their end.
func (m *Manager) startReplays(ctx context.Context) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.runReplays(ctx)
	}()
	return func() { <-ended }
}

// runReplays has a goroutine for each job that has not ended and whose webhook
// falls to this process: the registry tells of new ones, and of what a process
// that is no more has left.
func (m *Manager) runReplays(ctx context.Context) {
	running := map[string]bool{} // by job id
	ended := make(chan string)
	for {
		m.replays.running.Set(float64(len(running)))
		// Taken before the look, so that no change falls between.
		jobs, shards := m.Registry.ReplayJobsChanged(), m.shards.changed()
		for _, job := range m.Registry.ReplayJobs() {
			if job.Status.Final() || running[job.ID] || len(running) == maxReplays || ctx.Err() != nil {
				continue
			}
			lease, done, ok := m.shards.lease(job.WebhookID)
			if !ok {
				continue
			}
			running[job.ID] = true
			m.replays.running.Set(float64(len(running)))
			go func() {
				working, stop := context.WithCancel(ctx)
				unleased := context.AfterFunc(lease, stop)
				m.replay(working, job)
				unleased()
				stop()
				done()
				ended <- job.ID
			}()
		}
		select {
		case <-jobs:
		case <-shards:
		case id := <-ended:
			delete(running, id)
		case <-ctx.Done():
			for range running {
				<-ended
			}
			return
		}
	}
}

// replay runs the job until it has ended or ctx is done. What keeps it from going
// on, other than the endpoint, ends this attempt only: the next one goes on from
// what is saved.
func (m *Manager) replay(ctx context.Context, job registry.ReplayJob) {
	r := &replayer{
		Manager: m,
		job:     job,
		stream:  journal.Stream(job.Scope()),
		logger:  m.loggerOf(job.Scope()).With("job", job.ID),
	}
	err := r.run(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	r.logger.Warn("a replay job is interrupted; it goes on in a moment", "error", err)
	timer := time.NewTimer(replayPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type replayMetrics struct {
	running prometheus.Gauge
	ended   *prometheus.CounterVec // by status
	events  *prometheus.CounterVec // by result
}

// The results that events of replay jobs are counted by.
const (
	replayTaken   = "taken"
	replayRefused = "refused"
)

func newReplayMetrics(registerer prometheus.Registerer) replayMetrics {
	m := replayMetrics{
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trailhook_replay_jobs_running",
			Help: "Replay jobs that this process runs.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_replay_jobs_total",
			Help: "Replay jobs that have ended, by their status.",
		}, []string{"status"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trailhook_replay_events_total",
			Help: "Events of replay jobs that an endpoint has taken, or refused while it took others.",
		}, []string{"result"}),
	}
	for _, status := range []registry.ReplayStatus{registry.ReplayCompleted, registry.ReplayFailed} {
		m.ended.WithLabelValues(string(status))
	}
	for _, result := range []string{replayTaken, replayRefused} {
		m.events.WithLabelValues(result)
	}
	registerer.MustRegister(m.running, m.ended, m.events)
	return m
}
