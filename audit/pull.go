package audit

import (
	"strconv"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// The names that the kinds have in the pull API.
const (
	pulledAuthentication = "authentication"
	pulledAuthorization  = "authorization"
	pulledAccess         = "gateway_access"
)

// pulledTime is RFC 3339 with milliseconds.
const pulledTime = "2006-01-02T15:04:05.000Z07:00"

// AppendPull appends e as Konnect's pull API (GET /audit-logs) writes an entry, without a signature. It never fails, and
// the same event gives the same bytes, always and everywhere: see the package's comment.
func AppendPull(dst []byte, e *Event) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, pulledType(e.Kind)...)
	dst = append(dst, `","ts":"`...)
	dst = e.Time.UTC().AppendFormat(dst, pulledTime)
	dst = append(dst, '"')
	dst = appendPulledIdentity(dst, e)
	dst = appendPulledRequest(dst, e)
	switch e.Kind {
	case Authentication:
		dst = append(dst, `,"authentication_type":"`...)
		dst = appendLower(dst, string(e.AuthType))
		dst = append(dst, `","outcome":"`...)
		dst = appendLower(dst, string(e.Outcome))
		dst = strconv.AppendBool(append(dst, `","successful":`...), e.Success())
	case Authorization:
		dst = appendAlways(dst, `,"service":"`, e.Service)
		dst = appendAlways(dst, `,"resource":"`, e.Resource)
		dst = appendAlways(dst, `,"action":"`, e.Action)
		dst = strconv.AppendBool(append(dst, `,"granted":`...), e.Granted)
	case Access:
		dst = appendAlways(dst, `,"method":"`, e.Method)
		dst = appendAlways(dst, `,"query":"`, e.Query)
		dst = strconv.AppendInt(append(dst, `,"status_code":`...), int64(e.Status), 10)
	}
	return append(dst, '}')
}

// AppendPull appends e as the package's AppendPull does, with its signature as the last member.
func (s *Signer) AppendPull(dst []byte, e *Event) []byte {
	start := len(dst)
	dst = AppendPull(dst, e)
	signature := voi.Sign(s.key, dst[start:])
	dst = append(dst[:len(dst)-len(objectEnd)], `,"signature":"`...)
	return append(appendSignature(dst, signature), signatureMemberEnd...)
}

// appendPulledIdentity writes who did it.
func appendPulledIdentity(dst []byte, e *Event) []byte {
	if e.Kind == Authentication { // who is not known may fail to authenticate
		dst = appendFollowing(dst, `,"org_id":"`, e.OrgID)
		dst = appendFollowing(dst, `,"principal_id":"`, e.PrincipalID)
	} else {
		dst = appendAlways(dst, `,"org_id":"`, e.OrgID)
		dst = appendAlways(dst, `,"principal_id":"`, e.PrincipalID)
	}
	dst = appendFollowing(dst, `,"principal_name":"`, e.PrincipalName)
	switch e.Kind {
	case Authorization:
		dst = appendFollowing(dst, `,"actor_id":"`, e.ActorID)
	case Access:
		dst = appendAlways(dst, `,"actor_id":"`, e.ActorID)
	}
	if e.KongInitiated && e.Kind != Authentication {
		dst = append(dst, `,"kong_initiated":true`...)
	}
	dst = appendFollowing(dst, `,"portal_id":"`, e.PortalID)
	if product := e.productOrDefault(); product != impliedProduct(e.PortalID) {
		dst = appendAlways(dst, `,"product":"`, product)
	}
	return dst
}

// appendPulledRequest writes what is known of the request.
func appendPulledRequest(dst []byte, e *Event) []byte {
	write := appendAlways
	if e.Kind == Authorization {
		write = appendFollowing
	}
	dst = write(dst, `,"client_ip":"`, e.Source)
	dst = write(dst, `,"user_agent":"`, e.UserAgent)
	if e.TraceID != 0 {
		dst = strconv.AppendUint(append(dst, `,"trace_id":"`...), e.TraceID, 10)
		dst = append(dst, '"')
	} else {
		dst = write(dst, `,"trace_id":"`, "")
	}
	return write(dst, `,"uri":"`, e.Request)
}

func pulledType(k Kind) string {
	switch k {
	case Authentication:
		return pulledAuthentication
	case Authorization:
		return pulledAuthorization
	case Access:
		return pulledAccess
	default:
		return ""
	}
}

// impliedProduct: in a portal happens what concerns a portal.
func impliedProduct(portalID string) string {
	if portalID != "" {
		return ProductDevPortal
	}
	return ProductKonnect
}

// appendAlways writes a member that others precede, even where it is empty: the API promises that it is there.
func appendAlways(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = appendText(dst, value, inJSON)
	return append(dst, '"')
}

// appendLower writes a type or an outcome: the pull API has them in lower case.
func appendLower(dst []byte, s string) []byte {
	start := len(dst)
	dst = appendText(dst, s, inJSON)
	for i, c := range dst[start:] {
		dst[start+i] = lower(c)
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
