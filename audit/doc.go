// Package audit writes, reads, signs and verifies the lines of an audit trail in the three formats of Kong Konnect's
// audit-log webhooks. It does no input or output.
//
// What follows is the reference of the format. Kong documents it in part; where its pages are silent or contradict each
// other, this is what Trailhook does, and what it promises to go on doing. docs/formats.md has it for receivers, with
// batches, and verification by other tools.
//
// # Promises
//
// Encoding is deterministic: an event has one line in each format, and, since Ed25519 is deterministic too, one signed line
// for each key. A line is therefore its own identity: a retry, a replay and the first delivery carry the same bytes.
// The bytes that this version writes for an event are written by all later ones. New fields may be added, left out
// where they are empty, so that old events keep their lines.
//
// Reading is lenient and will not become less so, with two exceptions that are there for safety: no field may be given
// twice, and a signature counts only in its one canonical place and spelling.
//
// # The three kinds
//
// An Authentication event tells of the use of a token or a password, failed uses included. An Authorization event
// tells of a permission check, granted or denied. An Access event tells of a request that creates, changes or
// deletes something. The events of one request share its trace id.
//
//	kind            class                     name                              severity
//	authentication  AUTHENTICATION_TYPE_...   AUTHENTICATION_OUTCOME_...        SUCCESS 0
//	                INVALID BASIC SSO PAT     SUCCESS NOT_FOUND                 NOT_FOUND, INVALID_PASSWORD,
//	                SPAT GOOGLE GITHUB        INVALID_PASSWORD TOKEN_EXPIRED    TOKEN_EXPIRED 1
//	                WINDOWSLIVE FEDERATED     LOCKED DISABLED INVALID           LOCKED, DISABLED 6; INVALID 7
//	authorization   the service that checked  Authz. and the resource's path    granted 1, denied 6
//	access          KongGateway               Ingress                           401 and 403 6; from 500 on 10; else 1
//
// # CEF
//
// The Common Event Format of ArcSight, version 0, in one line without a newline:
//
//	STAMP konghq.com CEF:0|KongInc|PRODUCT|1.0|CLASS|NAME|SEVERITY|EXTENSIONS
//
// STAMP is a time of RFC 3339 in UTC, to the second. PRODUCT is Konnect, or Dev-Portal for what happened in a developer
// portal. EXTENSIONS are key=value, with exactly one space between them, in this order:
//
//	authentication  rt src request success org_id portal_id principal_id principal_name trace_id user_agent sig
//	authorization   rt src action granted org_id principal_id principal_name actor_id kong_initiated trace_id user_agent sig
//	access          rt src request act status org_id principal_id principal_name kong_initiated user_agent trace_id query sig
//
//	key             type     what
//	rt              number   when it happened, milliseconds since 1970; always there
//	src             text     the client's address
//	request         text     the path
//	act             text     the HTTP method
//	status          number   the HTTP status; always there
//	query           text     the query of the URL
//	success         boolean  whether the outcome is SUCCESS; always there
//	action          text     list, retrieve, create, edit or delete
//	granted         boolean  always there
//	org_id          text     the organization
//	portal_id       text     the developer portal
//	principal_id    text     who, by id
//	principal_name  text     who, by name
//	actor_id        text     who acts in the principal's name
//	kong_initiated  boolean  left out unless it is true
//	trace_id        number   unsigned, 63 bits; left out when there is none
//	user_agent      text     stays when it is empty: user_agent=
//	sig             text     the signature
//
// A text that is empty is left out, key and all, but for user_agent.
//
// In the header "\" and "|" are escaped by a "\", and tabs and newlines, for which there is no escape, become spaces. In
// the value of an extension "\" and "=" are escaped by a "\", and CR and LF are written as "\r" and "\n"; "|" is not
// escaped. Spaces at either end of a value belong to it.
//
// # The text rule
//
// In every format, before it is escaped, text is cleaned: each byte that is not part of valid UTF-8 becomes U+FFFD, and so
// does each control character other than TAB, CR and LF (those below U+0020, U+007F to U+009F) and each of U+2028 and
// U+2029. CEF has no escape for them; some readers end a line at them, and some terminals obey them. All other text
// comes back as it was, save tabs and newlines in a CEF header. Paths, queries, user agents and names are in the hands of
// whoever makes a request: none of them can forge a field or a line.
//
// # JSON and CPS
//
// JSON is one compact object, its members sorted by name, sig last. It has the extensions of the kind by the same
// names, left out by the same rule, and for the header
//
//	cef_version     0
//	event_class_id  CLASS
//	event_product   PRODUCT
//	event_ts        STAMP
//	event_vendor    "KongInc"
//	event_version   "1.0"
//	name            NAME
//	severity        SEVERITY
//
// rt, status, severity and cef_version are numbers, granted and success are booleans; the rest are strings, trace_id,
// which many readers would round, and kong_initiated among them. Only what JSON demands is escaped: the quote and the
// backslash by a "\", TAB, CR and LF as "\t", "\r" and "\n".
//
// CPS is the same object in the envelope of Splunk's HTTP event collector: {"event":OBJECT}.
//
// # The pull API
//
// Konnect also gives events to whoever asks for them (GET /audit-logs), with other names. [AppendPull] writes such an entry
// and [DecodePull] reads it. An entry is one compact object, its members in this order:
//
//	authentication  type ts org_id? principal_id? principal_name? portal_id? product? client_ip user_agent trace_id uri
//	                authentication_type outcome successful
//	authorization   type ts org_id principal_id principal_name? actor_id? kong_initiated? portal_id? product? client_ip?
//	                user_agent? trace_id? uri? service resource action granted
//	gateway_access  type ts org_id principal_id principal_name? actor_id kong_initiated? portal_id? product? client_ip
//	                user_agent trace_id uri method query status_code
//
// Those with a question mark are left out where they are empty; the others are there always, as Konnect's description of its
// API has them. ts is RFC 3339 in UTC, with milliseconds. authentication_type and outcome are in lower case. resource is the
// line's name without Authz. successful, granted and kong_initiated are booleans, status_code is a number; the rest are
// strings, trace_id among them. principal_name, kong_initiated and product are additions of ours: product is Konnect or
// Dev-Portal, and stands only where portal_id does not say as much. Stamp has no place in an entry. The text rule holds.
//
// uri of an authorization, actor_id of an access and portal_id of both have a place here and in an [Event], but none in
// the lines above.
//
// # The signature
//
// The signature is Ed25519's (RFC 8032) over the line without it, in base64url without padding: 86 characters.
//
//	CEF   LINE sig=SIGNATURE                       signs  LINE
//	JSON  {MEMBERS,"sig":"SIGNATURE"}              signs  {MEMBERS}
//	CPS   {"event":{MEMBERS,"sig":"SIGNATURE"}}    signs  {MEMBERS}
//	pull  {MEMBERS,"signature":"SIGNATURE"}        signs  {MEMBERS}
//
// It names no key: whoever verifies tries each key of the set, which Konnect publishes as a JWKS. Verification works on
// the bytes as they came, never on what they decode to. It uses the cofactored equation, so that one line and a batch of them
// are judged alike, and refuses keys of small order.
package audit
