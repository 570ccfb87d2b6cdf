package registry

import (
	"context"
	"errors"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestAChangeWithoutADestinationSetsNoWebhookUp(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	last := func(context.Context) (uint64, error) { return 1, nil }
	off := false
	for _, change := range []WebhookChange{{}, {Enabled: &off}} {
		if _, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: user.OrgID}, change, last); !errors.Is(err, ErrNotFound) {
			t.Errorf("change to %+v: %v", change, err)
		}
	}
	if _, err := r.Webhook(Scope{Region: "us", Organization: user.OrgID}); !errors.Is(err, ErrNotFound) {
		t.Errorf("the webhook afterwards: %v", err)
	}
}

// The journal may be empty when a webhook is enabled for the first time: its
// last position is then 0, and it stays that.
func TestAWebhookEnabledOnAnEmptyJournalKeepsItsBeginning(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	d, err := r.CreateDestination(t.Context(), Destination{OrgID: user.OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
	if err != nil {
		t.Fatal(err)
	}
	newest := uint64(0)
	last := func(context.Context) (uint64, error) { return newest, nil }
	for _, enabled := range []bool{true, false, true} {
		w, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: user.OrgID}, WebhookChange{DestinationID: &d.ID, Enabled: &enabled}, last)
		if err != nil || w.EnabledAfter != 0 {
			t.Errorf("enabled %v: begins after %d, %v", enabled, w.EnabledAfter, err)
		}
		newest++
	}
}
