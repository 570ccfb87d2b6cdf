package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func newSystemAccount(t *testing.T, r *Registry, organization, name string) SystemAccount {
	t.Helper()
	account, err := r.CreateSystemAccount(t.Context(), SystemAccount{OrgID: organization, Name: name}, AuditEventsWriter)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func TestASystemAccountsTokenSpeaksForItAfterARestart(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, shut := openRegistry(t, dir, c)
	account := newSystemAccount(t, r, newOrganization(t, r).OrgID, "billing")
	token, kept, err := r.CreateSystemToken(t.Context(), account, "t", c.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	shut()
	r, _ = openRegistry(t, dir, c)
	want := Authentication{audit.AuthSPAT, audit.OutcomeSuccess,
		Principal{ID: account.ID, OrgID: account.OrgID, Name: "billing", Assignments: account.Assignments, System: true}, kept.ID}
	if diff := cmp.Diff(want, r.Authenticate(token)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.advance(time.Hour)
	want.Outcome = audit.OutcomeTokenExpired
	if diff := cmp.Diff(want, r.Authenticate(token)); diff != "" {
		t.Errorf("an hour later (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]SystemAccount{account}, r.SystemAccounts(account.OrgID)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func TestARevokedTokenStaysRevokedAndTellsWhoseItWas(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, shut := openRegistry(t, dir, c)
	ctx := t.Context()
	account := newSystemAccount(t, r, newOrganization(t, r).OrgID, "billing")
	var tokens [2]string
	for i := range tokens {
		var err error
		if tokens[i], _, err = r.CreateSystemToken(ctx, account, fmt.Sprint("t", i), time.Time{}); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
	}
	kept := r.Tokens(account.OrgID, account.ID)
	if len(kept) != 2 {
		t.Fatalf("%d tokens are listed", len(kept))
	}
	if _, err := r.RevokeToken(ctx, newOrganization(t, r).OrgID, account.ID, kept[0].ID, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another organization revokes it: %v", err)
	}
	if _, err := r.RevokeToken(ctx, account.OrgID, account.ID, newID(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token that does not exist: %v", err)
	}
	for range 2 {
		if _, err := r.RevokeToken(ctx, account.OrgID, account.ID, kept[0].ID, "somebody"); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
	}
	shut()
	r, _ = openRegistry(t, dir, c)
	if got := r.Authenticate(tokens[0]); got.Outcome != audit.OutcomeDisabled || got.Principal.ID != account.ID {
		t.Errorf("the revoked token: %+v", got)
	}
	if got := r.Authenticate(tokens[1]); got.Outcome != audit.OutcomeSuccess {
		t.Errorf("the other token: %+v", got)
	}
	if revoked := r.Tokens(account.OrgID, account.ID)[0].RevokedAt; !revoked.Equal(c.Now().Add(-2 * time.Hour)) {
		t.Errorf("revoked at %v", revoked)
	}
}

func TestASystemAccountThatCannotBeIsRefused(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	organization := newOrganization(t, r).OrgID
	for field, test := range map[string]struct {
		name  string
		roles []Role
	}{
		"name":  {name: " "},
		"roles": {name: "n", roles: []Role{AuditEventsWriter, "king"}},
	} {
		var invalid *InvalidError
		if _, err := r.CreateSystemAccount(t.Context(), SystemAccount{OrgID: organization, Name: test.name}, test.roles...); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("bad %s: %v", field, err)
		}
	}
	if n := len(r.SystemAccounts(organization)); n != 0 {
		t.Errorf("%d exist", n)
	}
}

func TestOfManySystemAccountsOfANameOneIsMade(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ours, theirs := newOrganization(t, r).OrgID, newOrganization(t, r).OrgID
	var group sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		group.Go(func() {
			_, err := r.CreateSystemAccount(context.WithoutCancel(t.Context()), SystemAccount{OrgID: ours, Name: "n"})
			results <- err
		})
	}
	group.Wait()
	close(results)
	for err := range results {
		if err != nil && !errors.Is(err, ErrNameTaken) {
			t.Error(err)
		}
	}
	newSystemAccount(t, r, theirs, "n")
	if ours, theirs := r.SystemAccounts(ours), r.SystemAccounts(theirs); len(ours) != 1 || len(theirs) != 1 {
		t.Errorf("ours %d, theirs %d", len(ours), len(theirs))
	}
	if _, err := r.SystemAccount(ours, r.SystemAccounts(theirs)[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another organization's: %v", err)
	}
}

// A token that a person made for a service must not be taken for the admin's.
func TestASystemTokenDoesNotKeepTheAdminFromGettingOne(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	org, err := r.CreateOrganization(t.Context(), "org")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.CreateSystemToken(t.Context(), newSystemAccount(t, r, org.ID, "n"), "t", time.Time{}); err != nil {
		t.Fatal(err)
	}
	token, err := r.Bootstrap(t.Context(), func(string) error { return nil })
	if err != nil || r.Authenticate(token).Outcome != audit.OutcomeSuccess {
		t.Errorf("token %q, %v", token, err)
	}
}
