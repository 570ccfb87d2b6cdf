package audit

import "strconv"

func appendCEF(dst []byte, e *Event) []byte {
	dst = appendStamp(dst, e)
	dst = append(dst, " "+host+" CEF:0|"+vendor+"|"...)
	dst = appendText(dst, e.productOrDefault(), inHeader)
	dst = append(dst, "|"+deviceVersion+"|"...)
	prefix, rest := e.class()
	dst = append(dst, prefix...)
	dst = appendText(dst, rest, inHeader)
	dst = append(dst, '|')
	prefix, rest = e.name()
	dst = append(dst, prefix...)
	dst = appendText(dst, rest, inHeader)
	dst = append(dst, '|')
	dst = strconv.AppendInt(dst, int64(e.Severity()), 10)
	dst = append(dst, "|rt="...)
	dst = strconv.AppendInt(dst, e.Time.UnixMilli(), 10)
	dst = appendExtension(dst, " src=", e.Source)
	switch e.Kind {
	case Authentication:
		return appendAuthenticationExtensions(dst, e)
	case Authorization:
		return appendAuthorizationExtensions(dst, e)
	default:
		return appendAccessExtensions(dst, e)
	}
}

func appendAuthenticationExtensions(dst []byte, e *Event) []byte {
	dst = appendExtension(dst, " request=", e.Request)
	dst = append(dst, " success="...)
	dst = strconv.AppendBool(dst, e.Success())
	dst = appendExtension(dst, " org_id=", e.OrgID)
	dst = appendExtension(dst, " portal_id=", e.PortalID)
	dst = appendExtension(dst, " principal_id=", e.PrincipalID)
	dst = appendExtension(dst, " principal_name=", e.PrincipalName)
	dst = appendTraceID(dst, e)
	return appendUserAgent(dst, e)
}

func appendAuthorizationExtensions(dst []byte, e *Event) []byte {
	dst = appendExtension(dst, " action=", e.Action)
	dst = append(dst, " granted="...)
	dst = strconv.AppendBool(dst, e.Granted)
	dst = appendExtension(dst, " org_id=", e.OrgID)
	dst = appendExtension(dst, " principal_id=", e.PrincipalID)
	dst = appendExtension(dst, " principal_name=", e.PrincipalName)
	dst = appendExtension(dst, " actor_id=", e.ActorID)
	dst = appendKongInitiated(dst, e)
	dst = appendTraceID(dst, e)
	return appendUserAgent(dst, e)
}

func appendAccessExtensions(dst []byte, e *Event) []byte {
	dst = appendExtension(dst, " request=", e.Request)
	dst = appendExtension(dst, " act=", e.Method)
	dst = append(dst, " status="...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = appendExtension(dst, " org_id=", e.OrgID)
	dst = appendExtension(dst, " principal_id=", e.PrincipalID)
	dst = appendExtension(dst, " principal_name=", e.PrincipalName)
	dst = appendKongInitiated(dst, e)
	dst = appendUserAgent(dst, e)
	dst = appendTraceID(dst, e)
	return appendExtension(dst, " query=", e.Query)
}

// appendExtension leaves out what is empty.
func appendExtension(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendText(append(dst, key...), value, inExtension)
}

func appendKongInitiated(dst []byte, e *Event) []byte {
	if !e.KongInitiated {
		return dst
	}
	return append(dst, " kong_initiated=true"...)
}

func appendTraceID(dst []byte, e *Event) []byte {
	if e.TraceID == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, " trace_id="...), e.TraceID, 10)
}

// appendUserAgent writes the one text that stays when it is empty.
func appendUserAgent(dst []byte, e *Event) []byte {
	return appendText(append(dst, " user_agent="...), e.UserAgent, inExtension)
}
