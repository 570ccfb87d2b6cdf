package console

import (
	"encoding/json"
	"testing"
)

func TestOnlyAnAdminOfTheRegionMayEditTheSetup(t *testing.T) {
	for answer, want := range map[string]bool{
		`{"region": "us", "roles": []}`: false,
		`{"region": "us", "roles": [{"role_name": "Viewer", "entity_type_name": "Audit Logs", "entity_region": "*"}]}`:    false,
		`{"region": "us", "roles": [{"role_name": "Admin", "entity_type_name": "Control Planes", "entity_region": "*"}]}`: false,
		`{"region": "us", "roles": [{"role_name": "Admin", "entity_type_name": "Audit Logs", "entity_region": "eu"}]}`:    false,
		`{"region": "us", "roles": [{"role_name": "Admin", "entity_type_name": "Audit Logs", "entity_region": "us"}]}`:    true,
		`{"region": "us", "roles": [{"role_name": "Admin", "entity_type_name": "Organizations", "entity_region": "*"}]}`:  true,
	} {
		c := caller{Known: true}
		if err := json.Unmarshal([]byte(answer), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.mayEditAuditLogs(); got != want {
			t.Errorf("%s: %v", answer, got)
		}
	}
	if !(caller{}).mayEditAuditLogs() {
		t.Error("an API that does not tell roles has the page offer nothing")
	}
}

func TestTheAddressOfAPageHoldsItsScope(t *testing.T) {
	for want, s := range map[string]scope{
		"/audit-logs":                        {},
		"/audit-logs?region=eu":              {Region: "eu"},
		"/audit-logs?portal=a%2Fb&region=eu": {Region: "eu", Portal: "a/b"},
	} {
		if got := s.at("/audit-logs", "over", ""); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (scope{Portal: "a/../b"}).own("set-aside", "1"); got != "/trailhook/v1/portals/a%2F..%2Fb/set-aside/1" {
		t.Errorf("a portal's id gets out of its place: %s", got)
	}
}
