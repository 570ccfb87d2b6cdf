package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestWhoCatchesUpSharesTheNextRoundAndNeverOneThatHasBegun(t *testing.T) {
	var (
		c      catching
		ended  sync.WaitGroup
		rounds atomic.Int64
	)
	begun, release := make(chan struct{}), make(chan struct{})
	broken := errors.New("broken")
	catchUp := func() error {
		if rounds.Add(1) == 1 {
			close(begun)
			<-release
			return broken
		}
		return nil
	}
	first := c.join(&ended, catchUp)
	<-begun
	second, third := c.join(&ended, catchUp), c.join(&ended, catchUp)
	if second == first || third != second {
		t.Error("who comes while a round runs must share the next one")
	}
	close(release)
	<-first.done
	<-second.done
	ended.Wait()
	if first.err != broken || second.err != nil || rounds.Load() != 2 {
		t.Errorf("%d rounds, with %v and %v", rounds.Load(), first.err, second.err)
	}
}

func TestWhatOneProcessHasWrittenAnotherReadsAtOnce(t *testing.T) {
	two := openTwo(t)
	org := newOrganization(t, two[0]).OrgID
	for n := range 100 {
		writer, reader := two[n%2], two[1-n%2]
		made, err := writer.CreateControlPlane(t.Context(), ControlPlane{OrgID: org, Region: "us", Name: fmt.Sprint(n)})
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.ControlPlane(org, "us", made.ID); err != nil {
			t.Fatalf("control plane %d: %v", n, err)
		}
		if n%10 != 0 {
			continue
		}
		if err := writer.DeleteControlPlane(t.Context(), org, "us", made.ID); err != nil {
			t.Fatal(err)
		}
		if err := reader.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.ControlPlane(org, "us", made.ID); !errors.Is(err, ErrNotFound) {
			t.Fatalf("control plane %d, deleted: %v", n, err)
		}
	}
}

func TestAWebhookNeverRefersToADestinationThatAnotherProcessHasDeleted(t *testing.T) {
	two := openTwo(t)
	org := newOrganization(t, two[0]).OrgID
	last := func(context.Context) (uint64, error) { return 0, nil }
	kept := 0
	for n := range 30 {
		d, err := two[0].CreateDestination(t.Context(), Destination{OrgID: org, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
		if err != nil {
			t.Fatal(err)
		}
		var using, deleting error
		var both sync.WaitGroup
		both.Go(func() {
			if using = two[n%2].CatchUp(t.Context()); using == nil {
				_, using = two[n%2].ChangeWebhook(t.Context(), Scope{Region: "us", Organization: org}, WebhookChange{DestinationID: &d.ID}, last)
			}
		})
		both.Go(func() {
			if deleting = two[1-n%2].CatchUp(t.Context()); deleting == nil {
				deleting = two[1-n%2].DeleteDestination(t.Context(), org, d.ID)
			}
		})
		both.Wait()
		if (using == nil) == (deleting == nil) {
			t.Fatalf("round %d: one of the two must have failed: %v, %v", n, using, deleting)
		}
		if using == nil {
			kept++
			if err := two[0].CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := two[0].DeleteWebhook(t.Context(), Scope{Region: "us", Organization: org}); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("the webhook was first %d times of 30", kept)
}
