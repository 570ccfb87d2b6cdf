package konnect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/entity"
)

// plane is a control plane whose entities a test works on.
type plane struct {
	*world
	t  *testing.T
	at string
}

func newPlane(t *testing.T) plane {
	w := newWorld(t)
	return plane{w, t, "/v2/control-planes/" + w.newControlPlane(w.ours, "cp") + "/core-entities"}
}

func (p plane) do(method, path, body string, status int) entity.Document {
	p.t.Helper()
	a := p.call(request{method: method, target: p.at + path, token: p.ours.admin(), body: body})
	if a.status != status {
		p.t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
	}
	var d entity.Document
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &d); err != nil {
			p.t.Fatal(err)
		}
	}
	return d
}

func (p plane) ids(path string) (ids []string) {
	p.t.Helper()
	for _, d := range p.do("GET", path, "", 200)["data"].([]any) {
		ids = append(ids, d.(map[string]any)["id"].(string))
	}
	return ids
}

func TestAnEntityIsFoundByItsIdAndItsNameAndInItsNest(t *testing.T) {
	p := newPlane(t)
	service := p.do("POST", "/services", `{"name":"s","url":"https://example.com:8443/base"}`, 201)
	if service["protocol"] != "https" || service["host"] != "example.com" || service["port"] != 8443.0 || service["path"] != "/base" || service["retries"] != 5.0 {
		t.Errorf("the url became %v", service)
	}
	route := p.do("POST", "/services/s/routes", `{"name":"r","paths":["/a"]}`, 201)
	if route.Reference("service") != service.ID() {
		t.Errorf("the route of the service: %v", route)
	}
	for _, at := range []string{"/routes/r", "/routes/" + route.ID(), "/services/s/routes/r", "/services/" + service.ID() + "/routes/" + route.ID()} {
		if got := p.do("GET", at, "", 200); got.ID() != route.ID() {
			t.Errorf("%s: %v", at, got)
		}
	}
	p.do("POST", "/services", `{"name":"other","host":"example.com"}`, 201)
	for _, method := range []string{"GET", "PATCH"} {
		p.do(method, "/services/other/routes/r", map[string]string{"PATCH": `{"name":"stolen"}`}[method], 404)
	}
	p.do("PUT", "/services/other/routes/r", `{"paths":["/b"]}`, 404)
	p.do("DELETE", "/services/other/routes/r", "", 204)
	if n := len(p.ids("/routes")); n != 1 {
		t.Errorf("%d routes: one was deleted by the address of another's", n)
	}
	if n := len(p.ids("/services/other/routes")); n != 0 {
		t.Errorf("the other service has %d routes", n)
	}
}

func TestAPutMakesOrReplacesAndAPatchChanges(t *testing.T) {
	p := newPlane(t)
	made := p.do("PUT", "/services/s", `{"host":"example.com","tags":["a"]}`, 200)
	again := p.do("PUT", "/services/s", `{"host":"example.org"}`, 200)
	if again.ID() != made.ID() || again["host"] != "example.org" || again["tags"] != nil || again["created_at"] != made["created_at"] {
		t.Errorf("replaced: %v, was %v", again, made)
	}
	changed := p.do("PATCH", "/services/s", `{"retries":2,"name":"t"}`, 200)
	if changed["host"] != "example.org" || changed["retries"] != 2.0 || p.do("GET", "/services/t", "", 200).ID() != made.ID() {
		t.Errorf("changed: %v", changed)
	}
	plugin := p.do("POST", "/plugins", `{"name":"rate-limiting","config":{"minute":5,"hour":100}}`, 201)
	patched := p.do("PATCH", "/plugins/"+plugin.ID(), `{"config":{"minute":7}}`, 200)["config"].(map[string]any)
	if patched["minute"] != 7.0 || patched["hour"] != 100.0 {
		t.Errorf("the plugin's config: %v", patched)
	}
	p.do("PATCH", "/plugins/"+plugin.ID(), `{"name":"cors"}`, 400)
	p.do("PATCH", "/services/nothing", `{}`, 404)
	p.do("PUT", "/key-auths/by-key", `{}`, 400)
}

func TestAKeyIsGoneAndItsNameFreeWhenItsTimeIsOver(t *testing.T) {
	p := newPlane(t)
	p.do("PUT", "/consumers/ana", `{}`, 200)
	made := p.do("POST", "/consumers/ana/key-auth", `{"key":"k","ttl":1000}`, 201)
	if left := made["ttl"]; left != 1000.0 && left != 999.0 || made["ends_at"] != nil {
		t.Errorf("made: %v", made)
	}
	p.do("POST", "/consumers/ana/key-auth", `{"key":"k"}`, 409)
	short := p.do("PATCH", "/key-auths/"+made.ID(), `{"ttl":1}`, 200)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(60 * time.Second); len(p.ids("/key-auths")) > 0; <-again.C {
		if time.Now().After(limit) {
			t.Fatal("the key does not end")
		}
	}
	p.do("GET", "/consumers/ana/key-auth/"+short.ID(), "", 404)
	p.do("PATCH", "/key-auths/"+short.ID(), `{"ttl":100}`, 404)
	p.do("POST", "/consumers/ana/key-auth", `{"key":"k"}`, 201)
}

func TestWhatCannotBeIsRefusedInKongsWords(t *testing.T) {
	p := newPlane(t)
	p.do("PUT", "/services/s", `{"host":"example.com"}`, 200)
	p.do("POST", "/services/s/routes", `{"paths":["/a"]}`, 201)
	p.do("PUT", "/consumers/ana", `{}`, 200)
	p.do("POST", "/consumers/ana/key-auth", `{"key":"k"}`, 201)
	p.do("POST", "/plugins", `{"name":"cors"}`, 201)
	for _, test := range []struct {
		call, body, code, name, field, message string
		status                                 int
	}{
		{"POST /services", `{}`, "2", "schema violation", "host", "required field missing", 400},
		{"POST /services", `{"host":"a b"}`, "2", "schema violation", "host", "invalid value", 400},
		{"POST /services", `{"host":"a","color":"red"}`, "2", "schema violation", "color", "unknown field", 400},
		{"POST /services", `{"host":"a","retries":99999}`, "2", "schema violation", "retries", "value should be between 0 and 32767", 400},
		{"POST /services", `{"url":"ftp://a"}`, "2", "schema violation", "protocol", "expected one of", 400},
		{"POST /services", `{"host":"a","name":"s"}`, "5", "unique constraint violation", "name", "UNIQUE violation", 409},
		{"POST /routes", `{}`, "2", "schema violation", "@entity", "must set one of", 400},
		{"POST /routes", `{"paths":["~/("]}`, "2", "schema violation", "paths", "invalid regex", 400},
		{"POST /routes", `{"paths":["/a"],"service":{"id":"` + unused + `"}}`, "4", "foreign key violation", "service", "does not reference an existing 'services' entity", 400},
		{"POST /routes", `{"hosts":["a.*.b"]}`, "2", "schema violation", "hosts", "wildcard", 400},
		{"POST /routes", `{"methods":["get"]}`, "2", "schema violation", "methods", "invalid value", 400},
		{"POST /routes", `{"headers":{"host":["a"]}}`, "2", "schema violation", "headers", "host", 400},
		{"POST /routes", `{"protocols":["tcp"],"paths":["/a"]}`, "2", "schema violation", "protocols", "expected one of: http, https", 400},
		{"DELETE /services/s", ``, "4", "foreign key violation", "@referenced_by", "an existing 'routes' entity references this 'services' entity", 400},
		{"POST /consumers", `{}`, "2", "schema violation", "@entity", "at least one of these fields must be non-empty", 400},
		{"POST /consumers/ana/key-auth", `{"key":"k"}`, "5", "unique constraint violation", "key", "UNIQUE violation", 409},
		{"POST /plugins", `{"name":"cors"}`, "5", "unique constraint violation", "name", "UNIQUE violation", 409},
		{"POST /plugins", `{"name":"lua"}`, "2", "schema violation", "name", "is not there", 400},
		{"POST /plugins", `{"name":"rate-limiting"}`, "2", "schema violation", "config", "at least one of", 400},
		{"POST /plugins", `{"name":"rate-limiting","config":{"second":5,"minute":2}}`, "2", "schema violation", "config", "cannot be lower", 400},
		{"POST /plugins", `{"name":"http-log","config":{"http_endpoint":"x"}}`, "2", "schema violation", "config", "missing host", 400},
		{"GET /services?size=0", ``, "9", "invalid size", "", "size must be", 400},
		{"GET /services?offset=x", ``, "7", "invalid offset", "", "bad offset", 400},
		{"GET /services?tags=a,b/c", ``, "11", "invalid options", "tags", "invalid filter syntax", 400},
	} {
		method, path, _ := strings.Cut(test.call, " ")
		a := p.call(request{method: method, target: p.at + path, token: p.ours.admin(), body: test.body})
		problem := a.problem(t)
		if a.status != test.status || fmt.Sprint(problem.Code) != test.code || problem.Name != test.name || !strings.Contains(problem.Message, test.message) {
			t.Errorf("%s %s: %d %s", test.call, test.body, a.status, a.body)
		}
		if _, ok := problem.Fields[test.field]; test.field != "" && !ok {
			t.Errorf("%s %s: fields %v", test.call, test.body, problem.Fields)
		}
	}
}

func TestDeletingTakesAlongWhatRefersToIt(t *testing.T) {
	p := newPlane(t)
	p.do("PUT", "/consumers/ana", `{}`, 200)
	p.do("POST", "/consumers/ana/key-auth", `{}`, 201)
	p.do("PUT", "/services/s", `{"host":"a"}`, 200)
	p.do("POST", "/services/s/plugins", `{"name":"key-auth"}`, 201)
	p.do("PUT", "/services/s/routes/r", `{"paths":["/"]}`, 200)
	p.do("POST", "/routes/r/plugins", `{"name":"audit"}`, 201)
	p.do("POST", "/consumers/ana/plugins", `{"name":"rate-limiting","config":{"second":1}}`, 201)
	p.do("DELETE", "/consumers/ana", "", 204)
	if len(p.ids("/key-auths")) != 0 || len(p.ids("/plugins")) != 2 {
		t.Error("keys or plugins of a consumer that is gone are there")
	}
	p.do("DELETE", "/routes/r", "", 204)
	p.do("DELETE", "/services/s", "", 204)
	if left := p.ids("/plugins"); len(left) != 0 {
		t.Errorf("plugins left: %v", left)
	}
	p.do("PUT", "/services/s", `{"host":"a"}`, 200)
	at := strings.TrimSuffix(p.at, "/core-entities")
	if a := p.call(request{method: "DELETE", target: at, token: p.ours.admin()}); a.status != 204 {
		t.Fatalf("delete the control plane: %d %s", a.status, a.body)
	}
	p.do("GET", "/services", "", 404)
	p.do("POST", "/services", `{"host":"a"}`, 404)
}

func TestPagesOfALongListHaveEachEntityOnceAlthoughSomeGo(t *testing.T) {
	p := newPlane(t)
	const count = 23
	for i := range count {
		p.do("PUT", fmt.Sprintf("/consumers/c%d", i), fmt.Sprintf(`{"tags":["all","of%d"]}`, i%2), 200)
	}
	seen := map[string]int{}
	target := "/consumers?size=5"
	for pages := 0; target != ""; pages++ {
		page := p.do("GET", target, "", 200)
		for _, d := range page["data"].([]any) {
			seen[d.(map[string]any)["id"].(string)]++
		}
		if pages == 0 {
			last := page["data"].([]any)[4].(map[string]any)["id"].(string)
			p.do("DELETE", "/consumers/"+last, "", 204)
		}
		next, _ := page["next"].(string)
		target = strings.TrimPrefix(next, p.at)
	}
	if len(seen) != count {
		t.Errorf("%d of %d consumers were listed", len(seen), count)
	}
	if odd, both, either := len(p.ids("/consumers?tags=of1")), len(p.ids("/consumers?tags=all,of1")), len(p.ids("/consumers?tags=of0/of1")); odd != both || either != count-1 {
		t.Errorf("tags: %d, %d of both, %d of either", odd, both, either)
	}
	tagged := p.do("GET", "/tags/all?size=4", "", 200)
	if len(tagged["data"].([]any)) != 4 || tagged["offset"] == nil {
		t.Errorf("what has a tag: %v", tagged)
	}
	rest := p.do("GET", "/tags?size=1000&offset="+tagged["offset"].(string), "", 200)
	if n := len(rest["data"].([]any)); n < 2*(count-1)-8 || n > 2*(count-1)-4 {
		t.Errorf("%d tags after the offset", n)
	}
}

func TestEachChangeOfAnEntityIsRecordedWithItsAddress(t *testing.T) {
	p := newPlane(t)
	p.do("PUT", "/consumers/ana", `{}`, 200)
	a := p.call(request{method: "POST", target: p.at + "/consumers/ana/key-auth", token: p.ours.admin(), body: `{"key":"top-secret"}`})
	if len(a.events) != 3 || a.events[1].Kind != audit.Authorization || a.events[2].Status != 201 {
		t.Fatalf("events: %+v", a.events)
	}
	if want := strings.TrimPrefix(p.at, "/v2/") + "/consumers/ana/key-auth"; a.events[1].Resource != want {
		t.Errorf("the check was of %s, want %s", a.events[1].Resource, want)
	}
	for _, e := range a.events {
		if strings.Contains(fmt.Sprintf("%+v", e), "top-secret") {
			t.Errorf("an event tells the key: %+v", e)
		}
	}
}

func TestADataPlaneWaitsForAChangeOfItsConfiguration(t *testing.T) {
	p := newPlane(t)
	at := strings.NewReplacer("/v2/", "/trailhook/v1/", "/core-entities", "/configuration").Replace(p.at)
	ask := func(tag, wait string) answered {
		return send(t, p.api, request{method: "GET", target: at + "?wait=" + wait, token: p.ours.admin(), header: http.Header{"If-None-Match": {tag}}})
	}
	first := ask("", "0")
	tag := first.header.Get("ETag")
	if first.status != 200 || tag == "" || !strings.Contains(first.body, `"services":[]`) {
		t.Fatalf("%d %s %s", first.status, tag, first.body)
	}
	if same := ask(tag, "0"); same.status != 304 || same.body != "" {
		t.Errorf("nothing has changed: %d %s", same.status, same.body)
	}
	changed := make(chan answered, 1)
	go func() { changed <- ask(tag, "30") }()
	// Not by call, which holds events against one request: that of the wait come too.
	if a := send(t, p.api, request{method: "PUT", target: p.at + "/services/s", token: p.ours.admin(), body: `{"host":"a"}`}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	select {
	case got := <-changed:
		if got.status != 200 || !strings.Contains(got.body, `"host":"a"`) || got.header.Get("ETag") == tag {
			t.Errorf("after a change: %d %s", got.status, got.body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the change is not told")
	}
	p.api.EndWaits()
	if got := ask(p.call(request{method: "GET", target: at, token: p.ours.admin()}).header.Get("ETag"), "30"); got.status != 304 {
		t.Errorf("at the end: %d", got.status)
	}
	if got := ask("", "31"); got.status != 400 {
		t.Errorf("too long a wait: %d", got.status)
	}
}
