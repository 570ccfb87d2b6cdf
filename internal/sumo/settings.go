package sumo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
)

// settings are Trailhook's own, under "trailhook" in a source.
type settings struct {
	RequireAccessKey   bool        `json:"requireAccessKey"`
	JWKS               *jwks       `json:"jwks,omitempty"` // absent: the server's default
	SignaturePolicy    string      `json:"signaturePolicy"`
	QuarantineUnsigned bool        `json:"quarantineUnsigned"`
	RetentionDays      int         `json:"retentionDays"`
	Forwarding         *forwarding `json:"forwarding,omitempty"` // absent: nothing is forwarded
	Syslog             *syslog     `json:"syslog,omitempty"`     // absent: it takes no syslog
}

// syslog is whose messages a source takes: those that come to the port, from the
// networks; of both, what is absent is any.
type syslog struct {
	Port     uint16         `json:"port,omitempty"`
	Networks []netip.Prefix `json:"networks,omitempty"`
}

// jwks is one of both: where a key set is, or the set itself.
type jwks struct {
	URL  string          `json:"url,omitempty"`
	Keys json.RawMessage `json:"keys,omitempty"`
}

// The signature policies.
const (
	policyKeep       = "keep"       // lines are kept together, marked with the verdict
	policyQuarantine = "quarantine" // lines that do not verify are set apart
)

// forwarding is where a source's lines are sent on to, and in answers how that
// stands: what a client sends of the latter changes nothing.
type forwarding struct {
	Endpoint            string  `json:"endpoint"`
	Authorization       *string `json:"authorization,omitempty"` // never in answers
	SkipSSLVerification bool    `json:"skipSslVerification"`

	HasAuthorization bool       `json:"hasAuthorization"`
	Status           string     `json:"status"`
	LastError        string     `json:"lastError,omitempty"`
	LastAttemptAt    *time.Time `json:"lastAttemptAt,omitempty"`
	Forwarded        uint64     `json:"forwarded"`
	Cursor           int64      `json:"cursor"`
	Behind           bool       `json:"behind"`
}

// readSettings reads the settings into s, which takes the place of stored. Unlike
// the rest of a source they are ours alone: what is not known is a mistake, and
// a client of Sumo Logic's that sends none of them leaves them as they are.
func (a *API) readSettings(ctx context.Context, text json.RawMessage, stored collector.Source, s *collector.Source) error {
	if text == nil {
		s.RequireAccessKey, s.JWKSURL, s.JWKS = stored.RequireAccessKey, stored.JWKSURL, stored.JWKS
		s.Quarantine, s.RetentionDays, s.Forwarding = stored.Quarantine, stored.RetentionDays, stored.Forwarding
		s.Syslog = stored.Syslog
		return nil
	}
	var own settings
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&own); err != nil {
		return badRequest("trailhook: %v", err)
	}
	s.RequireAccessKey, s.RetentionDays = own.RequireAccessKey, own.RetentionDays
	if err := readPolicy(own, s); err != nil {
		return err
	}
	if own.JWKS != nil {
		if err := a.readJWKS(*own.JWKS, s); err != nil {
			return err
		}
	}
	if own.Syslog != nil {
		s.Syslog = &collector.SyslogFrom{Port: own.Syslog.Port, Networks: own.Syslog.Networks}
	}
	if own.Forwarding == nil {
		return nil
	}
	var err error
	s.Forwarding, err = a.forwarder.Prepare(ctx, stored.Forwarding, collector.ForwardingSetting{
		Endpoint: own.Forwarding.Endpoint, Authorization: own.Forwarding.Authorization, SkipTLSVerify: own.Forwarding.SkipSSLVerification,
	})
	return err
}

func readPolicy(own settings, s *collector.Source) error {
	switch cmp.Or(own.SignaturePolicy, policyKeep) {
	case policyKeep:
		if own.QuarantineUnsigned {
			return badRequest("trailhook.quarantineUnsigned goes with signaturePolicy %q only", policyQuarantine)
		}
	case policyQuarantine:
		s.Quarantine = collector.Quarantine{Unverified: true, Unsigned: own.QuarantineUnsigned}
	default:
		return badRequest("trailhook.signaturePolicy must be %s or %s", policyKeep, policyQuarantine)
	}
	return nil
}

func (a *API) readJWKS(given jwks, s *collector.Source) error {
	switch {
	case (given.URL == "") == (given.Keys == nil):
		return badRequest(`trailhook.jwks must be {"url": "https://…"} or a key set, {"keys": […]}`)
	case given.URL != "":
		if err := outbound.ValidateURL(given.URL, a.allowHTTPKeys); err != nil {
			return badRequest("trailhook.jwks.url %v", err)
		}
		s.JWKSURL = given.URL
		return nil
	}
	document, err := json.Marshal(given)
	if err == nil {
		s.JWKS, err = collector.ParseJWKS(document)
	}
	if err != nil {
		return badRequest("trailhook.jwks: %v", err)
	}
	return nil
}

// showSettings shows a source's settings. Endpoints may hold access codes in
// their paths: who may only look sees their hosts.
func (a *API) showSettings(s collector.Source, manages bool) settings {
	shown := settings{
		RequireAccessKey: s.RequireAccessKey, RetentionDays: s.RetentionDays,
		SignaturePolicy: policyKeep, QuarantineUnsigned: s.Quarantine.Unsigned,
	}
	if s.Quarantine.Unverified {
		shown.SignaturePolicy = policyQuarantine
	}
	switch {
	case s.JWKS != nil:
		shown.JWKS = &jwks{}
		json.Unmarshal(s.JWKS, shown.JWKS) // it was made by collector.ParseJWKS
	case s.JWKSURL != "":
		shown.JWKS = &jwks{URL: s.JWKSURL}
	}
	if s.Syslog != nil {
		shown.Syslog = &syslog{s.Syslog.Port, s.Syslog.Networks}
	}
	if s.Forwarding != nil {
		shown.Forwarding = a.showForwarding(s, manages)
	}
	return shown
}

func (a *API) showForwarding(s collector.Source, manages bool) *forwarding {
	status := a.forwarder.Status(s)
	shown := &forwarding{
		Endpoint: s.Forwarding.Endpoint, SkipSSLVerification: s.Forwarding.SkipTLSVerify, HasAuthorization: s.Forwarding.HasAuthorization(),
		Status: status.Status, LastError: status.LastError, Forwarded: status.Forwarded, Cursor: status.Cursor, Behind: status.Behind,
	}
	if !status.LastAttemptAt.IsZero() {
		shown.LastAttemptAt = &status.LastAttemptAt
	}
	if !manages {
		shown.Endpoint = hostOnly(shown.Endpoint)
	}
	return shown
}
