package konnect

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// auditLogEntry is an entry as it was signed: these very bytes are sent.
type auditLogEntry struct{ json.RawMessage }

// Schema implements [huma.SchemaProvider].
func (auditLogEntry) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[authorizationEntry](), true, "AuthorizationEntry"),
		r.Schema(reflect.TypeFor[accessEntry](), true, "AccessEntry"),
		r.Schema(reflect.TypeFor[authenticationEntry](), true, "AuthenticationEntry"),
	}}
}

// The entries as [audit.Signer.AppendPull] writes them: these types describe
// them, and nothing is ever made of them.
type (
	authorizationEntry struct {
		Type          string    `json:"type" enum:"authorization"`
		Time          time.Time `json:"ts"`
		OrgID         string    `json:"org_id"`
		PrincipalID   string    `json:"principal_id"`
		PrincipalName string    `json:"principal_name,omitempty" doc:"Ours."`
		ActorID       string    `json:"actor_id,omitempty"`
		KongInitiated bool      `json:"kong_initiated,omitempty" doc:"Ours."`
		PortalID      string    `json:"portal_id,omitempty"`
		Product       string    `json:"product,omitempty" enum:"Konnect,Dev-Portal" doc:"Ours."`
		ClientIP      string    `json:"client_ip,omitempty"`
		UserAgent     string    `json:"user_agent,omitempty"`
		TraceID       string    `json:"trace_id,omitempty"`
		URI           string    `json:"uri,omitempty"`
		Service       string    `json:"service"`
		Resource      string    `json:"resource"`
		Action        string    `json:"action"`
		Granted       bool      `json:"granted"`
		Signature     string    `json:"signature" doc:"Ed25519 over the entry without this member and the comma before it, in base64url."`
	}
	accessEntry struct {
		Type          string    `json:"type" enum:"gateway_access"`
		Time          time.Time `json:"ts"`
		OrgID         string    `json:"org_id"`
		PrincipalID   string    `json:"principal_id"`
		PrincipalName string    `json:"principal_name,omitempty" doc:"Ours."`
		ActorID       string    `json:"actor_id"`
		KongInitiated bool      `json:"kong_initiated,omitempty" doc:"Ours."`
		PortalID      string    `json:"portal_id,omitempty"`
		Product       string    `json:"product,omitempty" enum:"Konnect,Dev-Portal" doc:"Ours."`
		ClientIP      string    `json:"client_ip"`
		UserAgent     string    `json:"user_agent"`
		TraceID       string    `json:"trace_id"`
		URI           string    `json:"uri"`
		Method        string    `json:"method"`
		Query         string    `json:"query"`
		StatusCode    int       `json:"status_code"`
		Signature     string    `json:"signature" doc:"Ed25519 over the entry without this member and the comma before it, in base64url."`
	}
	authenticationEntry struct {
		Type               string    `json:"type" enum:"authentication"`
		Time               time.Time `json:"ts"`
		OrgID              string    `json:"org_id,omitempty"`
		PrincipalID        string    `json:"principal_id,omitempty"`
		PrincipalName      string    `json:"principal_name,omitempty" doc:"Ours."`
		PortalID           string    `json:"portal_id,omitempty"`
		Product            string    `json:"product,omitempty" enum:"Konnect,Dev-Portal" doc:"Ours."`
		ClientIP           string    `json:"client_ip"`
		UserAgent          string    `json:"user_agent"`
		TraceID            string    `json:"trace_id"`
		URI                string    `json:"uri"`
		AuthenticationType string    `json:"authentication_type" enum:"invalid,basic,sso,pat,spat,google,github,windowslive,federated"`
		Outcome            string    `json:"outcome" enum:"invalid,success,not_found,invalid_password,locked,disabled,token_expired"`
		Successful         bool      `json:"successful"`
		Signature          string    `json:"signature" doc:"Ed25519 over the entry without this member and the comma before it, in base64url."`
	}
)
