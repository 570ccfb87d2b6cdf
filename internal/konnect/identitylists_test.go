package konnect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestATakenNameOfIdentityConflicts(t *testing.T) {
	w := newWorld(t)
	user, _ := w.newUser(w.ours, "one@example.com")
	account, other := w.newSystemAccount(w.ours, "robot"), w.newSystemAccount(w.ours, "other")
	var pat, spat made
	users, accounts := "/v3/users/"+user, "/v3/system-accounts/"+account
	spatBody := func(name string) string { return `{"name":"` + name + `","expires_at":"` + tomorrow() + `"}` }
	w.do(w.ours.admin(), "POST", users+"/access-tokens", `{"name":"second","ttl_seconds":60}`, 201, &pat)
	w.do(w.ours.admin(), "POST", accounts+"/access-tokens", spatBody("first"), 201, nil)
	w.do(w.ours.admin(), "POST", accounts+"/access-tokens", spatBody("second"), 201, &spat)
	w.do(w.ours.admin(), "POST", users+"/assigned-roles", viewerOfAuditLogs, 201, nil)
	for _, test := range []struct{ method, target, body string }{
		{"POST", "/trailhook/v1/users", `{"email":"One@Example.com","full_name":"x"}`},
		{"POST", users + "/access-tokens", `{"name":"first","ttl_seconds":60}`},
		{"PATCH", users + "/access-tokens/" + pat.ID, `{"name":"first"}`},
		{"POST", "/v3/system-accounts", `{"name":"robot","description":""}`},
		{"PATCH", "/v3/system-accounts/" + other, `{"name":"robot"}`},
		{"POST", accounts + "/access-tokens", spatBody("first")},
		{"PATCH", accounts + "/access-tokens/" + spat.ID, `{"name":"first"}`},
		{"POST", users + "/assigned-roles", viewerOfAuditLogs},
	} {
		a := w.do(w.ours.admin(), test.method, test.target, test.body, 409, nil)
		a.problem(t)
	}
	// The name of another, of what was renamed, and of what is gone, is free.
	w.do(w.ours.admin(), "POST", "/v3/system-accounts/"+other+"/access-tokens", spatBody("first"), 201, nil)
	w.do(w.ours.admin(), "PATCH", accounts, `{"name":"machine"}`, 200, nil)
	w.do(w.ours.admin(), "PATCH", "/v3/system-accounts/"+other, `{"name":"robot"}`, 200, nil)
	w.do(w.ours.admin(), "DELETE", users+"/access-tokens/"+pat.ID, "", 204, nil)
	w.do(w.ours.admin(), "POST", users+"/access-tokens", `{"name":"second","ttl_seconds":60}`, 201, nil)
	w.do(w.ours.admin(), "DELETE", users, "", 204, nil)
	w.newUser(w.ours, "one@example.com")
	w.newUser(w.theirs, "one@example.com")
}

// ids are the ids of a list's items.
func (a answered) ids(tb testing.TB) []string {
	tb.Helper()
	var list struct{ Data []made }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		tb.Fatal(err)
	}
	ids := []string{}
	for _, item := range list.Data {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestListsOfIdentityAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t)
	admin := w.ours.admin()
	zoe, _ := w.newUser(w.ours, "zoe@zed.example")
	w.do(admin, "PATCH", "/v3/users/"+zoe, `{"full_name":"Zoe Zed","active":false}`, 200, nil)
	account, managed := w.newSystemAccount(w.ours, "Robot-1"), made{}
	w.do(admin, "POST", "/v3/system-accounts", `{"name":"managed","description":"By others","konnect_managed":true}`, 201, &managed)
	var spat made
	w.do(admin, "POST", "/v3/system-accounts/"+account+"/access-tokens", `{"name":"Key","expires_at":"`+tomorrow()+`"}`, 201, &spat)
	for target, want := range map[string][]string{
		"/v3/users?filter[id][eq]=" + zoe:                                              {zoe},
		"/v3/users?filter[email][eq]=zoe@zed.example":                                  {zoe},
		"/v3/users?filter[email][contains]=ZED.":                                       {zoe},
		"/v3/users?filter[full_name][eq]=Zoe%20Zed":                                    {zoe},
		"/v3/users?filter%5Bfull_name%5D%5Bcontains%5D=zed":                            {zoe},
		"/v3/users?filter[active]=false":                                               {zoe},
		"/v3/users?filter[active]=true&filter[id][eq]=" + zoe:                          {},
		"/v3/users?filter[id][eq]=" + zoe + "&page[number]=2&page[size]=1":             {},
		"/v3/system-accounts?filter[name][eq]=Robot-1&page[number]=1&page[size]=10":    {account},
		"/v3/system-accounts?filter[name][eq]=robot-1":                                 {},
		"/v3/system-accounts?filter[name][contains]=robot":                             {account},
		"/v3/system-accounts?filter[description][contains]=by":                         {managed.ID},
		"/v3/system-accounts?filter[description][eq]=d":                                {account},
		"/v3/system-accounts?filter[konnect_managed]=true":                             {managed.ID},
		"/v3/system-accounts?filter[konnect_managed]=false":                            {account},
		"/v3/system-accounts/" + account + "/access-tokens?filter[name][eq]=Key":       {spat.ID},
		"/v3/system-accounts/" + account + "/access-tokens?filter[name][contains]=EY":  {spat.ID},
		"/v3/system-accounts/" + account + "/access-tokens?filter[name][contains]=nay": {},
	} {
		if diff := cmp.Diff(want, w.do(admin, "GET", target, "", 200, nil).ids(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

func TestRegionsAreToldToAnybody(t *testing.T) {
	w := newWorld(t)
	if a := w.do("", "GET", "/v3/available-regions", "", 200, nil); !strings.Contains(a.body, `"us"`) || len(a.events) != 0 {
		t.Errorf("%s, events %v", a.body, a.events)
	}
}
