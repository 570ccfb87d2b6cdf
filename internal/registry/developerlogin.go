package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// A developer whose password was wrong maxFailures times in a row is locked for
// lockTime, or until an admin changes the account. Who tries meanwhile does not
// make it longer, or anybody could lock an account out for ever.
const (
	maxFailures = 5
	lockTime    = 15 * time.Minute
)

// nobody is a key that no developer has.
const nobody = "nobody"

// Login is the result of a developer's log-in: who it was, as far as that is
// known, and the outcome that its audit event gets.
type Login struct {
	Outcome   audit.Outcome
	Developer Developer // zero: there is none of the email
}

// LogIn checks a developer's email and password. It takes as long whatever the
// outcome is. The outcome is NOT_FOUND without such a developer; DISABLED when the
// portal or the developer's status lets nobody in; LOCKED; INVALID_PASSWORD, which
// counts towards a lock; or SUCCESS, which begins the count anew. What counts is
// durable when it returns. An error wraps [broker.ErrUnavailable]: the log-in is
// then not decided, and nobody is to be let in.
func (r *Registry) LogIn(ctx context.Context, portal Portal, email, password string) (Login, error) {
	login, err := r.logIn(ctx, portal, email, password)
	if errors.Is(err, errPasswordChanged) {
		login, err = r.logIn(ctx, portal, email, password)
	}
	if err == nil && login.Outcome != audit.OutcomeSuccess && login.Outcome != audit.OutcomeInvalidPassword {
		// Nothing is to be counted, but it is to take as long as if there were.
		err = r.developers.Put(ctx, nobody, Developer{})
	}
	if err != nil {
		return Login{}, fmt.Errorf("log in to portal %s: %w", portal.ID, err)
	}
	return login, nil
}

// errPasswordChanged says that the password was changed while it was checked.
var errPasswordChanged = fmt.Errorf("%w: the developer's password was changed at the same moment", broker.ErrUnavailable)

func (r *Registry) logIn(ctx context.Context, portal Portal, email, password string) (Login, error) {
	entry, found := r.developerByEmail(portal, email)
	matched, err := r.hasher.matches(ctx, password, entry.Value.Password)
	switch {
	case err != nil:
		return Login{}, err
	case !portal.AuthenticationEnabled:
		return Login{audit.OutcomeDisabled, entry.Value}, nil
	case !found:
		return Login{Outcome: audit.OutcomeNotFound}, nil
	}
	return r.decide(ctx, entry, matched)
}

// decide tells the outcome of a log-in by what the developer is now, and counts
// it: many may have failed while the password was checked.
func (r *Registry) decide(ctx context.Context, checked broker.Entry[Developer], matched bool) (Login, error) {
	var login Login
	err := retry(ctx, r.developers, func() error {
		now, err := r.developers.Get(checked.Key)
		if errors.Is(err, ErrNotFound) {
			login = Login{Outcome: audit.OutcomeNotFound}
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(now.Value.Password.Hash, checked.Value.Password.Hash) {
			return errPasswordChanged
		}
		outcome, counted := r.judge(now.Value, matched)
		login = Login{outcome, now.Value}
		if counted.Failures == now.Value.Failures && counted.LockedUntil.Equal(now.Value.LockedUntil) {
			return nil
		}
		return r.developers.Update(ctx, now.Key, counted, now.Revision)
	})
	return login, err
}

// judge tells the outcome of a log-in, and what the developer is after it.
func (r *Registry) judge(d Developer, matched bool) (audit.Outcome, Developer) {
	if d.Status != DeveloperApproved {
		return audit.OutcomeDisabled, d
	}
	if r.Locked(d) {
		return audit.OutcomeLocked, d
	}
	if !d.LockedUntil.IsZero() { // the lock is over
		d.Failures, d.LockedUntil = 0, time.Time{}
	}
	if matched {
		d.Failures = 0
		return audit.OutcomeSuccess, d
	}
	if d.Failures++; d.Failures >= maxFailures {
		d.LockedUntil = r.instant().Add(lockTime)
	}
	return audit.OutcomeInvalidPassword, d
}

// Locked reports whether the developer cannot log in now because the password was
// wrong too often.
func (r *Registry) Locked(d Developer) bool { return r.now().Before(d.LockedUntil) }

// developerByEmail finds a developer by the claim of its email.
func (r *Registry) developerByEmail(portal Portal, email string) (broker.Entry[Developer], bool) {
	claim, err := r.names.Get(emailKey(portal, email))
	if err != nil {
		return broker.Entry[Developer]{}, false
	}
	entry, err := r.developerEntry(portal, claim.Value.ID)
	if err != nil || !sameEmail(entry.Value.Email, email) {
		return broker.Entry[Developer]{}, false
	}
	return entry, true
}
