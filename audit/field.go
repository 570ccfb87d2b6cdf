package audit

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"time"
)

// field is one that an Event has a place for.
type field uint8

const (
	fieldTime field = iota
	fieldSource
	fieldRequest
	fieldSuccess
	fieldAction
	fieldGranted
	fieldMethod
	fieldStatus
	fieldOrgID
	fieldPortalID
	fieldPrincipalID
	fieldPrincipalName
	fieldActorID
	fieldKongInitiated
	fieldTraceID
	fieldUserAgent
	fieldQuery
)

// fieldNamed finds a field by the name that it has in lines, if events of that kind have it.
func fieldNamed(name string, k Kind) (field, bool) {
	switch name {
	case "rt":
		return fieldTime, true
	case "src":
		return fieldSource, true
	case "request":
		return fieldRequest, k != Authorization
	case "success":
		return fieldSuccess, k == Authentication
	case "action":
		return fieldAction, k == Authorization
	case "granted":
		return fieldGranted, k == Authorization
	case "act":
		return fieldMethod, k == Access
	case "status":
		return fieldStatus, k == Access
	case "org_id":
		return fieldOrgID, true
	case "portal_id":
		return fieldPortalID, k == Authentication
	case "principal_id":
		return fieldPrincipalID, true
	case "principal_name":
		return fieldPrincipalName, true
	case "actor_id":
		return fieldActorID, k == Authorization
	case "kong_initiated":
		return fieldKongInitiated, k != Authentication
	case "trace_id":
		return fieldTraceID, true
	case "user_agent":
		return fieldUserAgent, true
	case "query":
		return fieldQuery, k == Access
	default:
		return 0, false
	}
}

// builder makes a Decoded, field by field.
type builder struct {
	decoded Decoded
	stamp   time.Time
	seen    uint32 // one bit for each field
}

func newBuilder(f Format, h header) (*builder, error) {
	event, err := h.event()
	if err != nil {
		return nil, err
	}
	return &builder{decoded: Decoded{Format: f, Event: event}, stamp: h.stamp}, nil
}

func (b *builder) take(f Field) error {
	id, known := fieldNamed(f.Name, b.decoded.Event.Kind)
	switch {
	case known:
		b.seen |= 1 << id
		return b.set(id, f)
	case f.Name == "sig":
		b.takeSignature(f)
	default:
		b.decoded.Extra = append(b.decoded.Extra, f)
	}
	return nil
}

func (b *builder) takeSignature(f Field) {
	var signature [ed25519.SignatureSize]byte
	if !decodeSignature(&signature, []byte(f.Value)) {
		b.decoded.Extra = append(b.decoded.Extra, f)
		return
	}
	b.decoded.Signature = signature[:]
}

func (b *builder) set(id field, f Field) (err error) {
	e := &b.decoded.Event
	switch id {
	case fieldTime:
		e.Time, err = parseMilliseconds(f)
	case fieldSource:
		e.Source = f.Value
	case fieldRequest:
		e.Request = f.Value
	case fieldSuccess:
		err = b.compareSuccess(f)
	case fieldAction:
		e.Action = f.Value
	case fieldGranted:
		e.Granted, err = parseBool(f)
	case fieldMethod:
		e.Method = f.Value
	case fieldStatus:
		e.Status, err = parseStatus(f)
	case fieldOrgID:
		e.OrgID = f.Value
	case fieldPortalID:
		e.PortalID = f.Value
	case fieldPrincipalID:
		e.PrincipalID = f.Value
	case fieldPrincipalName:
		e.PrincipalName = f.Value
	case fieldActorID:
		e.ActorID = f.Value
	case fieldKongInitiated:
		e.KongInitiated, err = parseBool(f)
	case fieldTraceID:
		e.TraceID, err = parseTraceID(f)
	case fieldUserAgent:
		e.UserAgent = f.Value
	case fieldQuery:
		e.Query = f.Value
	}
	return err
}

// compareSuccess: an Event derives it from the outcome, so that the two cannot disagree.
func (b *builder) compareSuccess(f Field) error {
	success, err := parseBool(f)
	if err == nil && success != b.decoded.Event.Success() {
		b.decoded.Extra = append(b.decoded.Extra, f)
	}
	return err
}

func (b *builder) finish() (Decoded, error) {
	e := &b.decoded.Event
	if e.Kind == Authorization && !b.has(fieldGranted) {
		return Decoded{}, fmt.Errorf("authorization event without granted")
	}
	if e.Kind == Access && !b.has(fieldStatus) {
		return Decoded{}, fmt.Errorf("access event without status")
	}
	if !b.has(fieldTime) {
		e.Time = b.stamp.Truncate(time.Millisecond)
	}
	if e.Time.IsZero() {
		return Decoded{}, fmt.Errorf("%v event without a time: neither rt nor a timestamp", e.Kind)
	}
	if stamp := b.stamp.Truncate(time.Second); !stamp.Equal(e.Time.Truncate(time.Second)) {
		e.Stamp = stamp
	}
	return b.decoded, nil
}

func (b *builder) has(id field) bool { return b.seen&(1<<id) != 0 }

func parseMilliseconds(f Field) (time.Time, error) {
	ms, err := strconv.ParseInt(f.Value, 10, 64)
	if err != nil || ms < 0 || ms > maxMilliseconds {
		return time.Time{}, fmt.Errorf("%s %q is not a time in milliseconds since 1970", f.Name, f.Value)
	}
	return time.UnixMilli(ms).UTC(), nil
}

func parseBool(f Field) (bool, error) {
	switch f.Value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, fmt.Errorf("%s %q is neither true nor false", f.Name, f.Value)
	}
}

func parseStatus(f Field) (int, error) {
	status, err := strconv.ParseUint(f.Value, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not an HTTP status", f.Name, f.Value)
	}
	return int(status), nil
}

// parseTraceID never goes by way of a float, which would lose the last digits.
func parseTraceID(f Field) (uint64, error) {
	if f.Value == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(f.Value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not an unsigned decimal of 63 bits", f.Name, f.Value)
	}
	return id, nil
}
