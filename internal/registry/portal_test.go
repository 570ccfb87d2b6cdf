package registry

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func newPortal(t *testing.T, r *Registry, organization, name string) Portal {
	t.Helper()
	p, err := r.CreatePortal(t.Context(), Portal{OrgID: organization, Region: "us", Name: name, AuthenticationEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPortalsNameIsTakenInItsOrganizationInEveryRegion(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, stop := openRegistry(t, dir, c)
	ours, theirs := newOrganization(t, r).OrgID, newOrganization(t, r).OrgID
	p := newPortal(t, r, ours, "portal")
	newPortal(t, r, theirs, "portal")
	if _, err := r.CreatePortal(t.Context(), Portal{OrgID: ours, Region: "eu", Name: "portal"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the same name in another region: %v", err)
	}
	c.advance(time.Hour) // beyond the lease of a claim
	stop()
	r, _ = openRegistry(t, dir, c)
	if _, err := r.CreatePortal(t.Context(), Portal{OrgID: ours, Region: "us", Name: "portal"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the same name after a restart: %v", err)
	}
	if got, err := r.Portal(ours, "us", p.ID); err != nil || cmp.Diff(p, got) != "" {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	for name, get := range map[string]func() (Portal, error){
		"another's":        func() (Portal, error) { return r.Portal(theirs, "us", p.ID) },
		"another region's": func() (Portal, error) { return r.Portal(ours, "eu", p.ID) },
		"no id":            func() (Portal, error) { return r.Portal(ours, "us", "*") },
		"no portal":        func() (Portal, error) { return r.PortalByID("") },
	} {
		if got, err := get(); !errors.Is(err, ErrNotFound) || got.ID != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestNoChangeOfAPortalIsLostToAnother(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	changes := map[string]func(*Portal){
		"rbac":        func(p *Portal) { p.RBACEnabled = true },
		"developers":  func(p *Portal) { p.AutoApproveDevelopers = true },
		"application": func(p *Portal) { p.AutoApproveApplications = true },
		"name":        func(p *Portal) { p.Name = "renamed" },
		"display":     func(p *Portal) { p.DisplayName = "Renamed" },
	}
	var group sync.WaitGroup
	for name, change := range changes {
		group.Go(func() {
			if _, err := r.ChangePortal(t.Context(), p.OrgID, "us", p.ID, change); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
	got, err := r.Portal(p.OrgID, "us", p.ID)
	want := p
	for _, change := range changes {
		change(&want)
	}
	want.UpdatedAt = got.UpdatedAt
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	newPortal(t, r, p.OrgID, "portal") // the old name is free at once
	if _, err := r.ChangePortal(t.Context(), p.OrgID, "us", p.ID, func(p *Portal) { p.Name = "portal" }); !errors.Is(err, ErrNameTaken) {
		t.Errorf("rename to a name that is taken: %v", err)
	}
}

func TestWithAPortalGoesWhatBelongsToItAndNothingElse(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	organization := newOrganization(t, r).OrgID
	gone, kept := newPortal(t, r, organization, "gone"), newPortal(t, r, organization, "kept")
	d, err := r.CreateDestination(t.Context(), Destination{OrgID: organization, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
	if err != nil {
		t.Fatal(err)
	}
	on, last := true, func(context.Context) (uint64, error) { return 0, nil }
	own := Scope{Region: "us", Organization: organization}
	for _, s := range []Scope{own, gone.scope(), kept.scope()} {
		if _, err := r.ChangeWebhook(t.Context(), s, WebhookChange{DestinationID: &d.ID, Enabled: &on}, last); err != nil {
			t.Fatal(err)
		}
		if _, err := r.StartReplayJob(t.Context(), s, c.Now().Add(-time.Hour), c.Now(), week); err != nil {
			t.Fatal(err)
		}
		if _, err := r.StartReplayJob(t.Context(), s, c.Now().Add(-time.Hour), c.Now(), week); !errors.Is(err, ErrReplayRunning) {
			t.Errorf("%s: a second job: %v", s, err)
		}
	}
	newDeveloper(t, r, kept, "ada@example.com")
	newDeveloper(t, r, gone, "ada@example.com")
	if err := r.DeletePortal(t.Context(), organization, "us", gone.ID, false); !errors.Is(err, ErrInUse) {
		t.Errorf("delete with developers: %v", err)
	}
	if err := r.DeletePortal(t.Context(), organization, "us", gone.ID, true); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Scope{own, kept.scope()} {
		if hook, err := r.Webhook(s); err != nil || hook.Scope() != s {
			t.Errorf("%s: webhook %+v, %v", s, hook, err)
		}
		if job, err := r.ReplayJob(s); err != nil || job.Scope() != s {
			t.Errorf("%s: replay job %+v, %v", s, job, err)
		}
	}
	if hooks, jobs, developers := len(r.Webhooks()), len(r.ReplayJobs()), len(r.developers.List("")); hooks != 2 || jobs != 2 || developers != 1 {
		t.Errorf("left are %d webhooks, %d replay jobs and %d developers", hooks, jobs, developers)
	}
	if _, err := r.ChangeWebhook(t.Context(), gone.scope(), WebhookChange{DestinationID: &d.ID}, last); !errors.Is(err, ErrNotFound) {
		t.Errorf("a webhook of no portal: %v", err)
	}
	if _, err := r.StartReplayJob(t.Context(), gone.scope(), c.Now().Add(-time.Hour), c.Now(), week); !errors.Is(err, ErrNotFound) {
		t.Errorf("a replay job of no portal: %v", err)
	}
	if _, err := r.CreateDeveloper(t.Context(), gone, Developer{Email: "a@example.com", FullName: "A", Status: DeveloperApproved}, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("a developer of no portal: %v", err)
	}
	if err := r.DeleteDestination(t.Context(), organization, d.ID); !errors.Is(err, ErrInUse) {
		t.Errorf("delete a destination of a portal's webhook: %v", err)
	}
	newPortal(t, r, organization, "gone")
}
