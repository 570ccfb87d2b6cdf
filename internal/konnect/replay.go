package konnect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/registry"
)

type replayTimes struct {
	StartAt time.Time `json:"start_at" doc:"Events that were recorded then or later."`
	EndAt   time.Time `json:"end_at" doc:"Events that were recorded before."`
}

type newReplayJob struct{ Body replayTimes }

type replayJob struct {
	Body struct {
		StartAt   *time.Time `json:"start_at,omitempty"`
		EndAt     *time.Time `json:"end_at,omitempty"`
		Status    string     `json:"status" enum:"unconfigured,accepted,pending,running,completed,failed"`
		UpdatedAt *time.Time `json:"updated_at,omitempty"`

		Trailhook *replayDetails `json:"trailhook,omitempty" doc:"What Konnect does not tell; left out while there was no job."`
	}
}

// replayDetails is what a replay job says beyond Konnect's.
type replayDetails struct {
	EventsSent    uint64     `json:"events_sent" doc:"Events that the endpoint has taken."`
	EventsRefused uint64     `json:"events_refused" doc:"Events that the endpoint refused for what they hold, each alone, while it took others. The job goes on beyond them."`
	EventsTotal   *uint64    `json:"events_total,omitempty" doc:"Events in all, exactly as counted before the first is sent; left out until then."`
	StartedAt     *time.Time `json:"started_at,omitempty"`
	RunningAt     *time.Time `json:"running_at,omitempty" doc:"When the events were counted and sending began."`
	EndedAt       *time.Time `json:"ended_at,omitempty"`

	EventsPerSecond *float64   `json:"events_per_second,omitempty" doc:"Sent or refused since running_at, on average."`
	EndsAt          *time.Time `json:"ends_at,omitempty" doc:"When a running job will have ended, at that rate."`

	FailureReason string `json:"failure_reason,omitempty"`
}

func showReplayJob(j registry.ReplayJob) *replayJob {
	out := &replayJob{}
	out.Body.StartAt, out.Body.EndAt, out.Body.UpdatedAt = &j.StartAt, &j.EndAt, &j.UpdatedAt
	out.Body.Status = string(j.Status)
	details := &replayDetails{EventsSent: j.Sent, EventsRefused: j.Refused, FailureReason: j.Reason}
	if j.Counted() {
		details.EventsTotal = &j.Events
	}
	if !j.StartedAt.IsZero() {
		details.StartedAt = &j.StartedAt
	}
	details.RunningAt = unlessZero(j.RunningAt)
	details.progress(j, time.Now())
	out.Body.Trailhook = details
	return out
}

// progress tells how fast the job is, or was.
func (d *replayDetails) progress(j registry.ReplayJob, now time.Time) {
	done, until := j.Sent+j.Refused, now
	if j.Status.Final() {
		d.EndedAt, until = &j.UpdatedAt, j.UpdatedAt
	}
	if j.RunningAt.IsZero() || done == 0 {
		return
	}
	took := max(until.Sub(j.RunningAt), time.Millisecond)
	rate := float64(done) / took.Seconds()
	d.EventsPerSecond = &rate
	if !j.Status.Final() {
		left := float64(j.Events - min(done, j.Events))
		ends := now.Add(time.Duration(left / rate * float64(time.Second))).UTC().Truncate(time.Millisecond)
		d.EndsAt = &ends
	}
}

func (a *API) replayRoutes() {
	const resource, tag = "audit-logs/replay-job", "Audit-log replay job"
	for version, suffix := range map[string]string{"/v3": "", "/v2": "-v2"} {
		path := version + "/audit-log-replay-job"
		register(a, route{"get-audit-log-replay-job" + suffix, http.MethodGet, path, "Retrieve how the region's replay job stands",
			registry.Retrieve, resource, http.StatusOK, tag}, a.getReplayJob)
		register(a, route{"update-audit-log-replay-job" + suffix, http.MethodPut, path, "Send the events of a time to the region's webhook again",
			registry.Edit, resource, http.StatusAccepted, tag}, a.startReplayJob)
	}
}

func (a *API) getReplayJob(ctx context.Context, _ *struct{}) (*replayJob, error) {
	return a.replayJobOf(callOf(ctx).scope())
}

// replayJobOf and startReplayJobOf are for the organization's job and for portals'.
func (a *API) replayJobOf(s registry.Scope) (*replayJob, error) {
	job, err := a.Registry.ReplayJob(s)
	if errors.Is(err, registry.ErrNotFound) {
		out := &replayJob{}
		out.Body.Status = delivery.Unconfigured
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return showReplayJob(job), nil
}

func (a *API) startReplayJob(ctx context.Context, in *newReplayJob) (*replayJob, error) {
	return a.startReplayJobOf(ctx, callOf(ctx).scope(), in.Body)
}

func (a *API) startReplayJobOf(ctx context.Context, s registry.Scope, times replayTimes) (*replayJob, error) {
	job, err := a.Registry.StartReplayJob(ctx, s, times.StartAt, times.EndAt, a.Journal.Retention())
	if err != nil {
		return nil, err
	}
	return showReplayJob(job), nil
}
