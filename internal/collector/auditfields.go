package collector

import (
	"strconv"

	"github.com/trailhook/trailhook/audit"
)

// parseAudit names the fields of an audit event as the CEF line does, whatever
// the format it came in, so that one query finds them all. A field that the
// line leaves out is left out; those that it always has may be empty.
func parseAudit(decoded audit.Decoded) parsed {
	e := &decoded.Event
	p := parsed{time: e.Time}
	if p.time.IsZero() {
		p.time = e.Stamp
	}
	p.add("kind", e.Kind.String())
	p.add("vendor", "KongInc")
	p.add("product", productOf(e))
	p.add("class", e.Class())
	p.add("name", e.Name())
	p.add("severity", strconv.Itoa(e.Severity()))
	if !e.Time.IsZero() {
		p.add("rt", strconv.FormatInt(e.Time.UnixMilli(), 10))
	}
	p.addPresent("src", e.Source)
	p.addKind(e)
	p.addPresent("org_id", e.OrgID)
	p.addPresent("portal_id", e.PortalID)
	p.addPresent("principal_id", e.PrincipalID)
	p.addPresent("principal_name", e.PrincipalName)
	p.addPresent("actor_id", e.ActorID)
	if e.KongInitiated {
		p.add("kong_initiated", "true")
	}
	if e.TraceID != 0 {
		p.add("trace_id", strconv.FormatUint(e.TraceID, 10))
	}
	p.add("user_agent", e.UserAgent)
	for _, extra := range decoded.Extra {
		p.add(extra.Name, extra.Value)
	}
	return p
}

// addKind adds the fields that only one kind of event has.
func (p *parsed) addKind(e *audit.Event) {
	switch e.Kind {
	case audit.Authentication:
		p.addPresent("request", e.Request)
		p.add("success", strconv.FormatBool(e.Success()))
	case audit.Authorization:
		p.addPresent("action", e.Action)
		p.add("granted", strconv.FormatBool(e.Granted))
	case audit.Access:
		p.addPresent("request", e.Request)
		p.addPresent("act", e.Method)
		p.add("status", strconv.Itoa(e.Status))
		p.addPresent("query", e.Query)
	}
}

func (p *parsed) addPresent(name, value string) {
	if value != "" {
		p.add(name, value)
	}
}

func productOf(e *audit.Event) string {
	if e.Product == "" {
		return audit.ProductKonnect
	}
	return e.Product
}
