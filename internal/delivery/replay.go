package delivery

import (
	"context"
	"time"

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
		logger:  m.Logger.With("organization", job.OrgID, "region", job.Region, "job", job.ID),
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
