package konnect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

var (
	userShape = shape{
		"id": "uuid", "email": "string", "full_name": "string", "preferred_name": "string", "active": "boolean",
		"created_at": "date-time", "updated_at": "date-time",
	}
	organizationShape = shape{
		"id": "uuid", "name": "string", "owner_id": "uuid", "login_path": "string",
		"created_at": "date-time", "updated_at": "date-time", "state": "string", "retention_period_days": "integer",
	}
	tokenShape = shape{
		"id": "uuid", "user_id": "uuid", "name": "string", "state": "string", "revoked_by": "null", "created_at": "date-time",
		"updated_at": "date-time", "last_used_at": "null", "expires_at": "date-time", "revoked_at": "null",
	}
	systemAccountShape = shape{
		"id": "uuid", "name": "string", "description": "string", "created_at": "date-time", "updated_at": "date-time",
	}
	systemTokenShape = shape{
		"id": "uuid", "name": "string", "created_at": "date-time", "updated_at": "date-time", "expires_at": "date-time",
	}
	assignedRoleShape = shape{
		"id": "uuid", "role_name": "string", "entity_id": "string", "entity_type_name": "string", "entity_region": "string",
	}
	roleGroupShape = func(roles ...string) shape {
		group := shape{"name": "string", "roles": shape{}}
		for _, role := range roles {
			group["roles"].(shape)[role] = shape{"name": "string", "description": "string"}
		}
		return group
	}
	numberedShape = shape{"page": shape{"number": "integer", "size": "integer", "total": "integer"}}
)

// with is the shape with some properties of another kind, or more of them.
func (s shape) with(more shape) shape {
	all := shape{}
	for _, properties := range []shape{s, more} {
		for name, kind := range properties {
			all[name] = kind
		}
	}
	return all
}

// tomorrow is a time for a token to end at.
func tomorrow() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339Nano) }

const viewerOfAuditLogs = `{"role_name":"Viewer","entity_id":"*","entity_type_name":"Audit Logs","entity_region":"*"}`

// do makes a call that must be answered with the status, and reads the answer
// into what is given, unless that is nil.
func (w *world) do(token, method, target, body string, status int, into any) answered {
	w.tb.Helper()
	a := w.call(request{method: method, target: target, token: token, body: body})
	if a.status != status {
		w.tb.Fatalf("%s %s %s: status %d, want %d: %s", method, target, body, a.status, status, a.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			w.tb.Fatalf("%s %s: %v", method, target, err)
		}
	}
	return a
}

type made struct {
	ID    string
	Token string
	PAT   string `json:"konnect_token"`
}

// newUser makes a user without roles, over the API, and a token of theirs.
func (w *world) newUser(o organization, email string) (id, token string) {
	w.tb.Helper()
	var user, pat made
	w.do(o.admin(), "POST", "/trailhook/v1/users", `{"email":"`+email+`","full_name":"Some One"}`, 201, &user)
	w.do(o.admin(), "POST", "/v3/users/"+user.ID+"/access-tokens", `{"name":"first","ttl_seconds":3600}`, 201, &pat)
	return user.ID, pat.PAT
}

func (w *world) newSystemAccount(o organization, name string) string {
	w.tb.Helper()
	var account made
	w.do(o.admin(), "POST", "/v3/system-accounts", `{"name":"`+name+`","description":"d"}`, 201, &account)
	return account.ID
}

func TestAnswersAboutIdentityHaveTheShapesOfKonnects(t *testing.T) {
	w := newWorld(t)
	user, _ := w.newUser(w.ours, "one@example.com")
	account := w.newSystemAccount(w.ours, "robot")
	users, accounts := "/v3/users/"+user, "/v3/system-accounts/"+account
	var pat, spat, role made
	w.do(w.ours.admin(), "POST", users+"/access-tokens", `{"name":"pat","ttl_seconds":60}`, 201, &pat)
	w.do(w.ours.admin(), "POST", accounts+"/access-tokens", `{"name":"spat","expires_at":"`+tomorrow()+`"}`, 201, &spat)
	w.do(w.ours.admin(), "POST", users+"/assigned-roles", viewerOfAuditLogs, 201, &role)
	flat := shape{"number": "integer", "size": "integer", "total": "integer"}
	for _, test := range []struct {
		method, target, body string
		status               int
		shape                any // nil: no body
	}{
		{"GET", "/v3/organizations/me", "", 200, organizationShape},
		{"GET", "/v2/organizations/me", "", 200, organizationShape},
		{"GET", "/v3/available-regions", "", 200, shape{"regions": shape{"stable": []any{"string"}, "stable_opt_in": "list", "beta": "list"}}},
		{"GET", "/v3/teams?page[number]=1&page[size]=10", "", 200, shape{"data": "list", "meta": numberedShape}},
		{"GET", "/v3/users/me", "", 200, userShape.with(shape{"inferred_region": "string"})},
		{"GET", "/v3/users", "", 200, shape{"data": []any{userShape}, "meta": numberedShape}},
		{"GET", users, "", 200, userShape},
		{"PATCH", users, `{"preferred_name":"Uno"}`, 200, userShape},
		{"POST", "/trailhook/v1/users", `{"email":"two@example.com","full_name":"Two"}`, 201, userShape},
		{"GET", users + "/access-tokens/" + pat.ID, "", 200, tokenShape},
		{"POST", users + "/access-tokens", `{"name":"more","expires_at":"` + tomorrow() + `"}`, 201, tokenShape.with(shape{"konnect_token": "string"})},
		{"PATCH", users + "/access-tokens/" + pat.ID, `{"name":"renamed"}`, 200, tokenShape},
		{"PATCH", users + "/access-tokens/" + pat.ID, `{}`, 200, tokenShape},
		{"GET", users + "/access-tokens", "", 200, shape{"data": []any{tokenShape}, "meta": flat}},
		{"PATCH", users + "/access-tokens/" + pat.ID + "/revoke", "", 200, tokenShape.with(shape{"revoked_by": "uuid", "revoked_at": "date-time"})},
		{"DELETE", users + "/access-tokens/" + pat.ID, "", 204, nil},
		{"GET", users + "/assigned-roles", "", 200, shape{"data": []any{assignedRoleShape}, "meta": numberedShape}},
		{"GET", users + "/assigned-roles/" + role.ID, "", 200, assignedRoleShape},
		{"POST", accounts + "/assigned-roles", viewerOfAuditLogs, 201, assignedRoleShape},
		{"GET", accounts + "/assigned-roles", "", 200, shape{"data": []any{assignedRoleShape}, "meta": numberedShape}},
		{"DELETE", users + "/assigned-roles/" + role.ID, "", 204, nil},
		{"GET", "/v3/roles", "", 200, shape{
			"organizations": roleGroupShape("admin"), "audit_logs": roleGroupShape("admin", "viewer"),
			"audit_events": roleGroupShape("writer"), "control_planes": roleGroupShape("admin", "viewer"),
		}},
		{"GET", "/v3/system-accounts", "", 200, shape{"data": []any{systemAccountShape}, "meta": numberedShape}},
		{"POST", "/v3/system-accounts", `{"name":"n","description":"","konnect_managed":null}`, 201, systemAccountShape},
		{"POST", "/v3/system-accounts", `{"name":"m","description":"","konnect_managed":false}`, 201, systemAccountShape.with(shape{"konnect_managed": "boolean"})},
		{"GET", accounts, "", 200, systemAccountShape},
		{"PATCH", accounts, `{"description":"new"}`, 200, systemAccountShape},
		{"GET", accounts + "/access-tokens", "", 200, shape{"data": []any{systemTokenShape}, "meta": numberedShape}},
		{"POST", accounts + "/access-tokens", `{"name":"x","expires_at":"` + tomorrow() + `"}`, 201, systemTokenShape.with(shape{"token": "string"})},
		{"GET", accounts + "/access-tokens/" + spat.ID, "", 200, systemTokenShape},
		{"PATCH", accounts + "/access-tokens/" + spat.ID, `{"name":"y"}`, 200, systemTokenShape},
		{"DELETE", accounts + "/access-tokens/" + spat.ID, "", 204, nil},
		{"DELETE", accounts, "", 204, nil},
		{"DELETE", users, "", 204, nil},
	} {
		a := w.do(w.ours.admin(), test.method, test.target, test.body, test.status, nil)
		if test.shape == nil {
			if a.body != "" {
				t.Errorf("%s %s: a body: %s", test.method, test.target, a.body)
			}
			continue
		}
		var got any
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Errorf("%s %s: %v", test.method, test.target, err)
		}
		if m := misfit("the answer", test.shape, got); m != "" {
			t.Errorf("%s %s: %s", test.method, test.target, m)
		}
	}
}

// identityEndpoints are those of identity, each with a request that nobody's
// permission keeps from failing: none changes anything. X stands for an id.
var identityEndpoints = []struct {
	method, target, body string
	action, resource     string
	status               int
}{
	{"GET", "/v3/users", "", "list", "users", 200},
	{"POST", "/trailhook/v1/users", `{}`, "create", "users", 400},
	{"GET", "/v3/users/X", "", "retrieve", "users/X", 404},
	{"PATCH", "/v3/users/X", `{}`, "edit", "users/X", 404},
	{"DELETE", "/v3/users/X", "", "delete", "users/X", 404},
	{"GET", "/v3/users/X/access-tokens", "", "list", "users/X/access-tokens", 404},
	{"POST", "/v3/users/X/access-tokens", `{"name":"name","ttl_seconds":60}`, "create", "users/X/access-tokens", 404},
	{"GET", "/v3/users/X/access-tokens/X", "", "retrieve", "users/X/access-tokens/X", 404},
	{"PATCH", "/v3/users/X/access-tokens/X", `{"name":"name"}`, "edit", "users/X/access-tokens/X", 404},
	{"PATCH", "/v3/users/X/access-tokens/X/revoke", "", "edit", "users/X/access-tokens/X", 404},
	{"DELETE", "/v3/users/X/access-tokens/X", "", "delete", "users/X/access-tokens/X", 404},
	{"GET", "/v3/users/X/assigned-roles", "", "list", "users/X/assigned-roles", 404},
	{"POST", "/v3/users/X/assigned-roles", viewerOfAuditLogs, "create", "users/X/assigned-roles", 404},
	{"GET", "/v3/users/X/assigned-roles/X", "", "retrieve", "users/X/assigned-roles/X", 404},
	{"DELETE", "/v3/users/X/assigned-roles/X", "", "delete", "users/X/assigned-roles/X", 404},
	{"GET", "/v3/system-accounts", "", "list", "system-accounts", 200},
	{"POST", "/v3/system-accounts", `{}`, "create", "system-accounts", 400},
	{"GET", "/v3/system-accounts/X", "", "retrieve", "system-accounts/X", 404},
	{"PATCH", "/v3/system-accounts/X", `{"name":"n"}`, "edit", "system-accounts/X", 404},
	{"DELETE", "/v3/system-accounts/X", "", "delete", "system-accounts/X", 404},
	{"GET", "/v3/system-accounts/X/access-tokens", "", "list", "system-accounts/X/access-tokens", 404},
	{"POST", "/v3/system-accounts/X/access-tokens", `{"name":"n","expires_at":"2999-01-01T00:00:00Z"}`, "create", "system-accounts/X/access-tokens", 404},
	{"GET", "/v3/system-accounts/X/access-tokens/X", "", "retrieve", "system-accounts/X/access-tokens/X", 404},
	{"PATCH", "/v3/system-accounts/X/access-tokens/X", `{"name":"n"}`, "edit", "system-accounts/X/access-tokens/X", 404},
	{"DELETE", "/v3/system-accounts/X/access-tokens/X", "", "delete", "system-accounts/X/access-tokens/X", 404},
	{"GET", "/v3/system-accounts/X/assigned-roles", "", "list", "system-accounts/X/assigned-roles", 404},
	{"POST", "/v3/system-accounts/X/assigned-roles", viewerOfAuditLogs, "create", "system-accounts/X/assigned-roles", 404},
	{"GET", "/v3/system-accounts/X/assigned-roles/X", "", "retrieve", "system-accounts/X/assigned-roles/X", 404},
	{"DELETE", "/v3/system-accounts/X/assigned-roles/X", "", "delete", "system-accounts/X/assigned-roles/X", 404},
	{"GET", "/v3/teams", "", "list", "teams", 200},
	// These need no role.
	{"GET", "/v3/roles", "", "list", "roles", 200},
	{"GET", "/v3/users/me", "", "retrieve", "users/me", 200},
	{"GET", "/trailhook/v1/me", "", "retrieve", "me", 200},
	{"GET", "/v3/organizations/me", "", "retrieve", "organization", 200},
	{"GET", "/v2/organizations/me", "", "retrieve", "organization", 200},
}

func TestOnlyAnAdminManagesIdentityAndEverybodySeesThemselves(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]string{"nobody": w.ours.nobody}
	for role, token := range w.ours.tokens {
		tokens[string(role)] = token
	}
	own := []string{"roles", "users/me", "me", "organization"}
	for who, token := range tokens {
		for _, e := range identityEndpoints {
			granted := who == string(registry.OrganizationAdmin)
			for _, resource := range own {
				granted = granted || e.resource == resource
			}
			q := request{method: e.method, target: strings.ReplaceAll(e.target, "X", unused), token: token, body: e.body}
			a := w.call(q)
			want := http.StatusForbidden
			if granted {
				want = e.status
			}
			if a.status != want {
				t.Errorf("%s: %s: status %d, want %d: %s", who, q, a.status, want, a.body)
			}
			events := 2
			if changes(e.method) {
				events = 3
			}
			if len(a.events) != events || a.events[0].Outcome != audit.OutcomeSuccess {
				t.Fatalf("%s: %s: events %+v", who, q, a.events)
			}
			check := a.events[1]
			if check.Kind != audit.Authorization || check.Granted != granted || check.Action != e.action ||
				check.Resource != strings.ReplaceAll(e.resource, "X", unused) {
				t.Errorf("%s: %s: the permission check was recorded as %+v", who, q, check.Event)
			}
		}
	}
	for _, e := range identityEndpoints {
		for _, token := range []string{"", "kpat_bad", w.ours.expired} {
			a := w.call(request{method: e.method, target: strings.ReplaceAll(e.target, "X", unused), token: token, body: e.body})
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s %s: %d without a good token", e.method, e.target, a.status)
			}
			a.problem(t)
		}
	}
}

func TestAnothersIdentityIsAnsweredLikeNone(t *testing.T) {
	w := newWorld(t)
	user, _ := w.newUser(w.theirs, "one@example.com")
	account := w.newSystemAccount(w.theirs, "robot")
	var pat, spat, userRole, accountRole made
	w.do(w.theirs.admin(), "POST", "/v3/users/"+user+"/access-tokens", `{"name":"pat","ttl_seconds":60}`, 201, &pat)
	w.do(w.theirs.admin(), "POST", "/v3/system-accounts/"+account+"/access-tokens", `{"name":"spat","expires_at":"`+tomorrow()+`"}`, 201, &spat)
	w.do(w.theirs.admin(), "POST", "/v3/users/"+user+"/assigned-roles", viewerOfAuditLogs, 201, &userRole)
	w.do(w.theirs.admin(), "POST", "/v3/system-accounts/"+account+"/assigned-roles", viewerOfAuditLogs, 201, &accountRole)
	sub := map[string]string{
		"users/access-tokens": pat.ID, "users/assigned-roles": userRole.ID,
		"system-accounts/access-tokens": spat.ID, "system-accounts/assigned-roles": accountRole.ID,
	}
	asked := 0
	for _, e := range identityEndpoints {
		if !strings.Contains(e.target, "X") {
			continue
		}
		kind, theirs := "users", user
		if strings.Contains(e.target, "system-accounts") {
			kind, theirs = "system-accounts", account
		}
		below := ""
		for _, name := range []string{"access-tokens", "assigned-roles"} {
			if strings.Contains(e.target, name) {
				below = sub[kind+"/"+name]
			}
		}
		ask := func(first, second string) answered {
			target := strings.Replace(strings.Replace(e.target, "X", first, 1), "X", second, 1)
			a := w.call(request{method: e.method, target: target, token: w.ours.admin(), body: e.body})
			a.body = strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "")
			return a
		}
		want := ask(unused, unused)
		for _, ids := range [][2]string{{theirs, below}, {theirs, unused}, {"no-uuid", "no-uuid"}, {strings.ToUpper(theirs), strings.ToUpper(below)}, {"a%2Fb", "%00"}} {
			asked++
			if got := ask(ids[0], ids[1]); got.status != 404 || got.body != want.body {
				t.Errorf("%s %s %v: %d %s, want %s", e.method, e.target, ids, got.status, got.body, want.body)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d were asked", asked)
	}
	for target, status := range map[string]int{
		"/v3/users/" + user + "/access-tokens/" + pat.ID: 200, "/v3/system-accounts/" + account + "/access-tokens/" + spat.ID: 200,
	} {
		w.do(w.theirs.admin(), "GET", target, "", status, nil)
	}
	for _, list := range []string{"/v3/users", "/v3/system-accounts"} {
		if a := w.do(w.ours.admin(), "GET", list, "", 200, nil); strings.Contains(a.body, user) || strings.Contains(a.body, account) {
			t.Errorf("our list shows theirs: %s", a.body)
		}
	}
	// A token of another owner of the same organization is not there either.
	mine, _ := w.newUser(w.theirs, "two@example.com")
	w.do(w.theirs.admin(), "GET", "/v3/users/"+mine+"/access-tokens/"+pat.ID, "", 404, nil)
	w.do(w.theirs.admin(), "GET", "/v3/users/"+mine+"/access-tokens/"+spat.ID, "", 404, nil)
}

func TestWhatCannotBeOfIdentityIsRefusedWithTheReason(t *testing.T) {
	w := newWorld(t)
	user, _ := w.newUser(w.ours, "one@example.com")
	account := w.newSystemAccount(w.ours, "robot")
	cp := w.newControlPlane(w.theirs, "theirs")
	tokens, systemTokens := "/v3/users/"+user+"/access-tokens", "/v3/system-accounts/"+account+"/access-tokens"
	roles := "/v3/users/" + user + "/assigned-roles"
	role := func(name, entity, kind, region string) string {
		return fmt.Sprintf(`{"role_name":%q,"entity_id":%q,"entity_type_name":%q,"entity_region":%q}`, name, entity, kind, region)
	}
	for _, test := range []struct{ method, target, body, field, rule string }{
		{"POST", tokens, `{"name":"token"}`, "expires_at", "required"},
		{"POST", tokens, `{"name":"token","ttl_seconds":1,"expires_at":"` + tomorrow() + `"}`, "ttl_seconds", "invalid"},
		{"POST", tokens, `{"name":"token","ttl_seconds":31536001}`, "ttl_seconds", "max"},
		{"POST", tokens, `{"name":"token","ttl_seconds":0}`, "ttl_seconds", "min"},
		{"POST", tokens, `{"name":"token","expires_at":"2020-01-01T00:00:00Z"}`, "expires_at", "invalid"},
		{"POST", tokens, `{"name":"token","expires_at":"2999-01-01T00:00:00Z"}`, "expires_at", "invalid"},
		{"POST", tokens, `{"name":"token","expires_at":"soon"}`, "expires_at", "is_date_time"},
		{"POST", tokens, `{"ttl_seconds":60}`, "name", "required"},
		{"POST", tokens, `{"name":"-token","ttl_seconds":60}`, "name", "matches_regex"},
		{"POST", tokens, `{"name":"token!","ttl_seconds":60}`, "name", "matches_regex"},
		{"POST", tokens, `{"name":"token","ttl_seconds":60,"forever":true}`, "forever", "unknown_property"},
		{"POST", systemTokens, `{"name":"token"}`, "expires_at", "required"},
		{"POST", systemTokens, `{"name":"token","expires_at":"2020-01-01T00:00:00Z"}`, "expires_at", "invalid"},
		{"POST", "/v3/system-accounts", `{"name":"x"}`, "description", "required"},
		{"POST", "/v3/system-accounts", `{"name":" ","description":""}`, "name", "required"},
		{"PATCH", "/v3/system-accounts/" + account, `{"name":""}`, "name", "min_length"},
		{"POST", "/trailhook/v1/users", `{"full_name":"x"}`, "email", "required"},
		{"POST", "/trailhook/v1/users", `{"email":"x","full_name":"x"}`, "email", "invalid"},
		{"POST", "/trailhook/v1/users", `{"email":"X <x@example.com>","full_name":"x"}`, "email", "invalid"},
		{"PATCH", "/v3/users/" + user, `{"full_name":" "}`, "full_name", "required"},
		{"PATCH", "/v3/users/" + user, `{"email":"x@example.com"}`, "email", "unknown_property"},
		{"GET", "/v3/users?filter[name][eq]=x", "", "filter[name][eq]", "unknown_property"},
		{"GET", "/v3/users?filter[active]=maybe", "", "filter[active]", "enum"},
		{"GET", "/v3/system-accounts?page[number]=0", "", "page[number]", "min"},
		{"POST", roles, role("King", "*", "Audit Logs", "*"), "role_name", "enum"},
		{"POST", roles, role("Viewer", "*", "Organizations", "*"), "role_name", "enum"},
		{"POST", roles, role("Admin", "*", "Portals", "*"), "entity_type_name", "enum"},
		{"POST", roles, role("Admin", "*", "Audit Logs", "moon"), "entity_region", "enum"},
		{"POST", roles, role("Admin", "*", "Organizations", "us"), "entity_region", "enum"},
		{"POST", roles, role("Admin", unused, "Audit Logs", "*"), "entity_id", "invalid"},
		{"POST", roles, role("Admin", unused, "Control Planes", "*"), "entity_id", "missing_reference"},
		{"POST", roles, role("Admin", cp, "Control Planes", "us"), "entity_id", "missing_reference"},
		{"POST", roles, role("Admin", w.theirs.id, "Organizations", "*"), "entity_id", "invalid"},
	} {
		a := w.call(request{method: test.method, target: test.target, token: w.ours.admin(), body: test.body})
		p := a.problem(t)
		if a.status != 400 || len(p.InvalidParameters) == 0 || p.InvalidParameters[0].Field != test.field || p.InvalidParameters[0].Rule != test.rule {
			t.Errorf("%s %s %s: %d %s, want field %s, rule %s", test.method, test.target, test.body, a.status, a.body, test.field, test.rule)
		}
	}
}
