package delivery

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestAWebhookBeginsWithWhatIsRecordedOnceItIsEnabled(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.record(3)
	destination := org.destination(r.URL, audit.CEF, "")
	org.change(registry.WebhookChange{DestinationID: &destination})
	org.record(2)
	org.enable(true)
	org.record(1)
	org.record(1)
	r.awaitEvents(6, 7)
}

func TestADisabledWebhookSendsNothingAndGoesOnFromThereWhenEnabled(t *testing.T) {
	t.Parallel()
	r, witness := receive(t, taking(200)), receive(t, taking(200))
	p := start(t, t.TempDir())
	org, other := p.organization(), p.organization()
	org.sendTo(r)
	other.sendTo(witness)
	org.record(3)
	r.awaitEvents(1, 3)
	org.enable(false)
	org.record(3)
	other.record(1)
	witness.awaitEvents(1, 1)
	r.awaitEvents(1, 3)

	org.record(1)
	org.enable(true)
	if diff := cmp.Diff([]int{3, 4}, sizes(r.awaitEvents(1, 7))); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

func TestAWebhookThatWasDeletedAndSetUpAgainStartsAfresh(t *testing.T) {
	t.Parallel()
	refusing, r := receive(t, taking(400)), receive(t, taking(200))
	p := start(t, t.TempDir())
	org := p.organization()
	org.sendTo(refusing)
	org.record(3)
	org.awaitStatus(Inactive)
	first := org.webhook()
	org.deleteWebhook()
	org.record(2)

	org.sendTo(r)
	if got := org.status(); got != (Status{Webhook: Active}) {
		t.Errorf("status of the new webhook: %+v", got)
	}
	org.record(1)
	r.awaitEvents(6, 6)
	org.awaitStatus(Active)
	p.await(func() bool {
		_, err := p.manager.states.Get(first.ID)
		return err != nil
	})
	if left := p.manager.states.List(""); len(left) != 1 || left[0].Key != org.webhook().ID {
		t.Errorf("states that are left: %+v", left)
	}
}

func TestADeletedWebhookThatIsStillSendingEndsAndIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hanging, release := hang(t, 400)
	r := receive(t, taking(200))
	p := start(t, dir)
	org := p.organization()
	org.sendTo(hanging.receiver)
	org.record(1)
	<-hanging.begun
	org.deleteWebhook()
	org.record(1)
	org.sendTo(r)
	org.record(1)
	r.awaitEvents(3, 3)
	release()
	hanging.awaitRequests(1)
	org.record(1)
	r.awaitEvents(3, 4)
	p.stop() // before its worker's last words could be forgotten, perhaps

	p = start(t, dir)
	org = org.after(p)
	p.await(func() bool {
		left := p.manager.states.List("")
		return len(left) == 1 && left[0].Key == org.webhook().ID
	})
	org.record(1)
	r.awaitEvents(3, 5)
}

func TestNothingIsLostWhileAWebhookIsDisabledAndEnabledOverAndOver(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.sendTo(r)
	org.record(1)
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				org.record(3)
			}
		}
	})
	for range 50 {
		org.enable(false)
		org.enable(true)
	}
	close(done)
	group.Wait()
	r.checkRepeats(r.awaitEvents(1, org.recorded))
}

func TestAChangeOfTheWebhookEndsThePause(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, test := range []struct {
		name   string
		change func(org *tenant, r *receiver)
	}{
		{"another destination", func(org *tenant, r *receiver) {
			destination := org.destination(r.URL, audit.CEF, "")
			org.change(registry.WebhookChange{DestinationID: &destination})
		}},
		{"disabled and enabled", func(org *tenant, _ *receiver) { org.enable(false); org.enable(true) }},
		{"enabled while it is", func(org *tenant, _ *receiver) { org.enable(true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := receive(t, func(n int) int {
				if n == 1 {
					return 401
				}
				return 200
			})
			org := p.organization()
			org.sendTo(r)
			org.record(2)
			org.awaitStatus(Inactive)
			test.change(org, r)
			requests := r.awaitEvents(1, 2)
			if !slices.Equal(requests[0].body, requests[1].body) {
				t.Error("the second request is not the same bytes")
			}
			org.awaitStatus(Active)
		})
	}
}

func TestAnothersChangeDoesNotEndThePause(t *testing.T) {
	t.Parallel()
	refusing, witness := receive(t, taking(401)), receive(t, taking(200))
	p := start(t, t.TempDir())
	org, other := p.organization(), p.organization()
	org.sendTo(refusing)
	org.record(1)
	org.awaitStatus(Inactive)
	other.sendTo(witness)
	for n := range 5 {
		other.enable(false)
		other.enable(true)
		other.record(1)
		witness.awaitEvents(1, n+1)
	}
	if requests, _ := refusing.all(); len(requests) != 1 {
		t.Errorf("%d requests to the endpoint that refuses, while it was to be left alone", len(requests))
	}
}

func TestRetriesEndWhenTheWebhookIsChanged(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	// 503 is retried after a second; meanwhile the webhook goes elsewhere.
	unavailable := receive(t, func(int) int {
		destination := org.destination(r.URL, audit.CEF, "")
		org.change(registry.WebhookChange{DestinationID: &destination})
		return 503
	})
	org.sendTo(unavailable)
	org.record(2)
	r.awaitEvents(1, 2)
	if requests, _ := unavailable.all(); len(requests) != 1 {
		t.Errorf("%d requests to the destination that was left", len(requests))
	}
}

func TestAHangingReceiverDoesNotHoldUpAnotherOrganization(t *testing.T) {
	t.Parallel()
	hanging, release := hang(t, 200)
	r := receive(t, taking(200))
	p := start(t, t.TempDir())
	org, other := p.organization(), p.organization()
	org.sendTo(hanging.receiver)
	other.sendTo(r)
	org.record(1)
	<-hanging.begun
	for n := range 3 {
		other.record(1)
		r.awaitEvents(1, n+1)
	}
	release()
	hanging.awaitEvents(1, 1)
}
