package registry

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/trailhook/trailhook/audit"
)

// Authentication is the result of a credential's use: as much as is known of
// who it belongs to, and the type and outcome that its audit event gets.
type Authentication struct {
	Type      audit.AuthType
	Outcome   audit.Outcome
	Principal Principal
	TokenID   string // of a token that is known, whatever came of it
}

// Authenticate looks a bearer token up. It never fails: what is wrong is the
// outcome. A revoked token is DISABLED, and so is every token of a user who is
// not active.
func (r *Registry) Authenticate(token string) Authentication {
	how, ok := tokenType(token)
	if !ok {
		return Authentication{Type: audit.AuthInvalid, Outcome: audit.OutcomeInvalid}
	}
	hash := sha256.Sum256([]byte(token))
	entry, err := r.tokens.Get(tokenID(hash))
	if err != nil || subtle.ConstantTimeCompare(entry.Value.Hash, hash[:]) != 1 {
		return Authentication{Type: how, Outcome: audit.OutcomeNotFound}
	}
	principal, active, err := r.owner(entry.Value)
	if err != nil {
		return Authentication{Type: how, Outcome: audit.OutcomeNotFound}
	}
	now := r.now()
	outcome := audit.OutcomeSuccess
	switch state := entry.Value.State(now); {
	case state == TokenRevoked || !active:
		outcome = audit.OutcomeDisabled
	case state == TokenExpired:
		outcome = audit.OutcomeTokenExpired
	default:
		r.uses.note(entry.Value.ID, now)
	}
	return Authentication{Type: how, Outcome: outcome, Principal: principal, TokenID: entry.Value.ID}
}

// owner returns whom a token belongs to, and whether they may act at all.
func (r *Registry) owner(token Token) (p Principal, active bool, err error) {
	if token.SystemAccountID != "" {
		a, err := r.SystemAccount(token.OrgID, token.SystemAccountID)
		return Principal{ID: a.ID, OrgID: a.OrgID, Name: a.Name, Assignments: a.Assignments, System: true}, true, err
	}
	u, err := r.User(token.OrgID, token.UserID)
	return Principal{ID: u.ID, OrgID: u.OrgID, Name: u.FullName, Assignments: u.Assignments}, u.Active, err
}
