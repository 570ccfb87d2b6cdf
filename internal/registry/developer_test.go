package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

func newDeveloper(t *testing.T, r *Registry, p Portal, email string) Developer {
	t.Helper()
	d, err := r.CreateDeveloper(t.Context(), p, Developer{Email: email, FullName: "Ada", Status: DeveloperApproved}, "secret-123")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFiveFailuresInARowLockADeveloperForFifteenMinutes(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, stop := openRegistry(t, dir, c)
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	d := newDeveloper(t, r, p, "ada@example.com")
	logIn := func(password string, want audit.Outcome) {
		t.Helper()
		got, err := r.LogIn(t.Context(), p, d.Email, password)
		if err != nil || got.Outcome != want || got.Developer.ID != d.ID {
			t.Fatalf("%s: %s of %s, %v; want %s", password, got.Outcome, got.Developer.ID, err, want)
		}
	}
	fail := func(times int) {
		t.Helper()
		for range times {
			logIn("wrong", audit.OutcomeInvalidPassword)
		}
	}
	fail(4)
	logIn("secret-123", audit.OutcomeSuccess) // the count begins anew
	fail(4)
	stop()
	r, _ = openRegistry(t, dir, c) // and goes on after a restart
	fail(1)
	c.advance(lockTime - time.Second)
	logIn("secret-123", audit.OutcomeLocked)
	logIn("wrong", audit.OutcomeLocked)
	c.advance(time.Second)
	fail(4) // as if there had been none
	logIn("secret-123", audit.OutcomeSuccess)

	fail(5)
	logIn("secret-123", audit.OutcomeLocked)
	changed, secret := DeveloperApproved, "another-1"
	if _, err := r.ChangeDeveloper(t.Context(), p, d.ID, DeveloperChange{Status: &changed, Password: &secret}); err != nil {
		t.Fatal(err)
	}
	logIn("secret-123", audit.OutcomeInvalidPassword)
	logIn("another-1", audit.OutcomeSuccess)
	changed = DeveloperRejected
	if _, err := r.ChangeDeveloper(t.Context(), p, d.ID, DeveloperChange{Status: &changed}); err != nil {
		t.Fatal(err)
	}
	logIn("another-1", audit.OutcomeDisabled)
}

func TestGuessesAtOnceAreAllCounted(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	d := newDeveloper(t, r, p, "ada@example.com")
	var wrong, locked atomic.Int32
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			login, err := r.LogIn(t.Context(), p, d.Email, "wrong")
			switch {
			case err != nil:
				t.Error(err)
			case login.Outcome == audit.OutcomeInvalidPassword:
				wrong.Add(1)
			case login.Outcome == audit.OutcomeLocked:
				locked.Add(1)
			}
		})
	}
	group.Wait()
	if wrong.Load() != maxFailures || locked.Load() != 12-maxFailures {
		t.Errorf("%d guesses were looked at and %d were not, want %d and %d", wrong.Load(), locked.Load(), maxFailures, 12-maxFailures)
	}
}

func TestADeveloperWithoutAPasswordCannotLogIn(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	d, err := r.CreateDeveloper(t.Context(), p, Developer{Email: "ada@example.com", FullName: "Ada", Status: DeveloperApproved}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "secret-123"} {
		if login, err := r.LogIn(t.Context(), p, d.Email, password); err != nil || login.Outcome != audit.OutcomeInvalidPassword {
			t.Errorf("%q: %s, %v", password, login.Outcome, err)
		}
	}
}

func TestALogInThatNobodyWaitsForIsNotDecided(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	d := newDeveloper(t, r, p, "ada@example.com")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.hasher.places.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for r.hasher.places.TryAcquire(1) { // until none is left
	}
	if login, err := r.LogIn(over, p, d.Email, "secret-123"); err == nil || login.Outcome != "" {
		t.Errorf("%+v, %v", login, err)
	}
}

func TestALogInIsDecidedByWhatTheAccountIsOnceThePasswordIsChecked(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	p := newPortal(t, r, newOrganization(t, r).OrgID, "portal")
	d := newDeveloper(t, r, p, "ada@example.com")
	checked, err := r.developerEntry(p, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	decided := func(want audit.Outcome) {
		t.Helper()
		if got, err := r.decide(t.Context(), checked, true); err != nil || got.Outcome != want {
			t.Errorf("%s, %v; want %s", got.Outcome, err, want)
		}
	}
	for range maxFailures {
		if _, err := r.decide(t.Context(), checked, false); err != nil {
			t.Fatal(err)
		}
	}
	decided(audit.OutcomeLocked)
	revoked, secret := DeveloperRevoked, "another-1"
	if _, err := r.ChangeDeveloper(t.Context(), p, d.ID, DeveloperChange{Status: &revoked}); err != nil {
		t.Fatal(err)
	}
	decided(audit.OutcomeDisabled)
	if _, err := r.ChangeDeveloper(t.Context(), p, d.ID, DeveloperChange{Password: &secret}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.decide(t.Context(), checked, true); !errors.Is(err, errPasswordChanged) {
		t.Errorf("by the old password: %+v, %v", got, err)
	}
	if err := r.DeleteDeveloper(t.Context(), p, d.ID); err != nil {
		t.Fatal(err)
	}
	decided(audit.OutcomeNotFound)
}
