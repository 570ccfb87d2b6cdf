package registry

import (
	"context"
	"errors"
	"testing"
)

func TestAChangeWithoutADestinationSetsNoWebhookUp(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	last := func(context.Context) (uint64, error) { return 1, nil }
	off := false
	for _, change := range []WebhookChange{{}, {Enabled: &off}} {
		if _, err := r.ChangeWebhook(t.Context(), user.OrgID, "us", change, last); !errors.Is(err, ErrNotFound) {
			t.Errorf("change to %+v: %v", change, err)
		}
	}
	if _, err := r.Webhook(user.OrgID, "us"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the webhook afterwards: %v", err)
	}
}
