package audit

import (
	"fmt"
	"time"
)

// Event is one thing that somebody did, or tried to do.
//
// Which fields a line carries depends on Kind; the others are ignored by the encoders and left empty by [Decode].
type Event struct {
	Kind Kind

	// Time is when it happened: UTC, cut to the millisecond ("rt").
	Time time.Time

	// Stamp is the time at the head of the line ("event_ts"): UTC, cut to the second. It is zero where it is
	// Time cut to the second, as in every line of ours; Kong's own lines may be stamped later.
	Stamp time.Time

	// Product is ProductKonnect or ProductDevPortal; empty is written as ProductKonnect.
	Product string

	Source        string // address of the client ("src")
	OrgID         string
	PortalID      string // authentication only
	PrincipalID   string
	PrincipalName string
	ActorID       string // authorization only: who acts in the principal's name
	KongInitiated bool   // authorization and access
	TraceID       uint64 // 63 bits, one for all events of a request; 0 is none
	UserAgent     string

	AuthType AuthType // authentication
	Outcome  Outcome  // authentication

	Service  string // authorization: the service that checked, the line's class
	Resource string // authorization: the path of what was checked, the line's name without "Authz."
	Action   string // authorization: list, retrieve, create, edit, delete
	Granted  bool   // authorization

	Request string // authentication and access: the path
	Method  string // access: the HTTP method ("act")
	Status  int    // access: the HTTP status
	Query   string // access: the query of the URL
}

// The products whose events these are.
const (
	ProductKonnect   = "Konnect"
	ProductDevPortal = "Dev-Portal"
)

// Kind says which of the three sorts of event an [Event] is. The zero Kind is none of them.
type Kind uint8

// The kinds.
const (
	Authentication Kind = iota + 1 // a token or a password was used, or failed
	Authorization                  // a permission was checked
	Access                         // a request that changes something was served
)

// String gives "authentication", "authorization" or "access".
func (k Kind) String() string {
	switch k {
	case Authentication:
		return "authentication"
	case Authorization:
		return "authorization"
	case Access:
		return "access"
	default:
		return fmt.Sprintf("kind %d", uint8(k))
	}
}

// MarshalText gives what String does, and an error for a Kind that is none of the three.
func (k Kind) MarshalText() ([]byte, error) {
	if k < Authentication || k > Access {
		return nil, fmt.Errorf("audit %v is unknown: want authentication, authorization or access", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads what MarshalText writes, and nothing else.
func (k *Kind) UnmarshalText(text []byte) error {
	for known := Authentication; known <= Access; known++ {
		if string(text) == known.String() {
			*k = known
			return nil
		}
	}
	return fmt.Errorf("audit kind %q is unknown: want authentication, authorization or access", text)
}

// AuthType is how somebody proved who they are, without the AUTHENTICATION_TYPE_ of the line's class.
type AuthType string

// The types that Konnect documents. Decode takes others too, Validate does not.
const (
	AuthInvalid     AuthType = "INVALID"
	AuthBasic       AuthType = "BASIC"
	AuthSSO         AuthType = "SSO"
	AuthPAT         AuthType = "PAT"  // a personal access token
	AuthSPAT        AuthType = "SPAT" // a system account's access token
	AuthGoogle      AuthType = "GOOGLE"
	AuthGitHub      AuthType = "GITHUB"
	AuthWindowsLive AuthType = "WINDOWSLIVE"
	AuthFederated   AuthType = "FEDERATED"
)

// Outcome is how an authentication ended, without the AUTHENTICATION_OUTCOME_ of the line's name.
type Outcome string

// The outcomes that Konnect documents. Decode takes others too, Validate does not.
const (
	OutcomeSuccess         Outcome = "SUCCESS"
	OutcomeNotFound        Outcome = "NOT_FOUND"
	OutcomeInvalidPassword Outcome = "INVALID_PASSWORD"
	OutcomeTokenExpired    Outcome = "TOKEN_EXPIRED"
	OutcomeLocked          Outcome = "LOCKED"
	OutcomeDisabled        Outcome = "DISABLED"
	OutcomeInvalid         Outcome = "INVALID"
)

// What headers are made of.
const (
	host           = "konghq.com"
	vendor         = "KongInc"
	deviceVersion  = "1.0"
	authTypePrefix = "AUTHENTICATION_TYPE_"
	outcomePrefix  = "AUTHENTICATION_OUTCOME_"
	resourcePrefix = "Authz."
	accessClass    = "KongGateway"
	accessName     = "Ingress"
)

// The severities in use.
const (
	severityHarmless = 0
	severityLow      = 1
	severityHigh     = 6
	severityVeryHigh = 7
	severityFailure  = 10
)

// Class is the class of the line's header: the type of the authentication, the service that checked, or KongGateway.
func (e *Event) Class() string {
	prefix, rest := e.class()
	return prefix + rest
}

// Name is the name of the line's header: the outcome of the authentication, the resource that was checked, or Ingress.
func (e *Event) Name() string {
	prefix, rest := e.name()
	return prefix + rest
}

// class and name come in two parts so that the encoders need not join them.
func (e *Event) class() (prefix, rest string) {
	switch e.Kind {
	case Authentication:
		return authTypePrefix, string(e.AuthType)
	case Authorization:
		return "", e.Service
	case Access:
		return accessClass, ""
	default:
		return "", ""
	}
}

func (e *Event) name() (prefix, rest string) {
	switch e.Kind {
	case Authentication:
		return outcomePrefix, string(e.Outcome)
	case Authorization:
		return resourcePrefix, e.Resource
	case Access:
		return accessName, ""
	default:
		return "", ""
	}
}

// Severity is CEF's, from 0 (harmless) to 10, by Konnect's table; see the package's comment.
// An outcome that is not in the table counts as INVALID.
func (e *Event) Severity() int {
	switch e.Kind {
	case Authentication:
		return e.Outcome.severity()
	case Authorization:
		if e.Granted {
			return severityLow
		}
		return severityHigh
	case Access:
		return accessSeverity(e.Status)
	default:
		return severityHarmless
	}
}

func (o Outcome) severity() int {
	switch o {
	case OutcomeSuccess:
		return severityHarmless
	case OutcomeNotFound, OutcomeInvalidPassword, OutcomeTokenExpired:
		return severityLow
	case OutcomeLocked, OutcomeDisabled:
		return severityHigh
	default:
		return severityVeryHigh
	}
}

func accessSeverity(status int) int {
	switch {
	case status == 401, status == 403:
		return severityHigh
	case status >= 500:
		return severityFailure
	default:
		return severityLow
	}
}

// Success says whether what was tried came about: authenticated, granted, or answered with a status below 400.
func (e *Event) Success() bool {
	switch e.Kind {
	case Authentication:
		return e.Outcome == OutcomeSuccess
	case Authorization:
		return e.Granted
	case Access:
		return e.Status > 0 && e.Status < 400
	default:
		return false
	}
}

// productOrDefault is the product as it is written.
func (e *Event) productOrDefault() string {
	if e.Product == "" {
		return ProductKonnect
	}
	return e.Product
}

// stampOrTime is the time at the head of the line.
func (e *Event) stampOrTime() time.Time {
	if e.Stamp.IsZero() {
		return e.Time.UTC()
	}
	return e.Stamp.UTC()
}
