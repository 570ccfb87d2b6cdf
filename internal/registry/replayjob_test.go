package registry

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

const week = 7 * 24 * time.Hour

// withWebhook gives the organization an enabled webhook in region us.
func withWebhook(t *testing.T, r *Registry, organization string) {
	t.Helper()
	d, err := r.CreateDestination(t.Context(), Destination{OrgID: organization, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
	if err != nil {
		t.Fatal(err)
	}
	enabled := true
	last := func(context.Context) (uint64, error) { return 0, nil }
	if _, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: organization}, WebhookChange{DestinationID: &d.ID, Enabled: &enabled}, last); err != nil {
		t.Fatal(err)
	}
}

func TestAReplayJobsTimesLieWithinTheRetention(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	user := newOrganization(t, r)
	withWebhook(t, r, user.OrgID)
	now := c.Now()
	for _, test := range []struct {
		start, end  time.Duration // before now
		field, rule string        // "": accepted
	}{
		{week + time.Hour, time.Hour, "start_at", "min"},
		{week + 2*time.Hour, week + time.Hour, "start_at", "min"},
		{time.Hour, -time.Hour, "end_at", "max"},
		{-time.Hour, -2 * time.Hour, "start_at", "max"},
		{time.Hour, time.Hour, "end_at", "min"},
		{time.Hour, 2 * time.Hour, "end_at", "min"},
		{-time.Second, -2 * time.Second, "start_at", "max"},
		{week + time.Second, -time.Second, "", ""}, // another's clock
		{2 * time.Hour, time.Hour, "", ""},
	} {
		job, err := r.StartReplayJob(t.Context(), Scope{Region: "us", Organization: user.OrgID}, now.Add(-test.start), now.Add(-test.end), week)
		var invalid *InvalidError
		if errors.As(err, &invalid) {
			if invalid.Field != test.field || invalid.Rule != test.rule {
				t.Errorf("%v to %v: %s %s", test.start, test.end, invalid.Field, invalid.Rule)
			}
			continue
		}
		if err != nil || test.field != "" {
			t.Fatalf("%v to %v: %+v, %v", test.start, test.end, job, err)
		}
		if job.StartAt.Before(now.Add(-week)) || job.EndAt.After(now) {
			t.Errorf("%v to %v: accepted as %v to %v", test.start, test.end, job.StartAt, job.EndAt)
		}
		job, err = r.ReplayJob(Scope{Region: "us", Organization: user.OrgID})
		if err != nil {
			t.Fatal(err)
		}
		job.Status = ReplayCompleted
		if _, err := r.SaveReplayJob(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReplayJobNeedsAnEnabledWebhook(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	user := newOrganization(t, r)
	begin := func() error {
		_, err := r.StartReplayJob(t.Context(), Scope{Region: "us", Organization: user.OrgID}, c.Now().Add(-time.Hour), c.Now(), week)
		return err
	}
	refused := func(when string) {
		t.Helper()
		var invalid *InvalidError
		if err := begin(); !errors.As(err, &invalid) || invalid.Field != "audit_log_webhook" {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("unconfigured")
	withWebhook(t, r, user.OrgID)
	off := false
	if _, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: user.OrgID}, WebhookChange{Enabled: &off}, nil); err != nil {
		t.Fatal(err)
	}
	refused("disabled")
	if _, err := r.ReplayJob(Scope{Region: "us", Organization: user.OrgID}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a job that was refused is there: %v", err)
	}
}

func TestOneReplayJobAtATimeAndOnlyTheLastWordOnItCounts(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	user := newOrganization(t, r)
	withWebhook(t, r, user.OrgID)
	begin := func() error {
		_, err := r.StartReplayJob(t.Context(), Scope{Region: "us", Organization: user.OrgID}, c.Now().Add(-time.Hour), c.Now(), week)
		return err
	}
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	job, err := r.ReplayJob(Scope{Region: "us", Organization: user.OrgID})
	if err != nil {
		t.Fatal(err)
	}
	stale := job
	for _, status := range []ReplayStatus{ReplayPending, ReplayRunning} {
		if err := begin(); !errors.Is(err, ErrReplayRunning) {
			t.Errorf("beside a job that is %s: %v", job.Status, err)
		}
		job.Status = status
		if job, err = r.SaveReplayJob(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.SaveReplayJob(t.Context(), stale); !errors.Is(err, ErrConflict) {
		t.Errorf("saving what another has saved since: %v", err)
	}
	job.Status = ReplayFailed
	if job, err = r.SaveReplayJob(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if err := begin(); err != nil {
		t.Errorf("after it has failed: %v", err)
	}
}
