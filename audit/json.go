package audit

import "strconv"

// appendJSON writes the members of all kinds in the order of their names, so that one function shows that they are
// sorted.
func appendJSON(dst []byte, e *Event) []byte {
	authentication, authorization, access := e.Kind == Authentication, e.Kind == Authorization, e.Kind == Access
	dst = append(dst, '{')
	if access {
		dst = appendMember(dst, `"act":"`, e.Method)
	}
	if authorization {
		dst = appendMember(dst, `"action":"`, e.Action)
		dst = appendMember(dst, `"actor_id":"`, e.ActorID)
	}
	dst = appendJSONHeader(dst, e)
	if authorization {
		dst = append(dst, `,"granted":`...)
		dst = strconv.AppendBool(dst, e.Granted)
	}
	if e.KongInitiated && !authentication {
		dst = append(dst, `,"kong_initiated":"true"`...)
	}
	dst = appendJSONName(dst, e)
	dst = appendFollowing(dst, `,"org_id":"`, e.OrgID)
	if authentication {
		dst = appendFollowing(dst, `,"portal_id":"`, e.PortalID)
	}
	dst = appendFollowing(dst, `,"principal_id":"`, e.PrincipalID)
	dst = appendFollowing(dst, `,"principal_name":"`, e.PrincipalName)
	if access {
		dst = appendFollowing(dst, `,"query":"`, e.Query)
	}
	if !authorization {
		dst = appendFollowing(dst, `,"request":"`, e.Request)
	}
	dst = append(dst, `,"rt":`...)
	dst = strconv.AppendInt(dst, e.Time.UnixMilli(), 10)
	dst = append(dst, `,"severity":`...)
	dst = strconv.AppendInt(dst, int64(e.Severity()), 10)
	dst = appendFollowing(dst, `,"src":"`, e.Source)
	if access {
		dst = append(dst, `,"status":`...)
		dst = strconv.AppendInt(dst, int64(e.Status), 10)
	}
	if authentication {
		dst = append(dst, `,"success":`...)
		dst = strconv.AppendBool(dst, e.Success())
	}
	if e.TraceID != 0 {
		dst = append(dst, `,"trace_id":"`...)
		dst = strconv.AppendUint(dst, e.TraceID, 10)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"user_agent":"`...)
	dst = appendText(dst, e.UserAgent, inJSON)
	return append(dst, `"}`...)
}

// appendJSONHeader writes what stands in a CEF header before the name.
func appendJSONHeader(dst []byte, e *Event) []byte {
	dst = append(dst, `"cef_version":0,"event_class_id":"`...)
	prefix, rest := e.class()
	dst = append(dst, prefix...)
	dst = appendText(dst, rest, inJSON)
	dst = append(dst, `","event_product":"`...)
	dst = appendText(dst, e.productOrDefault(), inJSON)
	dst = append(dst, `","event_ts":"`...)
	dst = appendStamp(dst, e)
	return append(dst, `","event_vendor":"`+vendor+`","event_version":"`+deviceVersion+`"`...)
}

func appendJSONName(dst []byte, e *Event) []byte {
	dst = append(dst, `,"name":"`...)
	prefix, rest := e.name()
	dst = append(dst, prefix...)
	dst = appendText(dst, rest, inJSON)
	return append(dst, '"')
}

// appendMember writes a member that others follow, appendFollowing one that follows others.
// Both leave out what is empty, and want the name with the quote that opens the value.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return append(appendFollowing(dst, name, value), ',')
}

func appendFollowing(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	dst = appendText(dst, value, inJSON)
	return append(dst, '"')
}
