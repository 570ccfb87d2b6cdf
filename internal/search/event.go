package search

import (
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
)

const konnectVendor = "KongInc"

// EventFields appends the fields of an audit event by the names that its CEF
// line has, whatever the format it came in, so that one query finds them all. A
// field that the line leaves out is left out; those that it always has may be
// empty.
func EventFields(fields []Field, e *audit.Event) []Field {
	add := func(name, value string) { fields = append(fields, Field{name, value}) }
	addPresent := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	product := e.Product
	if product == "" {
		product = audit.ProductKonnect
	}
	add("kind", e.Kind.String())
	add("vendor", konnectVendor)
	add("product", product)
	add("class", e.Class())
	add("name", e.Name())
	add("severity", strconv.Itoa(e.Severity()))
	add("rt", strconv.FormatInt(e.Time.UnixMilli(), 10))
	addPresent("src", e.Source)
	switch e.Kind {
	case audit.Authentication:
		addPresent("request", e.Request)
		add("success", strconv.FormatBool(e.Success()))
	case audit.Authorization:
		addPresent("action", e.Action)
		add("granted", strconv.FormatBool(e.Granted))
	case audit.Access:
		addPresent("request", e.Request)
		addPresent("act", e.Method)
		add("status", strconv.Itoa(e.Status))
		addPresent("query", e.Query)
	}
	addPresent("org_id", e.OrgID)
	addPresent("portal_id", e.PortalID)
	addPresent("principal_id", e.PrincipalID)
	addPresent("principal_name", e.PrincipalName)
	addPresent("actor_id", e.ActorID)
	if e.KongInitiated {
		add("kong_initiated", "true")
	}
	if e.TraceID != 0 {
		add("trace_id", strconv.FormatUint(e.TraceID, 10))
	}
	add("user_agent", e.UserAgent)
	return fields
}

// eventOf makes the event whose EventFields these are, whatever other fields
// there are beside them. It is not ok where fields are missing, are said twice
// or contradict each other, or where one is there that belongs to another kind
// of event: what is ok can be written from the fields as they are, without an
// Event in between, which is what a store's engine does.
func eventOf(fields []Field) (e audit.Event, ok bool) {
	b := eventBuilder{event: &e}
	for i := range fields {
		if !b.take(fields[i].Name, fields[i].Value) {
			return e, false
		}
	}
	return e, b.finish()
}

type eventBuilder struct {
	event *audit.Event
	seen  eventField

	class, name, severity, success string
}

// eventField is a set of an event's fields.
type eventField uint32

const (
	hasKind eventField = 1 << iota
	hasVendor
	hasProduct
	hasClass
	hasName
	hasSeverity
	hasTime
	hasSource
	hasRequest
	hasSuccess
	hasAction
	hasGranted
	hasMethod
	hasStatus
	hasQuery
	hasOrgID
	hasPortalID
	hasPrincipalID
	hasPrincipalName
	hasActorID
	hasKongInitiated
	hasTraceID
	hasUserAgent
)

const (
	inEveryEvent = hasKind | hasVendor | hasProduct | hasClass | hasName | hasSeverity | hasTime | hasUserAgent
	inAnyEvent   = inEveryEvent | hasSource | hasOrgID | hasPrincipalID | hasPrincipalName | hasTraceID
)

// take sets a field, and says whether an event can have it so.
func (b *eventBuilder) take(name, value string) (ok bool) {
	e := b.event
	ok = true
	var id eventField
	text := func(field eventField, to *string) {
		id, *to = field, value
		ok = value != "" // one that is empty would be left out
	}
	switch name {
	case "kind":
		id, ok = hasKind, e.Kind.UnmarshalText([]byte(value)) == nil
	case "vendor":
		id, ok = hasVendor, value == konnectVendor
	case "product":
		text(hasProduct, &e.Product)
	case "class":
		id, b.class = hasClass, value
	case "name":
		id, b.name = hasName, value
	case "severity":
		id, b.severity = hasSeverity, value
	case "rt":
		id = hasTime
		e.Time, ok = parseMilliseconds(value)
	case "src":
		text(hasSource, &e.Source)
	case "request":
		text(hasRequest, &e.Request)
	case "success":
		id, b.success = hasSuccess, value
	case "action":
		text(hasAction, &e.Action)
	case "granted":
		id, e.Granted, ok = hasGranted, value == "true", value == "true" || value == "false"
	case "act":
		text(hasMethod, &e.Method)
	case "status":
		id = hasStatus
		var status uint64
		status, ok = parseNumber(value, 16)
		e.Status = int(status)
	case "query":
		text(hasQuery, &e.Query)
	case "org_id":
		text(hasOrgID, &e.OrgID)
	case "portal_id":
		text(hasPortalID, &e.PortalID)
	case "principal_id":
		text(hasPrincipalID, &e.PrincipalID)
	case "principal_name":
		text(hasPrincipalName, &e.PrincipalName)
	case "actor_id":
		text(hasActorID, &e.ActorID)
	case "kong_initiated":
		id, e.KongInitiated, ok = hasKongInitiated, true, value == "true"
	case "trace_id":
		id = hasTraceID
		e.TraceID, ok = parseNumber(value, 63)
		ok = ok && e.TraceID != 0
	case "user_agent":
		id, e.UserAgent = hasUserAgent, value
	}
	ok = ok && b.seen&id == 0
	b.seen |= id
	return ok
}

// finish reads what depends on the kind, and says whether all is there and fits.
func (b *eventBuilder) finish() bool {
	e := b.event
	required, allowed := inEveryEvent, inAnyEvent
	ok := true
	cut := func(text, prefix string) string {
		rest, found := strings.CutPrefix(text, prefix)
		ok = ok && found
		return rest
	}
	switch e.Kind {
	case audit.Authentication:
		required |= hasSuccess
		allowed |= hasRequest | hasPortalID
		e.AuthType = audit.AuthType(cut(b.class, "AUTHENTICATION_TYPE_"))
		e.Outcome = audit.Outcome(cut(b.name, "AUTHENTICATION_OUTCOME_"))
		ok = ok && b.success == strconv.FormatBool(e.Success())
	case audit.Authorization:
		required |= hasGranted
		allowed |= hasAction | hasActorID | hasKongInitiated
		e.Service, e.Resource = b.class, cut(b.name, "Authz.")
	case audit.Access:
		required |= hasStatus
		allowed |= hasRequest | hasMethod | hasQuery | hasKongInitiated
		ok = b.class == e.Class() && b.name == e.Name()
	}
	allowed |= required
	return ok && b.seen&required == required && b.seen&^allowed == 0 && b.severity == strconv.Itoa(e.Severity())
}

// parseNumber reads a number that is written as [strconv.FormatUint] does.
func parseNumber(text string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, bits)
	return n, err == nil && (len(text) == 1 || text[0] != '0')
}

// parseMilliseconds reads a time since the epoch, up to the end of the year 9999.
func parseMilliseconds(text string) (time.Time, bool) {
	ms, ok := parseNumber(text, 63)
	const last = 253402300799999
	return time.UnixMilli(int64(ms)).UTC(), ok && ms <= last
}
