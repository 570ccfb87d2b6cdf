package ingest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/audit"
)

func TestTheDocumentTellsOfEventsAsTheyAre(t *testing.T) {
	op := operation()
	schemas := huma.NewMapRegistry("", huma.DefaultSchemaNamer)
	schema := op.RequestBody.Content["application/x-ndjson"].Schema
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seen := map[string]bool{}
	for _, e := range []audit.Event{
		{Kind: audit.Authentication, AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess},
		{Kind: audit.Authorization, Service: "konnect", Resource: "r", Action: "list", Granted: true},
		{Kind: audit.Access, Method: "POST", Query: "a=1", Status: 201},
	} {
		e.Time, e.Product, e.OrgID, e.PrincipalID, e.PrincipalName, e.ActorID = now, audit.ProductKonnect, "o", "p", "n", "a"
		e.KongInitiated, e.PortalID, e.Source, e.UserAgent, e.TraceID, e.Request = true, "portal", "192.0.2.7", "browser/1", 5, "/x"
		line := audit.AppendPull(nil, &e)
		if _, err := audit.DecodePull(line); err != nil {
			t.Fatal(err)
		}
		var value map[string]any
		if err := json.Unmarshal(line, &value); err != nil {
			t.Fatal(err)
		}
		for name := range value {
			seen[name] = true
		}
		var result huma.ValidateResult
		huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &result)
		for _, err := range result.Errors {
			t.Errorf("%s: %v", line, err)
		}
	}
	for name := range schema.Properties {
		if !seen[name] && name != "signature" {
			t.Errorf("the document tells of %s, which no event has", name)
		}
	}
}
