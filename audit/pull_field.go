package audit

import (
	"strconv"
	"strings"
	"time"
)

// FieldError says which field of an entry [DecodePull] cannot take, and why. It quotes no value, which may be a secret.
type FieldError struct {
	Field   string   // the member's name; empty where the entry as a whole is none
	Rule    string   // as Konnect names it: required, is_string, is_boolean, is_integer, is_date_time, enum, min, max, unknown_property, is_object or invalid
	Reason  string   // for a person
	Choices []string // what an enum has
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + " " + e.Reason
}

// pullField is one that an entry may have.
type pullField uint8

const (
	pullType pullField = iota
	pullTime
	pullOrgID
	pullPrincipalID
	pullPrincipalName
	pullActorID
	pullKongInitiated
	pullPortalID
	pullProduct
	pullClientIP
	pullUserAgent
	pullTraceID
	pullURI
	pullAuthType
	pullOutcome
	pullSuccessful
	pullService
	pullResource
	pullAction
	pullGranted
	pullMethod
	pullQuery
	pullStatus
	pullSignature
)

// pullFieldNamed finds a field by its name, if entries of that kind have it.
func pullFieldNamed(name string, k Kind) (pullField, bool) {
	switch name {
	case "type":
		return pullType, true
	case "ts":
		return pullTime, true
	case "org_id":
		return pullOrgID, true
	case "principal_id":
		return pullPrincipalID, true
	case "principal_name":
		return pullPrincipalName, true
	case "actor_id":
		return pullActorID, k != Authentication
	case "kong_initiated":
		return pullKongInitiated, k != Authentication
	case "portal_id":
		return pullPortalID, true
	case "product":
		return pullProduct, true
	case "client_ip":
		return pullClientIP, true
	case "user_agent":
		return pullUserAgent, true
	case "trace_id":
		return pullTraceID, true
	case "uri":
		return pullURI, true
	case "authentication_type":
		return pullAuthType, k == Authentication
	case "outcome":
		return pullOutcome, k == Authentication
	case "successful":
		return pullSuccessful, k == Authentication
	case "service":
		return pullService, k == Authorization
	case "resource":
		return pullResource, k == Authorization
	case "action":
		return pullAction, k == Authorization
	case "granted":
		return pullGranted, k == Authorization
	case "method":
		return pullMethod, k == Access
	case "query":
		return pullQuery, k == Access
	case "status_code":
		return pullStatus, k == Access
	case "signature":
		return pullSignature, true
	default:
		return 0, false
	}
}

func missing(name string) error {
	return &FieldError{Field: name, Rule: "required", Reason: "is required"}
}

func notOneOf(m *member, choices ...string) error {
	return &FieldError{Field: m.name, Rule: "enum", Reason: "must be one of " + strings.Join(choices, ", "), Choices: choices}
}

func (m *member) text() (string, error) {
	if m.first != '"' {
		return "", &FieldError{Field: m.name, Rule: "is_string", Reason: "must be a string"}
	}
	return m.value, nil
}

func (m *member) nonEmpty() (string, error) {
	value, err := m.text()
	if err == nil && value == "" {
		err = &FieldError{Field: m.name, Rule: "required", Reason: "must not be empty"}
	}
	return value, err
}

func (m *member) boolean() (bool, error) {
	if m.first != 't' && m.first != 'f' {
		return false, &FieldError{Field: m.name, Rule: "is_boolean", Reason: "must be a boolean"}
	}
	return m.first == 't', nil
}

func (m *member) moment() (t time.Time, err error) {
	value, err := m.text()
	if err != nil {
		return t, err
	}
	t, err = time.Parse(time.RFC3339, value)
	// It takes "T1:" for one o'clock and a comma for the point, which RFC 3339 does not.
	if err != nil || value[len("2006-01-02T15")] != ':' || strings.Contains(value, ",") {
		return t, &FieldError{Field: m.name, Rule: "is_date_time", Reason: "must be a time as in RFC 3339"}
	}
	if !writable(t) {
		return t, &FieldError{Field: m.name, Rule: "invalid", Reason: "must be in the years 1970 to 9999"}
	}
	return time.UnixMilli(t.UnixMilli()).UTC(), nil
}

func (m *member) traceID() (uint64, error) {
	if _, err := m.text(); err != nil {
		return 0, err
	}
	id, err := parseTraceID(Field{m.name, m.value})
	if err != nil {
		return 0, &FieldError{Field: m.name, Rule: "invalid", Reason: "must be an unsigned decimal number of 63 bits"}
	}
	return id, nil
}

func (m *member) status() (int, error) {
	code, err := strconv.Atoi(m.value)
	switch {
	case m.first == '"' || err != nil:
		return 0, &FieldError{Field: m.name, Rule: "is_integer", Reason: "must be an integer"}
	case code < 100:
		return 0, &FieldError{Field: m.name, Rule: "min", Reason: "must be at least 100"}
	case code > 999:
		return 0, &FieldError{Field: m.name, Rule: "max", Reason: "must be at most 999"}
	}
	return code, nil
}

func (m *member) product() (string, error) {
	value, err := m.text()
	if err == nil && value != ProductKonnect && value != ProductDevPortal {
		err = notOneOf(m, ProductKonnect, ProductDevPortal)
	}
	return value, err
}

// lowerOf reads a value that is one of the known in lower case.
func lowerOf[T ~string](m *member, known ...T) (T, error) {
	value, err := m.text()
	if err != nil {
		return "", err
	}
	for _, k := range known {
		if isLowerOf(value, string(k)) {
			return k, nil
		}
	}
	choices := make([]string, len(known))
	for i, k := range known {
		choices[i] = strings.ToLower(string(k))
	}
	return "", notOneOf(m, choices...)
}

func isLowerOf(value, known string) bool {
	if len(value) != len(known) {
		return false
	}
	for i := range len(value) {
		if value[i] != lower(known[i]) {
			return false
		}
	}
	return true
}

// clip keeps a name that anybody may have made up from filling the log or the answer that it gets into.
func clip(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}
