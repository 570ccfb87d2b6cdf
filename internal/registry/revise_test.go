package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func TestChangesOfOneObjectAtOnceAreAllThere(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	cp, err := r.CreateControlPlane(t.Context(), ControlPlane{OrgID: user.OrgID, Region: "us", Name: "cp", Description: "0"})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	const writers, changes = 4, 5
	for range writers {
		group.Go(func() {
			for range changes {
				_, err := revise(t.Context(), r.controlPlanes, user.OrgID+"."+cp.ID, func(cp ControlPlane) (ControlPlane, error) {
					n, err := strconv.Atoi(cp.Description)
					cp.Description = strconv.Itoa(n + 1)
					return cp, err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, err := r.ControlPlane(user.OrgID, "us", cp.ID); err != nil || got.Description != strconv.Itoa(writers*changes) {
		t.Errorf("%s changes of %d are there, %v", got.Description, writers*changes, err)
	}
}

func TestAChangeAndADeletionAtOnceLeaveNothingOrNobodyHurt(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	claimed := len(r.names.List(user.OrgID)) // of its admin
	for i := range 10 {
		cp, err := r.CreateControlPlane(t.Context(), ControlPlane{OrgID: user.OrgID, Region: "us", Name: "cp"})
		if err != nil {
			t.Fatalf("round %d: the name is not free: %v", i, err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			name := fmt.Sprint("renamed ", i)
			if _, err := r.ChangeControlPlane(t.Context(), user.OrgID, "us", cp.ID, ControlPlaneChange{Name: &name}); err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("change: %v", err)
			}
		})
		group.Go(func() {
			if err := r.DeleteControlPlane(t.Context(), user.OrgID, "us", cp.ID); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
		group.Wait()
		if _, err := r.ControlPlane(user.OrgID, "us", cp.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("round %d: afterwards: %v", i, err)
		}
		if n := len(r.names.List(user.OrgID)); n != claimed {
			t.Errorf("round %d: %d names are claimed by nobody", i, n-claimed)
		}
	}
}

func TestARetryEndsWithItsContext(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := retry(ctx, r.names, func() error {
		tries++
		cancel()
		return ErrConflict
	})
	if !errors.Is(err, ErrConflict) || tries != 1 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestUpdatesWithinOneInstantHaveTimesOfTheirOwn(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock()) // whose time stands still
	user := newOrganization(t, r)
	d, err := r.CreateDestination(t.Context(), Destination{OrgID: user.OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[time.Time]bool{d.UpdatedAt: true}
	for range 3 {
		d, err := r.ChangeDestination(t.Context(), user.OrgID, d.ID, DestinationChange{})
		if err != nil || seen[d.UpdatedAt] {
			t.Errorf("updated at %v again, %v", d.UpdatedAt, err)
		}
		seen[d.UpdatedAt] = true
	}
}

func TestWhatACrashLeftOfAnInlineEndpointGoesWithALaterChange(t *testing.T) {
	clock := newClock()
	r, _ := openRegistry(t, t.TempDir(), clock)
	user := newOrganization(t, r)
	last := func(context.Context) (uint64, error) { return 1, nil }
	endpoint := "https://siem.example/"
	inline := &DestinationChange{Endpoint: &endpoint}
	webhook, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: user.OrgID}, WebhookChange{Inline: inline}, last)
	if err != nil {
		t.Fatal(err)
	}
	stray, err := r.createInline(t.Context(), Webhook{OrgID: user.OrgID, Region: "us"}, *inline)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := r.createInline(t.Context(), Webhook{OrgID: user.OrgID, Region: "eu"}, *inline)
	if err != nil {
		t.Fatal(err)
	}
	there := func() []bool {
		var list []bool
		for _, id := range []string{webhook.DestinationID, stray, elsewhere} {
			_, err := r.Destination(user.OrgID, id)
			list = append(list, err == nil)
		}
		return list
	}
	for _, test := range []struct {
		after time.Duration
		want  []bool
	}{{0, []bool{true, true, true}}, {inlineLease + time.Second, []bool{true, false, true}}} {
		clock.advance(test.after)
		if _, err := r.ChangeWebhook(t.Context(), Scope{Region: "us", Organization: user.OrgID}, WebhookChange{}, last); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, there()); diff != "" {
			t.Errorf("after %v, of the used, the stray and another region's (-want +got):\n%s", test.after, diff)
		}
	}
	if len(r.Destinations(user.OrgID)) != 0 {
		t.Error("inline destinations are listed")
	}
}
