package ingest

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/registry"
)

// Mount puts the endpoint on the API.
func (h *Handler) Mount(api *konnect.API) {
	api.Mount(operation(), registry.Create, Resource, h)
}

// entry is an event as the OpenAPI document tells of it. What is read and
// refused is [audit.DecodePull]'s affair; a test holds the two together.
type entry struct {
	Type          string `json:"type" enum:"authentication,authorization,gateway_access"`
	Time          string `json:"ts" format:"date-time"`
	OrgID         string `json:"org_id,omitempty" doc:"The caller's own organization, which is also what it stands for when it is left out."`
	PrincipalID   string `json:"principal_id,omitempty"`
	PrincipalName string `json:"principal_name,omitempty"`
	ActorID       string `json:"actor_id,omitempty"`
	KongInitiated bool   `json:"kong_initiated,omitempty"`
	PortalID      string `json:"portal_id,omitempty"`
	Product       string `json:"product,omitempty"`
	ClientIP      string `json:"client_ip,omitempty"`
	UserAgent     string `json:"user_agent,omitempty"`
	TraceID       string `json:"trace_id,omitempty" doc:"An unsigned decimal number of 63 bits."`
	URI           string `json:"uri,omitempty"`

	AuthType   string `json:"authentication_type,omitempty" doc:"Of an authentication."`
	Outcome    string `json:"outcome,omitempty" doc:"Of an authentication."`
	Successful bool   `json:"successful,omitempty" doc:"Of an authentication."`

	Service  string `json:"service,omitempty" doc:"Of an authorization: who checked."`
	Resource string `json:"resource,omitempty" doc:"Of an authorization."`
	Action   string `json:"action,omitempty" doc:"Of an authorization."`
	Granted  bool   `json:"granted,omitempty" doc:"Of an authorization."`

	Method     string `json:"method,omitempty" doc:"Of an access."`
	Query      string `json:"query,omitempty" doc:"Of an access."`
	StatusCode int    `json:"status_code,omitempty" minimum:"100" maximum:"999" doc:"Of an access."`

	Signature string `json:"signature,omitempty" doc:"Of an event that was pulled; it is not looked at."`
}

// operation describes the endpoint.
func operation() huma.Operation {
	schemas := huma.NewMapRegistry("", huma.DefaultSchemaNamer)
	type taken struct {
		Recorded int `json:"recorded" doc:"How many events are on disk."`
	}
	event := schemas.Schema(reflect.TypeFor[entry](), false, "")
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return huma.Operation{
		OperationID: "record-audit-events", Method: http.MethodPost, Path: Path, Tags: []string{"Audit events"},
		Summary:     "Record events of your own services",
		Description: "A body is recorded whole or not at all. It has at most 5 MiB, as sent and decompressed.",
		Parameters: []*huma.Param{
			header("Idempotency-Key", "Makes it safe to send the same body again within 24 hours: 1 to 255 visible ASCII characters."),
			header("Content-Encoding", "gzip or identity."),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json":     {Schema: &huma.Schema{Type: huma.TypeArray, Items: event}},
			"application/x-ndjson": {Schema: event},
		}},
		Responses: map[string]*huma.Response{
			"201": {
				Description: "All events are on disk.",
				Headers: map[string]*huma.Header{"Idempotent-Replay": {
					Description: "true where an earlier request with the same key recorded them.", Schema: &huma.Schema{Type: huma.TypeString},
				}},
				Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[taken](), false, "")}},
			},
			"413": {}, "415": {}, // the API's words
		},
	}
}
