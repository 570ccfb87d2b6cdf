package konnect

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/registry"
)

var portalShape = shape{
	"id": "uuid", "name": "string", "display_name": "string", "description": "string",
	"authentication_enabled": "boolean", "rbac_enabled": "boolean",
	"default_api_visibility": "string", "default_page_visibility": "string", "default_application_auth_strategy_id": "uuid",
	"auto_approve_developers": "boolean", "auto_approve_applications": "boolean",
	"default_domain": "string", "canonical_domain": "string", "labels": shape{"env": "string"},
	"created_at": "date-time", "updated_at": "date-time",
}

var developerShape = shape{
	"id": "uuid", "email": "string", "full_name": "string", "status": "string",
	"created_at": "date-time", "updated_at": "date-time", "trailhook": shape{},
}

// newPortal makes a portal of the organization in region us.
func (w *world) newPortal(o organization, name string) registry.Portal {
	w.tb.Helper()
	p, err := w.registry.CreatePortal(w.tb.Context(), registry.Portal{OrgID: o.id, Region: "us", Name: name, AuthenticationEnabled: true})
	if err != nil {
		w.tb.Fatal(err)
	}
	return p
}

// newDeveloper makes a developer of the portal, whose password is secret-123.
func (w *world) newDeveloper(p registry.Portal, email string, status registry.DeveloperStatus) registry.Developer {
	w.tb.Helper()
	d, err := w.registry.CreateDeveloper(w.tb.Context(), p, registry.Developer{Email: email, FullName: "Ada", Status: status}, "secret-123")
	if err != nil {
		w.tb.Fatal(err)
	}
	return d
}

// as calls with our admin's token and wants the status.
func (w *world) as(want int, method, target, body string) answered {
	w.tb.Helper()
	a := w.call(request{method: method, target: target, token: w.ours.admin(), body: body})
	if a.status != want {
		w.tb.Fatalf("%s %s %s: %d %s, want %d", method, target, body, a.status, a.body, want)
	}
	if want >= 400 {
		a.problem(w.tb)
	}
	return a
}

// read reads the answer's body.
func read[T any](tb testing.TB, a answered) T {
	tb.Helper()
	var value T
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		tb.Fatalf("%v: %s", err, a.body)
	}
	return value
}

func TestPortalsHaveTheShapesOfKonnects(t *testing.T) {
	w := newWorld(t)
	full := `{"name":"full","display_name":"Full","description":"d","authentication_enabled":false,"rbac_enabled":true,` +
		`"default_api_visibility":"public","default_page_visibility":"private","default_application_auth_strategy_id":"` + unused + `",` +
		`"auto_approve_developers":true,"auto_approve_applications":true,"labels":{"env":"test","gone":null}}`
	made := w.as(201, "POST", portalsPath, full)
	if m := misfit("a portal", portalShape, read[any](t, made)); m != "" {
		t.Error(m)
	}
	p := read[portal](t, made)
	want := portal{
		ID: p.ID, Name: "full", DisplayName: "Full", Description: p.Description, RBACEnabled: true, DefaultAPIVisibility: "public",
		DefaultPageVisibility: "private", ApplicationAuthStrategy: p.ApplicationAuthStrategy, AutoApproveDevelopers: true, AutoApproveApplications: true,
		DefaultDomain: p.ID + ".portal.localhost", CanonicalDomain: p.ID + ".portal.localhost",
		Labels: map[string]string{"env": "test"}, CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt,
	}
	if diff := cmp.Diff(want, p); diff != "" || *p.Description != "d" || *p.ApplicationAuthStrategy != unused {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	one := portalsPath + "/" + p.ID
	if again := w.as(200, "GET", one, ""); again.body != made.body {
		t.Errorf("made %s\nread %s", made.body, again.body)
	}
	list := w.as(200, "GET", portalsPath+"?page[number]=1&page[size]=100", "")
	numbered := shape{"page": shape{"number": "integer", "size": "integer", "total": "integer"}}
	if m := misfit("the list", shape{"data": []any{portalShape}, "meta": numbered}, read[any](t, list)); m != "" {
		t.Error(m)
	}
	d := w.as(201, "POST", one+"/developers", `{"email":"ada@example.com","full_name":"Ada","password":"secret-123"}`)
	if m := misfit("a developer", developerShape, read[any](t, d)); m != "" {
		t.Error(m)
	}
	if strings.Contains(d.body, "secret") || strings.Contains(d.body, "hash") {
		t.Errorf("the password comes back: %s", d.body)
	}
	if m := misfit("the list", shape{"data": []any{developerShape}, "meta": numbered}, read[any](t, w.as(200, "GET", one+"/developers", ""))); m != "" {
		t.Error(m)
	}
}

func TestWhatAPortalIsNotToldHasDefaultsAndNullIsAsGoodAsNothing(t *testing.T) {
	w := newWorld(t)
	for name, rest := range map[string]string{
		"bare":  ``,
		"nulls": `,"display_name":null,"description":null,"authentication_enabled":null,"default_api_visibility":null,"default_application_auth_strategy_id":null,"labels":null`,
	} {
		a := w.as(201, "POST", portalsPath, `{"name":"`+name+`"`+rest+`}`)
		p := read[portal](t, a)
		if p.DisplayName != name || !p.AuthenticationEnabled || p.RBACEnabled || p.AutoApproveDevelopers || p.AutoApproveApplications ||
			p.DefaultAPIVisibility != "private" || p.DefaultPageVisibility != "private" {
			t.Errorf("%s: %+v", name, p)
		}
		for _, part := range []string{`"labels":{}`, `"description":null`, `"default_application_auth_strategy_id":null`} {
			if !strings.Contains(a.body, part) {
				t.Errorf("%s: no %s in %s", name, part, a.body)
			}
		}
	}
}

func TestAPortalIsChangedWhereThePatchSaysSo(t *testing.T) {
	w := newWorld(t)
	p := read[portal](t, w.as(201, "POST", portalsPath, `{"name":"one","description":"d","labels":{"a":"1","b":"2"}}`))
	w.as(201, "POST", portalsPath, `{"name":"taken"}`)
	one := portalsPath + "/" + p.ID
	for _, step := range []struct {
		body   string
		status int
		name   string
		labels map[string]string
	}{
		{`{}`, 200, "one", map[string]string{"a": "1", "b": "2"}},
		{`{"labels":{"b":"3","a":null}}`, 200, "one", map[string]string{"b": "3"}},
		{`{"name":"taken"}`, 409, "one", map[string]string{"b": "3"}},
		{`{"name":"two","display_name":"Two"}`, 200, "two", map[string]string{"b": "3"}},
		{`{"name":null,"labels":{}}`, 200, "two", map[string]string{}},
		{`{"labels":{"a b":"c"}}`, 400, "two", map[string]string{}},
		{`{"name":""}`, 400, "two", map[string]string{}},
		{`{"name":" "}`, 400, "two", map[string]string{}},
		{`{"default_api_visibility":"secret"}`, 400, "two", map[string]string{}},
		{`{"nonsense":1}`, 400, "two", map[string]string{}},
	} {
		w.as(step.status, "PATCH", one, step.body)
		got := read[portal](t, w.as(200, "GET", one, ""))
		if got.Name != step.name || cmp.Diff(step.labels, got.Labels) != "" || *got.Description != "d" {
			t.Errorf("after %s: %+v", step.body, got)
		}
	}
	w.as(201, "POST", portalsPath, `{"name":"one"}`) // its old name is free
	w.as(409, "POST", portalsPath, `{"name":"two"}`)
}

func TestPortalsAreFoundByTheirNamesAndRegions(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"Alpha", "Beta", "Alphabet"} {
		w.newPortal(w.ours, name)
	}
	w.newPortal(w.theirs, "Alpha")
	for query, want := range map[string][]string{
		"":                           {"Alpha", "Alphabet", "Beta"},
		"?filter[name][eq]=Alpha":    {"Alpha"},
		"?filter[name][contains]=AL": {"Alpha", "Alphabet"},
		"?filter[name][eq]=none":     {},
	} {
		names := []string{}
		for _, p := range read[struct{ Data []portal }](t, w.as(200, "GET", portalsPath+query, "")).Data {
			names = append(names, p.Name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if page := read[struct{ Data []portal }](t, w.as(200, "GET", portalsPath+"?page[size]=2&page[number]=2", "")); len(page.Data) != 1 {
		t.Errorf("the second page has %d portals", len(page.Data))
	}
	elsewhere := w.call(request{method: "GET", target: portalsPath, host: "eu.api.trailhook.example", token: w.ours.admin()})
	if !strings.Contains(elsewhere.body, `"data":[]`) {
		t.Errorf("in another region: %s", elsewhere.body)
	}
}

func TestAPortalWithDevelopersIsDeletedOnlyByForceAndAllOfItGoes(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.ours, "portal")
	one := portalsPath + "/" + p.ID
	destination := w.newDestination(w.ours, "d")
	w.newDeveloper(p, "ada@example.com", registry.DeveloperApproved)
	w.as(200, "PATCH", one+"/audit-log-webhook", `{"audit_log_destination_id":"`+destination+`","enabled":true}`)
	w.as(202, "PUT", one+"/audit-log-replay-job", replayBody(time.Hour, 0))
	if a := w.as(409, "DELETE", "/v3/audit-log-destinations"+"/"+destination, ""); !strings.Contains(a.body, "destination is in use") {
		t.Errorf("delete the portal's destination: %s", a.body)
	}
	w.as(409, "DELETE", one, "")
	w.as(409, "DELETE", one+"?force=false", "")
	w.as(400, "DELETE", one+"?force=yes", "")
	w.as(204, "DELETE", one+"?force=true", "")
	w.as(404, "DELETE", one+"?force=true", "")
	for _, rest := range []string{"", "/audit-log-webhook", "/audit-log-webhook/status", "/audit-log-replay-job", "/developers"} {
		w.as(404, "GET", one+rest, "")
	}
	w.as(204, "DELETE", "/v3/audit-log-destinations"+"/"+destination, "")
	if hooks, jobs := w.registry.Webhooks(), w.registry.ReplayJobs(); len(hooks)+len(jobs) > 0 {
		t.Errorf("%d webhooks and %d replay jobs are left", len(hooks), len(jobs))
	}
	again := w.as(201, "POST", portalsPath, `{"name":"portal"}`)
	w.as(204, "DELETE", portalsPath+"/"+read[portal](t, again).ID+"?force=false", "")
}

func TestAPortalsWebhookHasTheLifeOfTheOrganizationsAndIsAnother(t *testing.T) {
	w := newWorld(t)
	p, other := w.newPortal(w.ours, "portal"), w.newPortal(w.ours, "other")
	destination := w.newDestination(w.ours, "d")
	const unconfigured = `{"webhook_status":"unconfigured","webhook_enabled":false}`
	hook := "/audit-log-webhook"
	aside := "/trailhook/v1/portals/" + p.ID + "/set-aside"
	if a := w.as(200, "GET", aside, ""); !strings.Contains(a.body, `"data":[]`) || !strings.Contains(a.body, aside+"?") {
		t.Errorf("set aside: %s", a.body)
	}
	w.as(404, "GET", aside+"/1", "")
	w.as(404, "DELETE", aside+"/1", "")
	w.as(409, "POST", aside+"/resend", "")
	for i, step := range []struct {
		method, rest, body string
		status             int
		answer             string // "": not looked at
	}{
		{"GET", hook, "", 404, ""},
		{"GET", hook + "/status", "", 200, unconfigured},
		{"DELETE", hook, "", 404, ""},
		{"PATCH", hook, `{"enabled":true}`, 400, ""},
		{"PATCH", hook, `{"enabled":false}`, 404, ""},
		{"PATCH", hook, `{"audit_log_destination_id":"` + unused + `","enabled":true}`, 400, ""},
		{"PUT", "/audit-log-replay-job", replayBody(time.Hour, 0), 400, ""},
		{"GET", "/audit-log-replay-job", "", 200, `{"status":"unconfigured"}`},
		{"PATCH", hook, `{"enabled":true,"audit_log_destination_id":"` + destination + `"}`, 200, `{"audit_log_destination_id":"` + destination + `","enabled":true}`},
		{"GET", hook, "", 200, `{"audit_log_destination_id":"` + destination + `","enabled":true}`},
		{"GET", hook + "/status", "", 200, `{"webhook_status":"active","webhook_enabled":true}`},
		{"PUT", "/audit-log-replay-job", `{}`, 400, ""},
		{"PUT", "/audit-log-replay-job", replayBody(time.Hour, 0), 202, ""},
		{"PUT", "/audit-log-replay-job", replayBody(time.Hour, 0), 409, ""},
		{"PATCH", hook, `{"enabled":false}`, 200, `{"audit_log_destination_id":"` + destination + `","enabled":false}`},
		{"DELETE", hook, "", 204, ""},
		{"GET", hook, "", 404, ""},
		{"GET", hook + "/status", "", 200, unconfigured},
	} {
		target := portalsPath + "/" + p.ID + step.rest
		a := w.as(step.status, step.method, target, step.body)
		if got := strings.TrimSpace(withoutOurs(t, a.body)); step.answer != "" && got != step.answer {
			t.Fatalf("step %d: %s %s: %s, want %s", i, step.method, target, got, step.answer)
		}
		for _, quiet := range []string{"/v3", portalsPath + "/" + other.ID} {
			w.as(404, "GET", quiet+hook, "")
			if job := w.as(200, "GET", quiet+"/audit-log-replay-job", ""); !strings.Contains(job.body, "unconfigured") {
				t.Fatalf("step %d: %s has a replay job: %s", i, quiet, job.body)
			}
		}
	}
}

func TestDevelopersAreMadeChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	p, other := w.newPortal(w.ours, "portal"), w.newPortal(w.ours, "other")
	all := portalsPath + "/" + p.ID + "/developers"
	made := read[developer](t, w.as(201, "POST", all, `{"email":"ada@example.com","full_name":"Ada","password":"secret-123"}`))
	if made.Status != "approved" {
		t.Errorf("made: %+v", made)
	}
	for body, want := range map[string]struct {
		status      int
		field, rule string
	}{
		`{"email":"ADA@example.com","full_name":"Another"}`:                      {status: 409},
		`{"email":"grace@example.com","full_name":"Grace","status":"gone"}`:      {400, "status", "enum"},
		`{"email":"grace@example.com","full_name":"Grace","password":"tiny-pw"}`: {400, "password", "min_length"},
		`{"email":"Grace <g@example.com>","full_name":"Grace"}`:                  {400, "email", "is_email"},
		`{"email":"grace@example.com","full_name":" "}`:                          {400, "full_name", "required"},
		`{"full_name":"Grace"}`: {400, "email", "required"},
	} {
		a := w.as(want.status, "POST", all, body)
		if want.status == 400 {
			if wrong := a.problem(t).InvalidParameters; len(wrong) != 1 || wrong[0].Field != want.field || wrong[0].Rule != want.rule {
				t.Errorf("%s: %+v", body, wrong)
			}
		}
		if strings.Contains(a.body, "tiny-pw") {
			t.Errorf("the password comes back: %s", a.body)
		}
	}
	w.as(201, "POST", portalsPath+"/"+other.ID+"/developers", `{"email":"ada@example.com","full_name":"Ada"}`)

	one := all + "/" + made.ID
	changed := read[developer](t, w.as(200, "PATCH", one, `{"full_name":"Ada L","status":"revoked","password":"another-1"}`))
	if changed.FullName != "Ada L" || changed.Status != "revoked" || changed.Email != made.Email || !changed.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("changed: %+v", changed)
	}
	if same := read[developer](t, w.as(200, "PATCH", one, `{"full_name":null}`)); same.FullName != "Ada L" {
		t.Errorf("changed by null: %+v", same)
	}
	w.as(400, "PATCH", one, `{"email":"new@example.com"}`)
	w.as(400, "PATCH", one, `{"password":"tiny-pw"}`)
	w.as(404, "GET", portalsPath+"/"+other.ID+"/developers/"+made.ID, "")
	w.as(404, "PATCH", all+"/"+unused, `{}`)
	w.as(204, "DELETE", one, "")
	w.as(404, "GET", one, "")
	w.as(404, "DELETE", one, "")
	w.as(201, "POST", all, `{"email":"ada@example.com","full_name":"Ada"}`)
}

func TestAnothersPortalIsAnsweredLikeNone(t *testing.T) {
	w := newWorld(t)
	p := w.newPortal(w.theirs, "theirs")
	d := w.newDeveloper(p, "ada@example.com", registry.DeveloperApproved)
	destination := w.newDestination(w.ours, "d")
	for _, test := range []struct{ method, rest, body string }{
		{"GET", "", ""},
		{"PATCH", "", `{"name":"mine"}`},
		{"DELETE", "?force=true", ""},
		{"GET", "/audit-log-webhook", ""},
		{"PATCH", "/audit-log-webhook", `{"audit_log_destination_id":"` + destination + `","enabled":true}`},
		{"DELETE", "/audit-log-webhook", ""},
		{"GET", "/audit-log-webhook/status", ""},
		{"GET", "/audit-log-replay-job", ""},
		{"PUT", "/audit-log-replay-job", replayBody(time.Hour, 0)},
		{"GET", "/developers", ""},
		{"POST", "/developers", `{"email":"me@example.com","full_name":"Me"}`},
		{"GET", "/developers/" + d.ID, ""},
		{"PATCH", "/developers/" + d.ID, `{"password":"another-1"}`},
		{"DELETE", "/developers/" + d.ID, ""},
	} {
		for _, id := range []string{p.ID, unused, "no-uuid"} {
			a := w.as(404, test.method, portalsPath+"/"+id+test.rest, test.body)
			if got := a.problem(t); got.Detail != "Not found" {
				t.Errorf("%s %s of %s: %+v", test.method, test.rest, id, got)
			}
		}
	}
	for _, target := range []string{"/set-aside", "/set-aside/1"} {
		w.as(404, "GET", "/trailhook/v1/portals/"+p.ID+target, "")
	}
	if got, err := w.registry.Portal(w.theirs.id, "us", p.ID); err != nil || got.Name != "theirs" {
		t.Errorf("their portal: %+v, %v", got, err)
	}
	if got, err := w.registry.Developer(p, d.ID); err != nil || cmp.Diff(d, got) != "" {
		t.Errorf("their developer: %+v, %v", got, err)
	}
	elsewhere := w.call(request{method: "GET", target: portalsPath + "/" + p.ID, host: "eu.api.trailhook.example", token: w.theirs.admin()})
	if elsewhere.status != http.StatusNotFound {
		t.Errorf("in another region: %d", elsewhere.status)
	}
}

func TestAPortalHasEmptyListsOfWhatOursDoNotHave(t *testing.T) {
	w := newWorld(t)
	one := portalsPath + "/" + w.newPortal(w.ours, "portal").ID
	numbered := `{"data":[],"meta":{"page":{"number":1,"size":100,"total":0}}}`
	for part, want := range map[string]string{
		"pages": numbered, "snippets?page[number]=1&page[size]=100": numbered, "teams": numbered,
		"ip-allow-list?page[size]=100": `{"data":[],"meta":{"first":"` + one + `/ip-allow-list?page%5Bsize%5D=100","last":"` + one +
			`/ip-allow-list?page%5Bbefore%5D=ZW5k&page%5Bsize%5D=100","next":null,"previous":null,"size":100}}`,
		"identity-providers": `[]`,
	} {
		if a := w.as(200, "GET", one+"/"+part, ""); strings.TrimSpace(a.body) != want {
			t.Errorf("%s: %s, want %s", part, a.body, want)
		}
		w.as(404, "GET", portalsPath+"/"+unused+"/"+part, "")
	}
	for _, part := range []string{"email-config", "custom-domain"} {
		w.as(404, "GET", one+"/"+part, "")
	}
}
