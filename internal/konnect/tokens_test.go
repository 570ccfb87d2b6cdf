package konnect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestPeopleManageTheirOwnTokensAndNobodyElses(t *testing.T) {
	w := newWorld(t)
	me, mine := w.newUser(w.ours, "me@example.com")
	other, _ := w.newUser(w.ours, "other@example.com")
	tokens := "/v3/users/" + me + "/access-tokens"
	var second made
	a := w.do(mine, "POST", tokens, `{"name":"second","expires_at":"`+tomorrow()+`"}`, 201, &second)
	if check := a.events[1]; !check.Granted || check.Action != "create" || check.Resource != "users/"+me+"/access-tokens" || check.PrincipalID != me {
		t.Errorf("the check of one's own was recorded as %+v", check.Event)
	}
	if ids := w.do(second.PAT, "GET", tokens, "", 200, nil).ids(t); len(ids) != 2 || ids[1] != second.ID {
		t.Errorf("listed: %v", ids)
	}
	w.do(mine, "PATCH", tokens+"/"+second.ID, `{"name":"renamed"}`, 200, nil)
	w.do(mine, "PATCH", tokens+"/"+second.ID+"/revoke", "", 200, nil)
	w.do(mine, "DELETE", tokens+"/"+second.ID, "", 204, nil)
	refused := func(token, user string) string {
		a := w.do(token, "GET", "/v3/users/"+user+"/access-tokens", "", 403, nil)
		return strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "")
	}
	if refused(mine, other) != refused(mine, unused) {
		t.Error("who may not see a user's tokens learns whether there is the user")
	}
	w.do(mine, "GET", "/v3/users/"+me, "", 403, nil)
	w.do(mine, "POST", "/v3/users/"+me+"/assigned-roles", viewerOfAuditLogs, 403, nil)
}

func TestATokenIsShownOnceAndWorksUntilItIsTakenAway(t *testing.T) {
	w := newWorld(t)
	admin := w.ours.admin()
	user, first := w.newUser(w.ours, "me@example.com")
	tokens := "/v3/users/" + user + "/access-tokens"
	fails := func(token string, outcome audit.Outcome, principal string) {
		t.Helper()
		a := w.do(token, "GET", "/v3/users/me", "", http.StatusUnauthorized, nil)
		if len(a.events) != 1 || a.events[0].Outcome != outcome || a.events[0].PrincipalID != principal || a.events[0].AuthType != audit.AuthPAT {
			t.Errorf("recorded: %+v", a.events)
		}
	}
	var revoked, deleted, kept made
	for name, into := range map[string]*made{"revoked": &revoked, "deleted": &deleted, "kept": &kept} {
		w.do(admin, "POST", tokens, `{"name":"`+name+`","ttl_seconds":3600}`, 201, into)
		w.do(into.PAT, "GET", "/v3/users/me", "", 200, nil)
	}
	if !strings.HasPrefix(kept.PAT, "kpat_") {
		t.Errorf("token %q", kept.PAT)
	}
	w.do(admin, "PATCH", tokens+"/"+revoked.ID+"/revoke", "", 200, nil)
	w.do(admin, "PATCH", tokens+"/"+revoked.ID+"/revoke", "", 200, nil)
	w.do(admin, "DELETE", tokens+"/"+deleted.ID, "", 204, nil)
	w.do(admin, "DELETE", tokens+"/"+deleted.ID, "", 404, nil)
	fails(revoked.PAT, audit.OutcomeDisabled, user)
	fails(deleted.PAT, audit.OutcomeNotFound, "")
	list := w.do(admin, "GET", tokens, "", 200, nil).body
	for _, secret := range []string{first, revoked.PAT, kept.PAT} {
		if strings.Contains(list, secret[5:]) {
			t.Error("the list shows a token")
		}
	}
	if strings.Contains(list, "konnect_token") || !strings.Contains(list, `"last_used_at":"2`) || !strings.Contains(list, `"state":"REVOKED"`) {
		t.Errorf("listed: %s", list)
	}
	w.do(admin, "PATCH", "/v3/users/"+user, `{"active":false}`, 200, nil)
	fails(kept.PAT, audit.OutcomeDisabled, user)
	w.do(admin, "PATCH", "/v3/users/"+user, `{"active":true}`, 200, nil)
	w.do(kept.PAT, "GET", "/v3/users/me", "", 200, nil)
	w.do(admin, "DELETE", "/v3/users/"+user, "", 204, nil)
	fails(kept.PAT, audit.OutcomeNotFound, "")
}

func TestASystemAccountsTokenWorksUntilTheAccountIsGone(t *testing.T) {
	w := newWorld(t)
	admin := w.ours.admin()
	account := w.newSystemAccount(w.ours, "robot")
	var spat made
	w.do(admin, "POST", "/v3/system-accounts/"+account+"/access-tokens", `{"name":"t","expires_at":"`+tomorrow()+`"}`, 201, &spat)
	if !strings.HasPrefix(spat.Token, "spat_") {
		t.Errorf("token %q", spat.Token)
	}
	w.do(spat.Token, "GET", "/v3/audit-log-destinations", "", 403, nil)
	w.do(admin, "POST", "/v3/system-accounts/"+account+"/assigned-roles", viewerOfAuditLogs, 201, nil)
	w.do(spat.Token, "GET", "/v3/audit-log-destinations", "", 200, nil)
	w.do(spat.Token, "GET", "/v3/organizations/me", "", 200, nil)
	w.do(spat.Token, "GET", "/v3/users/me", "", 403, nil) // it is no user
	w.do(admin, "DELETE", "/v3/system-accounts/"+account, "", 204, nil)
	a := w.do(spat.Token, "GET", "/v3/organizations/me", "", 401, nil)
	if a.events[0].AuthType != audit.AuthSPAT || a.events[0].Outcome != audit.OutcomeNotFound {
		t.Errorf("recorded: %+v", a.events[0])
	}
}
