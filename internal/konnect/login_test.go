package konnect

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// logIn is a log-in to the portal with the credentials in the body.
func logIn(p registry.Portal, email, password string) request {
	return request{method: "POST", target: logInPath, host: p.ID + ".portal.localhost:8080",
		body: `{"username":"` + email + `","password":"` + password + `"}`}
}

func basicAuth(user, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}

func TestEachOutcomeOfALogInIsRecordedAndOnlyTheEventsTellThemApart(t *testing.T) {
	w := newWorld(t)
	p, closed, other := w.newPortal(w.ours, "portal"), w.newPortal(w.ours, "closed"), w.newPortal(w.theirs, "theirs")
	ada := w.newDeveloper(p, "ada@example.com", registry.DeveloperApproved)
	pending := w.newDeveloper(p, "pending@example.com", registry.DeveloperPending)
	revoked := w.newDeveloper(p, "revoked@example.com", registry.DeveloperRevoked)
	locked := w.newDeveloper(p, "locked@example.com", registry.DeveloperApproved)
	late := w.newDeveloper(closed, "late@example.com", registry.DeveloperApproved)
	if _, err := w.registry.ChangePortal(t.Context(), w.ours.id, "us", closed.ID, func(p *registry.Portal) { p.AuthenticationEnabled = false }); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.call(logIn(p, locked.Email, "guess"))
	}
	byQuery := logIn(p, ada.Email, "secret-123")
	byQuery.host, byQuery.target = "", logInPath+"?portal_id="+p.ID
	byHeader := request{method: "POST", target: logInPath, host: p.ID + ".portal.example.com", header: basicAuth(ada.Email, "secret-123")}
	wrongHeader := byHeader
	wrongHeader.header = basicAuth(ada.Email, "secret-124")
	neither := request{method: "POST", target: logInPath, host: byHeader.host}
	for _, test := range []struct {
		name string
		request
		how       audit.AuthType
		outcome   audit.Outcome
		principal string
		severity  int
	}{
		{"success", logIn(p, ada.Email, "secret-123"), audit.AuthBasic, audit.OutcomeSuccess, ada.ID, 0},
		{"another case", logIn(p, "ADA@Example.com", "secret-123"), audit.AuthBasic, audit.OutcomeSuccess, ada.ID, 0},
		{"portal by query", byQuery, audit.AuthBasic, audit.OutcomeSuccess, ada.ID, 0},
		{"basic authentication", byHeader, audit.AuthBasic, audit.OutcomeSuccess, ada.ID, 0},
		{"wrong basic authentication", wrongHeader, audit.AuthBasic, audit.OutcomeInvalidPassword, ada.ID, 1},
		{"unknown", logIn(p, "nobody@example.com", "secret-123"), audit.AuthBasic, audit.OutcomeNotFound, "", 1},
		{"of another portal", logIn(other, ada.Email, "secret-123"), audit.AuthBasic, audit.OutcomeNotFound, "", 1},
		{"wrong password", logIn(p, ada.Email, "wrong"), audit.AuthBasic, audit.OutcomeInvalidPassword, ada.ID, 1},
		{"pending", logIn(p, pending.Email, "secret-123"), audit.AuthBasic, audit.OutcomeDisabled, pending.ID, 6},
		{"revoked", logIn(p, revoked.Email, "wrong"), audit.AuthBasic, audit.OutcomeDisabled, revoked.ID, 6},
		{"locked", logIn(p, locked.Email, "secret-123"), audit.AuthBasic, audit.OutcomeLocked, locked.ID, 6},
		{"closed", logIn(closed, late.Email, "secret-123"), audit.AuthBasic, audit.OutcomeDisabled, late.ID, 6},
		{"no credentials", neither, audit.AuthInvalid, audit.OutcomeInvalid, "", 7},
	} {
		a := w.call(test.request)
		status := http.StatusUnauthorized
		if test.outcome == audit.OutcomeSuccess {
			status = http.StatusOK
			if got := read[map[string]string](t, a); got["id"] != ada.ID || got["email"] != ada.Email || got["portal_id"] != p.ID || got["full_name"] != "Ada" {
				t.Errorf("%s: %v", test.name, got)
			}
		} else if problem := a.problem(t); problem.Detail != "This is not the email and the password of a developer who may log in now" {
			t.Errorf("%s: %+v", test.name, problem)
		}
		if a.status != status {
			t.Errorf("%s: status %d, want %d", test.name, a.status, status)
		}
		portal, organization := p, w.ours.id
		switch test.name {
		case "of another portal":
			portal, organization = other, w.theirs.id
		case "closed":
			portal = closed
		}
		shared := audit.Event{Product: audit.ProductDevPortal, OrgID: organization, PortalID: portal.ID, PrincipalID: test.principal, Request: logInPath, Source: "192.0.2.1"}
		authentication, access := shared, shared
		authentication.Kind, authentication.AuthType, authentication.Outcome = audit.Authentication, test.how, test.outcome
		access.Kind, access.Method, access.Status = audit.Access, "POST", status
		_, access.Query, _ = strings.Cut(test.target, "?")
		var got []audit.Event
		for _, e := range a.events {
			got = append(got, e.Event)
		}
		if diff := cmp.Diff([]audit.Event{authentication, access}, got, cmpopts.IgnoreFields(audit.Event{}, "Time", "Stamp", "TraceID")); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", test.name, diff)
		} else if got[0].Severity() != test.severity {
			t.Errorf("%s: severity %d, want %d", test.name, got[0].Severity(), test.severity)
		}
	}
}

func TestALogInThatCannotBeReadIsRecordedInItsPortal(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.ours, "portal")
	for _, body := range []string{`{`, `{"username":"a"}`, `{"username":1,"password":"b"}`, `{"username":"a","password":"b","more":1}`, `null {}`, `"a"`} {
		q := logIn(p, "", "")
		q.body = body
		a := w.call(q)
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, a.status, a.body)
			continue
		}
		a.problem(t)
		if len(a.events) != 1 || a.events[0].Status != 400 || a.events[0].PortalID != p.ID || a.events[0].Product != audit.ProductDevPortal {
			t.Errorf("%s: events %+v", body, a.events)
		}
	}
}

func TestALogInToNoPortalIsKeptForNobody(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.ours, "portal")
	for _, q := range []request{
		{target: logInPath},
		{target: logInPath, host: p.ID + ".example.com"},
		{target: logInPath, host: unused + ".portal.localhost"},
		{target: logInPath + "?portal_id=" + unused, host: p.ID + ".portal.localhost"},
		{target: logInPath + "?portal_id=%2A"},
	} {
		q.method, q.body = "POST", `{"username":"a","password":"b"}`
		a := w.call(q)
		if a.status != http.StatusNotFound {
			t.Errorf("%s at %q: %d", q, q.host, a.status)
		}
		a.problem(t)
		if len(a.events) != 2 || a.events[0].organization != "-" || a.events[0].PortalID != "" || a.events[0].Outcome != audit.OutcomeInvalid || a.events[1].Status != 404 {
			t.Errorf("%s at %q: events %+v", q, q.host, a.events)
		}
	}
}

func TestADeveloperIsLockedAfterFiveFailuresUntilAnAdminChangesTheAccount(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.ours, "portal")
	d := w.newDeveloper(p, "ada@example.com", registry.DeveloperApproved)
	one := portalsPath + "/" + p.ID + "/developers/" + d.ID
	for n := range 5 {
		if a := w.call(logIn(p, d.Email, "wrong")); a.events[0].Outcome != audit.OutcomeInvalidPassword {
			t.Fatalf("failure %d: %s", n+1, a.events[0].Outcome)
		}
	}
	if a := w.call(logIn(p, d.Email, "secret-123")); a.status != 401 || a.events[0].Outcome != audit.OutcomeLocked {
		t.Errorf("the right password: %d %s", a.status, a.events[0].Outcome)
	}
	if a := w.as(200, "GET", one, ""); read[developer](t, a).Trailhook.LockedUntil == nil {
		t.Errorf("an admin does not see it: %s", a.body)
	}
	if a := w.as(200, "PATCH", one, `{"status":"approved"}`); read[developer](t, a).Trailhook.LockedUntil != nil {
		t.Errorf("still locked: %s", a.body)
	}
	if a := w.call(logIn(p, d.Email, "secret-123")); a.status != 200 {
		t.Errorf("unlocked: %d", a.status)
	}
}

func TestALogInArrivesAtThePortalsWebhookAsALineOfTheDevPortal(t *testing.T) {
	w := newWorld(t)
	lines := map[string]chan string{"portal": make(chan string, 1000), "own": make(chan string, 1000)}
	destinations := map[string]string{}
	for name, to := range lines {
		siem := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			for scanner := bufio.NewScanner(body); scanner.Scan(); {
				to <- scanner.Text()
			}
		}))
		t.Cleanup(siem.Close)
		d, err := w.registry.CreateDestination(t.Context(), registry.Destination{
			OrgID: w.ours.id, Name: name, Endpoint: siem.URL, LogFormat: audit.CEF, SkipSSLVerification: true,
		}, "key")
		if err != nil {
			t.Fatal(err)
		}
		destinations[name] = d.ID
	}
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.delivery.Run(running) }()
	defer func() { stop(); <-ended }()

	eu := request{method: "POST", target: portalsPath, host: "eu.api.trailhook.example", token: w.ours.admin(), body: `{"name":"portal"}`}
	p := read[portal](t, w.call(eu))
	for target, name := range map[string]string{portalsPath + "/" + p.ID + "/audit-log-webhook": "portal", "/v3/audit-log-webhook": "own"} {
		eu.method, eu.target, eu.body = "PATCH", target, `{"enabled":true,"audit_log_destination_id":"`+destinations[name]+`"}`
		if a := w.call(eu); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	eu.method, eu.target, eu.body = "POST", portalsPath+"/"+p.ID+"/developers", `{"email":"ada@example.com","full_name":"Ada","password":"secret-123"}`
	d := read[developer](t, w.call(eu))
	q := logIn(registry.Portal{ID: p.ID}, "ada@example.com", "secret-123") // whose host names no region: the portal does
	if a := w.call(q); a.status != 200 {
		t.Fatalf("log in: %d %s", a.status, a.body)
	}
	eu.method, eu.target, eu.body = "DELETE", portalsPath+"/"+p.ID+"/developers/"+d.ID, ""
	w.call(eu)

	limit := time.After(time.Minute)
	next := func(name string) string {
		t.Helper()
		select {
		case line := <-lines[name]:
			return line
		case <-limit:
			t.Fatalf("no line arrives at the %s webhook", name)
			return ""
		}
	}
	line := next("portal")
	for _, part := range []string{
		"CEF:0|KongInc|Dev-Portal|1.0|AUTHENTICATION_TYPE_BASIC|AUTHENTICATION_OUTCOME_SUCCESS|0|",
		" request=" + logInPath + " success=true org_id=" + w.ours.id + " portal_id=" + p.ID + " principal_id=" + d.ID + " ",
	} {
		if !strings.Contains(line, part) {
			t.Errorf("no %q in %s", part, line)
		}
	}
	if line := next("portal"); !strings.Contains(line, "|Dev-Portal|1.0|KongGateway|Ingress|1|") || !strings.Contains(line, " act=POST status=200 ") {
		t.Errorf("the access: %s", line)
	}
	for {
		line := next("own")
		if strings.Contains(line, "Dev-Portal") || strings.Contains(line, logInPath) {
			t.Errorf("the organization's webhook got %s", line)
		}
		if strings.Contains(line, "act=DELETE") {
			break
		}
	}
	if len(lines["portal"]) > 0 {
		t.Errorf("the portal's webhook got more: %s", <-lines["portal"])
	}
}

func TestALogInThatCannotBeRecordedSucceedsForNobody(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.ours, "portal")
	d := w.newDeveloper(p, "ada@example.com", registry.DeveloperApproved)
	for _, kind := range []audit.Kind{audit.Authentication, audit.Access} {
		a := send(t, w.apiOn(refusing{w.journal, kind}), logIn(p, d.Email, "secret-123"))
		if a.status != http.StatusServiceUnavailable || strings.Contains(a.body, d.ID) {
			t.Errorf("without the %s: %d %s", kind, a.status, a.body)
		}
	}
}
