package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// withPortal is a portal of the organization: its events are numbered like those
// of a tenant of its own.
func (o *tenant) withPortal(name string) *tenant {
	o.Helper()
	portal, err := o.registry.CreatePortal(o.Context(), registry.Portal{OrgID: o.id, Region: region, Name: name})
	if err != nil {
		o.Fatal(err)
	}
	return &tenant{platform: o.platform, id: o.id, portal: portal.ID}
}

func TestAPortalsEventsGoToItsOwnWebhookAndNoOther(t *testing.T) {
	t.Parallel()
	own, first, second := receive(t, taking(200)), receive(t, taking(200)), receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	one, other := org.withPortal("one"), org.withPortal("other")
	org.sendTo(own)
	one.sendTo(first)
	other.sendTo(second)
	for range 3 {
		org.record(2)
		one.record(3)
		other.record(1)
	}
	for r, events := range map[*receiver]int{own: 6, first: 9, second: 3} {
		for _, request := range r.awaitEvents(1, events) {
			for _, line := range request.lines {
				if portal := strings.Contains(line, "|Dev-Portal|"); portal != (r != own) {
					t.Errorf("%d events: %s", events, line)
				}
			}
		}
	}

	// What becomes of one webhook is nothing to the others.
	one.enable(false)
	org.deleteWebhook()
	one.record(1)
	org.record(1)
	other.record(1)
	second.awaitEvents(1, 4)
	first.awaitEvents(1, 9)
	own.awaitEvents(1, 6)
	if backlog, err := one.manager.Backlog(t.Context(), one.webhook()); err != nil || backlog.Events != 1 {
		t.Errorf("backlog of the disabled webhook: %+v, %v", backlog, err)
	}
	one.enable(true)
	first.awaitEvents(1, 10)
}

func TestAPortalsReplayJobSendsItsEventsOnlyAndRunsBesideTheOrganizations(t *testing.T) {
	t.Parallel()
	own, portals := receive(t, taking(200)), receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	portal := org.withPortal("portal")
	org.sendTo(own)
	portal.sendTo(portals)
	org.record(3)
	portal.record(4)
	own.awaitEvents(1, 3)
	portals.awaitEvents(1, 4)
	for _, o := range []*tenant{org, portal} {
		o.replayUntil(time.Now().Add(-time.Hour), time.Now())
	}
	for o, events := range map[*tenant]uint64{org: 3, portal: 4} {
		job := o.awaitReplay(registry.ReplayCompleted)
		if job.Sent != events || job.Events != events || job.PortalID != o.portal {
			t.Errorf("%+v: want %d events", job, events)
		}
	}
}

func TestALineOfAPortalIsSetAsideAmongThePortals(t *testing.T) {
	t.Parallel()
	org := start(t, t.TempDir(), soon).organization()
	portal := org.withPortal("portal")
	portal.backlog(judged(t, poisoned(400, 2)), func() { portal.record(3) })
	portal.awaitDone()
	lines, err := portal.manager.SetAside(t.Context(), portal.scope())
	if err != nil || len(lines) != 1 {
		t.Fatalf("%d lines of the portal are set aside, %v", len(lines), err)
	}
	line, err := portal.manager.SetAsideLine(t.Context(), portal.scope(), lines[0].ID)
	if err != nil || line.Event.PortalID != portal.portal || line.Event.Product != audit.ProductDevPortal {
		t.Errorf("%+v, %v", line, err)
	}
	if lines, err := org.manager.SetAside(t.Context(), org.scope()); err != nil || len(lines) != 0 {
		t.Errorf("%d lines of the organization are set aside, %v", len(lines), err)
	}
	if _, err := org.manager.SetAsideLine(t.Context(), org.scope(), lines[0].ID); err == nil {
		t.Error("the organization's own has the portal's line")
	}
	if got, err := portal.manager.Resend(t.Context(), portal.scope(), ""); err != nil || got.Refused != 1 {
		t.Errorf("resent: %+v, %v", got, err)
	}
}
