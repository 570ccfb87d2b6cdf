package audit

// DecodePull reads an entry of Konnect's pull API, as [AppendPull] writes it. Unlike [Decode] it is strict, for its entries
// come from programs that can be put right: exactly one object, no member that the entry's type does not have, none
// twice, none of another type than documented, and none missing of those without which the entry says nothing (ts,
// type, and those that only its type has, but for successful and query). A signature is taken and not looked at. All
// errors are of type [*FieldError].
//
// What comes out is valid by [Event.Validate]. Its Time is cut to the millisecond, and its Product filled in.
func DecodePull(data []byte) (Event, error) {
	var room [24]member
	members, err := parseObject(trimJSONSpace(data), room[:0])
	if err != nil {
		if name, twice := givenTwice(members, func(m *member) string { return m.name }); twice {
			return Event{}, &FieldError{Field: clip(name), Rule: "invalid", Reason: "is given twice"}
		}
		return Event{}, &FieldError{Rule: "is_object", Reason: "must be exactly one JSON object"}
	}
	var p pullReader
	if err := p.takeType(members); err != nil {
		return Event{}, err
	}
	for i := range members {
		if err := p.take(&members[i]); err != nil {
			return Event{}, err
		}
	}
	if err := p.finish(); err != nil {
		return Event{}, err
	}
	return p.event, nil
}

// pullReader makes an Event, member by member.
type pullReader struct {
	event      Event
	seen       uint32 // one bit for each field
	successful bool
}

// takeType comes first: which other members there may be depends on it.
func (p *pullReader) takeType(members []member) error {
	for i := range members {
		if members[i].name != "type" {
			continue
		}
		name, err := members[i].text()
		if err != nil {
			return err
		}
		for k := Authentication; k <= Access; k++ {
			if name == pulledType(k) {
				p.event.Kind = k
				return nil
			}
		}
		return notOneOf(&members[i], pulledAuthorization, pulledAuthentication, pulledAccess)
	}
	return missing("type")
}

func (p *pullReader) take(m *member) error {
	f, known := pullFieldNamed(m.name, p.event.Kind)
	if !known {
		return &FieldError{Field: clip(m.name), Rule: "unknown_property",
			Reason: "is no property of an entry of type " + pulledType(p.event.Kind)}
	}
	p.seen |= 1 << f
	return p.set(f, m)
}

func (p *pullReader) set(f pullField, m *member) (err error) {
	e := &p.event
	switch f {
	case pullTime:
		e.Time, err = m.moment()
	case pullOrgID:
		e.OrgID, err = m.text()
	case pullPrincipalID:
		e.PrincipalID, err = m.text()
	case pullPrincipalName:
		e.PrincipalName, err = m.text()
	case pullActorID:
		e.ActorID, err = m.text()
	case pullKongInitiated:
		e.KongInitiated, err = m.boolean()
	case pullPortalID:
		e.PortalID, err = m.text()
	case pullProduct:
		e.Product, err = m.product()
	case pullClientIP:
		e.Source, err = m.text()
	case pullUserAgent:
		e.UserAgent, err = m.text()
	case pullTraceID:
		e.TraceID, err = m.traceID()
	case pullURI:
		e.Request, err = m.text()
	case pullAuthType:
		e.AuthType, err = lowerOf(m, AuthInvalid, AuthBasic, AuthSSO, AuthPAT, AuthSPAT, AuthGoogle, AuthGitHub,
			AuthWindowsLive, AuthFederated)
	case pullOutcome:
		e.Outcome, err = lowerOf(m, OutcomeInvalid, OutcomeSuccess, OutcomeNotFound, OutcomeInvalidPassword,
			OutcomeLocked, OutcomeDisabled, OutcomeTokenExpired)
	case pullSuccessful:
		p.successful, err = m.boolean()
	case pullService:
		e.Service, err = m.nonEmpty()
	case pullResource:
		e.Resource, err = m.nonEmpty()
	case pullAction:
		e.Action, err = m.text()
	case pullGranted:
		e.Granted, err = m.boolean()
	case pullMethod:
		e.Method, err = m.text()
	case pullQuery:
		e.Query, err = m.text()
	case pullStatus:
		e.Status, err = m.status()
	case pullSignature:
		_, err = m.text()
	}
	return err
}

// finish looks at what no member shows by itself.
func (p *pullReader) finish() error {
	e := &p.event
	for _, f := range [...]struct {
		id   pullField
		name string
		of   bool
	}{
		{pullTime, "ts", true},
		{pullAuthType, "authentication_type", e.Kind == Authentication},
		{pullOutcome, "outcome", e.Kind == Authentication},
		{pullService, "service", e.Kind == Authorization},
		{pullResource, "resource", e.Kind == Authorization},
		{pullAction, "action", e.Kind == Authorization},
		{pullGranted, "granted", e.Kind == Authorization},
		{pullMethod, "method", e.Kind == Access},
		{pullURI, "uri", e.Kind == Access},
		{pullStatus, "status_code", e.Kind == Access},
	} {
		if f.of && !p.has(f.id) {
			return missing(f.name)
		}
	}
	if p.has(pullSuccessful) && p.successful != e.Success() {
		return &FieldError{Field: "successful", Rule: "invalid", Reason: "contradicts the outcome"}
	}
	if e.Product == "" {
		e.Product = impliedProduct(e.PortalID)
	}
	return nil
}

func (p *pullReader) has(f pullField) bool { return p.seen&(1<<f) != 0 }
