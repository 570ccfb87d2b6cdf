package konnect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/registry"
)

func TestWhoHasARoleOfOneControlPlaneSeesThatOne(t *testing.T) {
	w := newWorld(t)
	user, token := w.newUser(w.ours, "me@example.com")
	mine, other := w.newControlPlane(w.ours, "mine"), w.newControlPlane(w.ours, "other")
	roles := "/v3/users/" + user + "/assigned-roles"
	w.do(token, "GET", "/v2/control-planes", "", 403, nil)
	var role made
	a := w.do(w.ours.admin(), "POST", roles, `{"role_name":"Admin","entity_id":"`+mine+`","entity_type_name":"Control Planes","entity_region":"us"}`, 201, &role)
	var got map[string]string
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"id": role.ID, "role_name": "Admin", "entity_id": mine, "entity_type_name": "Control Planes", "entity_region": "us"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assigned (-want +got):\n%s", diff)
	}
	list := w.do(token, "GET", "/v2/control-planes", "", 200, nil)
	if diff := cmp.Diff([]string{mine}, list.ids(t)); diff != "" || !strings.Contains(list.body, `"total":1`) {
		t.Errorf("the list: %s", list.body)
	}
	w.do(token, "GET", "/v2/control-planes/"+mine, "", 200, nil)
	w.do(token, "GET", "/v2/control-planes/"+other, "", 403, nil)
	w.do(token, "GET", "/v2/control-planes/"+unused, "", 403, nil)
	w.do(token, "POST", "/v2/control-planes", `{"name":"new"}`, 403, nil)
	if a := w.call(request{method: "GET", target: "/v2/control-planes/" + mine, token: token, host: "eu.api.trailhook.example"}); a.status != 403 {
		t.Errorf("in another region: %d", a.status)
	}
	w.do(token, "DELETE", "/v2/control-planes/"+mine, "", 204, nil)
	w.do(w.ours.admin(), "DELETE", roles+"/"+role.ID, "", 204, nil)
	w.do(w.ours.admin(), "DELETE", roles+"/"+role.ID, "", 404, nil)
	w.do(token, "GET", "/v2/control-planes", "", 403, nil)
}

func TestAssignedRolesAreFilteredAndNamedAsInTheCatalogue(t *testing.T) {
	w := newWorld(t)
	user, token := w.newUser(w.ours, "me@example.com")
	roles := "/v3/users/" + user + "/assigned-roles"
	var groups map[string]roleGroup
	w.do(w.ours.nobody, "GET", "/v3/roles", "", 200, &groups)
	assigned := map[string]string{}
	for _, group := range groups {
		for _, role := range group.Roles {
			body, _ := json.Marshal(map[string]string{
				"role_name": role.Name, "entity_id": w.ours.id, "entity_type_name": group.Name, "entity_region": "*",
			})
			var made made
			w.do(w.ours.admin(), "POST", roles, string(body), 201, &made)
			assigned[group.Name+"/"+role.Name] = made.ID
		}
	}
	if len(assigned) != 6 {
		t.Errorf("%d roles", len(assigned))
	}
	for query, want := range map[string][]string{
		"filter[role_name]=Writer":                                           {assigned["Audit Events/Writer"]},
		"filter[entity_type_name]=Organizations":                             {assigned["Organizations/Admin"]},
		"filter[role_name]=Viewer&filter[entity_type_name]=Control%20Planes": {assigned["Control Planes/Viewer"]},
		"filter[role_name]=view":                                             {},
	} {
		if diff := cmp.Diff(want, w.do(w.ours.admin(), "GET", roles+"?"+query, "", 200, nil).ids(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	w.do(token, "GET", "/v3/users", "", 200, nil) // an organization admin now
	w.do(w.ours.admin(), "DELETE", roles+"/"+assigned["Organizations/Admin"], "", 204, nil)
	w.do(token, "GET", "/v3/users", "", 403, nil)
}

func TestTheLastAdminCannotBeLost(t *testing.T) {
	w := newWorld(t)
	admins := w.do(w.ours.admin(), "GET", "/v3/users?page[size]=1000", "", 200, nil).ids(t)
	me := w.ours.users[registry.OrganizationAdmin].ID
	for _, id := range admins { // also who has the expired token is one
		if id != me {
			w.do(w.ours.admin(), "DELETE", "/v3/users/"+id, "", 204, nil)
		}
	}
	role := w.do(w.ours.admin(), "GET", "/v3/users/"+me+"/assigned-roles", "", 200, nil).ids(t)[0]
	for _, test := range []struct{ method, target, body string }{
		{"DELETE", "/v3/users/" + me, ""},
		{"PATCH", "/v3/users/" + me, `{"active":false}`},
		{"DELETE", "/v3/users/" + me + "/assigned-roles/" + role, ""},
	} {
		w.do(w.ours.admin(), test.method, test.target, test.body, 409, nil).problem(t)
	}
	w.do(w.ours.admin(), "PATCH", "/v3/users/"+me, `{"full_name":"Still Here"}`, 200, nil)
}

// What Kong's clients ask about identity, in their order.
func TestTheClientsIdentityCallsAreAnswered(t *testing.T) {
	w := newWorld(t)
	admin := w.ours.admin()
	global := func(method, target, body string, status int, into any) answered {
		t.Helper()
		a := w.call(request{method: method, target: target, host: "global.api.konghq.com", token: admin, body: body})
		if a.status != status {
			t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(a.body), into); err != nil {
				t.Fatal(err)
			}
		}
		return a
	}
	// decK ping
	var organization struct{ ID, Name string }
	if global("GET", "/v2/organizations/me", "", 200, &organization); organization.ID != w.ours.id || organization.Name != "ours" {
		t.Errorf("organization: %+v", organization)
	}
	// kongctl create pat, get pat, delete pat
	var me, pat, spat, account made
	global("GET", "/v3/users/me", "", 200, &me)
	tokens := "/v3/users/" + me.ID + "/access-tokens"
	global("POST", tokens, `{"name":"ci","ttl_seconds":2592000}`, 201, &pat)
	global("GET", tokens, "", 200, nil)
	global("DELETE", tokens+"/"+pat.ID, "", 204, nil)
	// OpenTofu apply, refresh: null is not to come back as false
	created := global("POST", "/v3/system-accounts", `{"description":"d","konnect_managed":null,"name":"a"}`, 201, &account)
	if strings.Contains(created.body, "konnect_managed") {
		t.Errorf("created: %s", created.body)
	}
	spats := "/v3/system-accounts/" + account.ID + "/access-tokens"
	end := tomorrow()
	global("POST", spats, `{"expires_at":"`+end+`","name":"t"}`, 201, &spat)
	refreshed := global("GET", spats+"/"+spat.ID, "", 200, nil)
	if !strings.Contains(refreshed.body, `"expires_at":"`+end+`"`) || strings.Contains(refreshed.body, `"token"`) {
		t.Errorf("refreshed: %s, want its end as it was sent, %s", refreshed.body, end)
	}
	// kongctl create spat, get spat, get organization …
	found := global("GET", "/v3/system-accounts?filter[name][eq]=a&page[number]=1&page[size]=10", "", 200, nil)
	if diff := cmp.Diff([]string{account.ID}, found.ids(t)); diff != "" {
		t.Error(diff)
	}
	global("GET", spats+"?page[number]=1&page[size]=10", "", 200, nil)
	for _, target := range []string{
		"/v3/organizations/me", "/v3/users?page[number]=1&page[size]=10", "/v3/system-accounts?page[number]=1&page[size]=10",
		"/v3/teams?page[number]=1&page[size]=10", "/v3/available-regions",
	} {
		global("GET", target, "", 200, nil)
	}
	// OpenTofu's role of a system account, and destroy
	var role made
	roles := "/v3/system-accounts/" + account.ID + "/assigned-roles"
	global("POST", roles, `{"entity_id":"*","entity_region":"us","entity_type_name":"Control Planes","role_name":"Viewer"}`, 201, &role)
	global("DELETE", roles+"/"+role.ID, "", 204, nil)
	global("DELETE", spats+"/"+spat.ID, "", 204, nil)
	global("DELETE", "/v3/system-accounts/"+account.ID, "", 204, nil)
}
