package audit

import (
	"fmt"
	"time"
)

const (
	maxTraceID      = 1<<63 - 1
	maxMilliseconds = 253402300799999 // the end of the year 9999, the last that RFC 3339 can write
)

// Validate says what keeps e from being a well-formed line: an unknown kind, product, type or outcome, a time before
// 1970 or after 9999, a trace id of more than 63 bits, a missing service or resource, a status outside 100 to 999.
// Text is never a reason: the encoders clean it.
func (e *Event) Validate() error {
	if err := e.validateCommon(); err != nil {
		return err
	}
	switch e.Kind {
	case Authentication:
		return e.validateAuthentication()
	case Authorization:
		return e.validateAuthorization()
	default:
		return e.validateAccess()
	}
}

func (e *Event) validateCommon() error {
	if _, err := e.Kind.MarshalText(); err != nil {
		return err
	}
	if !writable(e.Time) {
		return fmt.Errorf("%v event: time %v is out of range: want the years 1970 to 9999", e.Kind, e.Time)
	}
	if !e.Stamp.IsZero() && !writable(e.Stamp) {
		return fmt.Errorf("%v event: stamp %v is out of range: want the years 1970 to 9999", e.Kind, e.Stamp)
	}
	if product := e.productOrDefault(); product != ProductKonnect && product != ProductDevPortal {
		return fmt.Errorf("%v event: product %q is unknown: want %s or %s", e.Kind, product, ProductKonnect, ProductDevPortal)
	}
	if e.TraceID > maxTraceID {
		return fmt.Errorf("%v event: trace id %d does not fit in 63 bits", e.Kind, e.TraceID)
	}
	return nil
}

// writable says whether t can be written both in milliseconds since the epoch and by RFC 3339.
func writable(t time.Time) bool {
	ms := t.UnixMilli()
	return ms >= 0 && ms <= maxMilliseconds
}

func (e *Event) validateAuthentication() error {
	switch e.AuthType {
	case AuthInvalid, AuthBasic, AuthSSO, AuthPAT, AuthSPAT, AuthGoogle, AuthGitHub, AuthWindowsLive, AuthFederated:
	default:
		return fmt.Errorf("authentication event: type %q is unknown: want INVALID, BASIC, SSO, PAT, SPAT, GOOGLE, GITHUB, WINDOWSLIVE or FEDERATED", e.AuthType)
	}
	switch e.Outcome {
	case OutcomeSuccess, OutcomeNotFound, OutcomeInvalidPassword, OutcomeTokenExpired, OutcomeLocked, OutcomeDisabled, OutcomeInvalid:
		return nil
	default:
		return fmt.Errorf("authentication event: outcome %q is unknown: want SUCCESS, NOT_FOUND, INVALID_PASSWORD, TOKEN_EXPIRED, LOCKED, DISABLED or INVALID", e.Outcome)
	}
}

func (e *Event) validateAuthorization() error {
	if e.Service == "" {
		return fmt.Errorf("authorization event: the service that checked is missing")
	}
	if e.Resource == "" {
		return fmt.Errorf("authorization event: the resource that was checked is missing")
	}
	return nil
}

func (e *Event) validateAccess() error {
	if e.Status < 100 || e.Status > 999 {
		return fmt.Errorf("access event: status %d is out of range: want 100 to 999", e.Status)
	}
	return nil
}
