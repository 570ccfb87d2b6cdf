package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// ErrReplayRunning says that the scope's last replay job has not ended yet.
var ErrReplayRunning = errors.New("a replay job is currently running")

// ReplayStatus is how far a replay job is, in Konnect's words.
type ReplayStatus string

// The statuses of a job, in their order; the last two are final.
const (
	ReplayAccepted  ReplayStatus = "accepted"  // nobody has begun yet
	ReplayPending   ReplayStatus = "pending"   // the events are being counted
	ReplayRunning   ReplayStatus = "running"   // the events are being sent
	ReplayCompleted ReplayStatus = "completed" // the endpoint has taken them, but for what it refuses
	ReplayFailed    ReplayStatus = "failed"
)

// Final reports whether the job has ended.
func (s ReplayStatus) Final() bool { return s == ReplayCompleted || s == ReplayFailed }

// ReplayJob sends the events of a time again to the webhook of their scope. There
// is at most one for each: the next one takes its place once it has ended.
type ReplayJob struct {
	ID        string       `json:"id"`
	OrgID     string       `json:"org_id"`
	Region    string       `json:"region"`
	PortalID  string       `json:"portal_id,omitempty"` // empty: it is for the organization's own events
	WebhookID string       `json:"webhook_id"`          // whom it was asked for: with that webhook it ends
	StartAt   time.Time    `json:"start_at"`            // events that were recorded then or later,
	EndAt     time.Time    `json:"end_at"`              // and before this
	Status    ReplayStatus `json:"status"`
	UpdatedAt time.Time    `json:"updated_at"`
	StartedAt time.Time    `json:"started_at"`          // zero while accepted
	RunningAt time.Time    `json:"running_at,omitzero"` // when the first event was about to be sent; zero before
	Reason    string       `json:"reason"`              // why it failed

	// Once the events are counted: how many there are, how many of them were
	// taken, how many were refused alone while others were taken, and the
	// journal's positions of the last that either holds for and of the last that
	// is to be sent.
	Events  uint64 `json:"events"`
	Sent    uint64 `json:"sent"`
	Refused uint64 `json:"refused,omitempty"`
	Cursor  uint64 `json:"cursor"`
	Last    uint64 `json:"last"`

	revision uint64
}

// Scope is whose events the job sends.
func (j ReplayJob) Scope() Scope { return Scope{j.Region, j.OrgID, j.PortalID} }

// Counted reports whether Events is known.
func (j ReplayJob) Counted() bool { return j.Last > 0 || j.Status == ReplayCompleted }

// clockDifference is how far a caller's clock may be off: a time that lies that
// little outside of what can be replayed is taken for its edge.
const clockDifference = time.Minute

// ReplayJob returns the scope's last job; [ErrNotFound] when there was none.
func (r *Registry) ReplayJob(s Scope) (ReplayJob, error) {
	entry, err := r.replayJobs.Get(s.key())
	return replayJob(entry), err
}

// ReplayJobs lists all organizations' last jobs.
func (r *Registry) ReplayJobs() []ReplayJob {
	entries := r.replayJobs.List("")
	jobs := make([]ReplayJob, len(entries))
	for i, entry := range entries {
		jobs[i] = replayJob(entry)
	}
	return jobs
}

func replayJob(entry broker.Entry[ReplayJob]) ReplayJob {
	job := entry.Value
	job.revision = entry.Revision
	return job
}

// ReplayJobsChanged is closed at the next change of any job.
func (r *Registry) ReplayJobsChanged() <-chan struct{} { return r.replayJobs.Changed() }

// StartReplayJob accepts a job for the scope. Both times must lie within the
// retention of the journal and the end after the start, and the scope must have
// an enabled webhook: else it is an [InvalidError]. It is [ErrReplayRunning] as
// long as another has not ended, and [ErrNotFound] without the scope's portal.
func (r *Registry) StartReplayJob(ctx context.Context, s Scope, start, end time.Time, retention time.Duration) (ReplayJob, error) {
	start, end, err := r.replayTimes(start, end, retention)
	if err != nil {
		return ReplayJob{}, err
	}
	r.references.Lock()
	defer r.references.Unlock()
	if err := r.checkScope(s); err != nil {
		return ReplayJob{}, err
	}
	at := s.key()
	last, err := r.replayJobs.Get(at)
	isNew := errors.Is(err, ErrNotFound)
	if err != nil && !isNew {
		return ReplayJob{}, err
	}
	if !isNew && !last.Value.Status.Final() {
		return ReplayJob{}, ErrReplayRunning
	}
	webhook, err := r.enabledWebhook(s)
	if err != nil {
		return ReplayJob{}, err
	}
	job := ReplayJob{
		ID: newID(), OrgID: s.Organization, Region: s.Region, PortalID: s.Portal, WebhookID: webhook.ID,
		StartAt: start, EndAt: end, Status: ReplayAccepted, UpdatedAt: r.instant(),
	}
	if isNew {
		err = r.replayJobs.Create(ctx, at, job)
	} else {
		err = r.replayJobs.Update(ctx, at, job, last.Revision)
	}
	switch {
	case errors.Is(err, ErrConflict): // another's was accepted at the same moment
		return ReplayJob{}, ErrReplayRunning
	case err != nil:
		return ReplayJob{}, fmt.Errorf("start a replay job of %s: %w", s, err)
	}
	return job, nil
}

func (r *Registry) enabledWebhook(s Scope) (Webhook, error) {
	whose := "the region"
	if s.Portal != "" {
		whose = "the portal"
	}
	webhook, err := r.Webhook(s)
	if err != nil || !webhook.Enabled {
		return Webhook{}, &InvalidError{"audit_log_webhook", "missing_reference", whose + " has no enabled webhook to replay to: set one up or enable it first"}
	}
	return webhook, nil
}

func (r *Registry) replayTimes(start, end time.Time, retention time.Duration) (time.Time, time.Time, error) {
	now := r.now()
	oldest := now.Add(-retention)
	for _, t := range []struct {
		field string
		value time.Time
	}{{"start_at", start}, {"end_at", end}} {
		switch {
		case t.value.Before(oldest.Add(-clockDifference)):
			return start, end, &InvalidError{t.field, "min", fmt.Sprintf("must lie within the last %s, for which events are kept", inDays(retention))}
		case t.value.After(now.Add(clockDifference)):
			return start, end, &InvalidError{t.field, "max", "must not lie in the future"}
		}
	}
	if !end.After(start) {
		return start, end, &InvalidError{"end_at", "min", "must be after start_at"}
	}
	if start.Before(oldest) {
		start = oldest
	}
	if end.After(now) {
		end = now
	}
	if !end.After(start) {
		return start, end, &InvalidError{"start_at", "max", "must not lie in the future"}
	}
	return start.UTC(), end.UTC(), nil
}

// inDays is how a retention is told.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// SaveReplayJob writes how far the job is, and returns it as it is now. Only
// what was read last can be saved: [ErrConflict] when it was changed since, and
// [ErrNotFound] when it is another job by now.
func (r *Registry) SaveReplayJob(ctx context.Context, job ReplayJob) (ReplayJob, error) {
	at := job.Scope().key()
	job.UpdatedAt = r.instant()
	if err := r.replayJobs.Update(ctx, at, job, job.revision); err != nil {
		return job, fmt.Errorf("save a replay job of %s: %w", job.Scope(), err)
	}
	saved, err := r.ReplayJob(job.Scope())
	if err == nil && saved.ID != job.ID {
		err = ErrNotFound
	}
	return saved, err
}
