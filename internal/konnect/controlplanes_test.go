package konnect

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/registry"
)

// listed are the names of the control planes that the query lists.
func (w *world) listed(query string) string {
	w.tb.Helper()
	var names []string
	got := w.ask("GET", "/v2/control-planes?"+query, "", 200)
	for _, cp := range got["data"].([]any) {
		names = append(names, cp.(map[string]any)["name"].(string))
	}
	if total := got["meta"].(map[string]any)["page"].(map[string]any)["total"]; !strings.Contains(query, "page[") && total != float64(len(names)) {
		w.tb.Errorf("%s: %d items, total %v", query, len(names), total)
	}
	return strings.Join(names, " ")
}

func TestControlPlanesAreFilteredAndSorted(t *testing.T) {
	w := newWorld(t)
	ids := map[string]string{}
	for _, cp := range []registry.ControlPlane{
		{Name: "delta", ClusterType: clusterTypes[0], Labels: map[string]string{"env": "test", "team": "a"}},
		{Name: "alpha", ClusterType: clusterTypes[1], Labels: map[string]string{"env": "prod"}},
		{Name: "Beta", ClusterType: clusterTypes[0], CloudGateway: true, Labels: map[string]string{"team": "b"}},
		{Name: "alphabet", ClusterType: clusterTypes[2]},
	} {
		cp.OrgID, cp.Region = w.ours.id, "us"
		made, err := w.registry.CreateControlPlane(t.Context(), cp)
		if err != nil {
			t.Fatal(err)
		}
		ids[cp.Name] = made.ID
	}
	byAge := w.listed("")
	for _, test := range []struct{ query, want string }{
		{"sort=name", "Beta alpha alphabet delta"},
		{"sort=name%20desc", "delta alphabet alpha Beta"},
		{"sort=name+asc", "Beta alpha alphabet delta"},
		{"sort=created_at", byAge},
		{"sort=created_at,name+desc&filter[name][eq]=alpha", "alpha"},
		{"filter[name][eq]=alpha", "alpha"},
		{"filter[name][eq]=ALPHA", ""},
		{"sort=name&filter[name][contains]=alpha", "alpha alphabet"},
		{"sort=name&filter[name][contains]=alpha&filter[name][neq]=alpha", "alphabet"},
		{"sort=name&filter[name][neq]=alpha", "Beta alphabet delta"},
		{"filter[id][eq]=" + ids["Beta"], "Beta"},
		{"filter[id][eq]=beta", ""},
		{"sort=name&filter[id][oeq]=" + ids["Beta"] + "," + unused + "," + ids["alpha"], "Beta alpha"},
		{"sort=name&filter[cluster_type][eq]=" + clusterTypes[0], "Beta delta"},
		{"sort=name&filter[cluster_type][neq]=" + clusterTypes[0], "alpha alphabet"},
		{"sort=name&filter[cluster_type][oeq]=" + clusterTypes[1] + "," + clusterTypes[2], "alpha alphabet"},
		{"filter[cloud_gateway]=true", "Beta"},
		{"sort=name&filter[cloud_gateway]=false", "alpha alphabet delta"},
		{"labels=env:test", "delta"},
		{"labels=env:test,team", "delta"},
		{"labels=env:test,team:b", ""},
		{"sort=name&labels=team", "Beta delta"},
		{"labels=" + url.QueryEscape("env:"), ""},
		{"sort=name&page[size]=1&page[number]=2&filter[name][contains]=alpha", "alphabet"},
		{"unheard=of&filter[name][eq]=delta", "delta"},
	} {
		if got := w.listed(test.query); got != test.want {
			t.Errorf("%s: %q, want %q", test.query, got, test.want)
		}
	}
}

func TestAControlPlanesLife(t *testing.T) {
	w := newWorld(t)
	want := w.ask("POST", "/v2/control-planes", `{"name":"cp","description":" as  it was sent\n","labels":{"KONGCTL-namespace":"default","a":"1"}}`, 201)
	path := "/v2/control-planes/" + want["id"].(string)
	updated := want["updated_at"].(string)
	for _, step := range []struct {
		body   string
		change map[string]any
	}{
		{`{}`, nil},
		{`{"name":null,"description":null,"labels":null,"proxy_urls":null}`, nil},
		{`{"name":"cp"}`, nil},
		{`{"name":"renamed","description":""}`, map[string]any{"name": "renamed", "description": ""}},
		{`{"labels":{"b":"2","a":null}}`, map[string]any{"labels": map[string]any{"b": "2"}}},
		{`{"labels":{}}`, map[string]any{"labels": map[string]any{}}},
	} {
		got := w.ask("PATCH", path, step.body, 200)
		if !later(t, got["updated_at"], updated) {
			t.Errorf("%s: updated_at is %s after %s", step.body, got["updated_at"], updated)
		}
		updated = got["updated_at"].(string)
		want["updated_at"] = updated
		for name, value := range step.change {
			want[name] = value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.body, diff)
		}
	}
	config := w.ask("PATCH", path, `{"auth_type":"pki_client_certs","proxy_urls":[{"host":"h","port":1,"protocol":"p"}]}`, 200)["config"].(map[string]any)
	if config["auth_type"] != "pki_client_certs" || len(config["proxy_urls"].([]any)) != 1 || config["cluster_type"] != clusterTypes[0] {
		t.Errorf("config: %v", config)
	}
	if config := w.ask("PATCH", path, `{"proxy_urls":[]}`, 200)["config"].(map[string]any); len(config["proxy_urls"].([]any)) != 0 {
		t.Errorf("proxy_urls that were taken away: %v", config)
	}
	for body, field := range map[string]string{
		`{"name":""}`: "name", `{"cluster_type":"` + clusterTypes[0] + `"}`: "cluster_type", `{"labels":{"-":"x"}}`: "labels.-",
		`{"labels":{"x":5}}`: "labels.x", `{"auth_type":"none"}`: "auth_type", `{"proxy_urls":[{}]}`: "proxy_urls[0].host",
	} {
		a := w.call(request{method: "PATCH", target: path, token: w.ours.admin(), body: body})
		if p := a.problem(t); a.status != 400 || p.InvalidParameters[0].Field != field {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	w.ask("DELETE", path, "", 204)
	w.ask("GET", path, "", 404)
	w.ask("PATCH", path, `{}`, 404)
	w.ask("DELETE", path, "", 404)
}

func TestANameIsFreeAtOnceWhenItsControlPlaneIsGoneOrRenamed(t *testing.T) {
	w := newWorld(t)
	a, b := "/v2/control-planes/"+w.newControlPlane(w.ours, "a"), "/v2/control-planes/"+w.newControlPlane(w.ours, "b")
	w.ask("PATCH", a, `{"name":"b"}`, 409)
	w.ask("PATCH", a, `{"name":"c"}`, 200)
	w.ask("PATCH", b, `{"name":"a"}`, 200)
	w.ask("PATCH", a, `{"name":"b"}`, 200)
	w.ask("POST", "/v2/control-planes", `{"name":"b"}`, 409)
	w.ask("DELETE", a, "", 204)
	w.ask("POST", "/v2/control-planes", `{"name":"b"}`, 201)
	w.ask("POST", "/v2/control-planes", `{"name":"c"}`, 201)
	if got := w.listed("sort=name"); got != "a b c" {
		t.Errorf("at last there are %q", got)
	}
}

func TestOfManyRenamedToOneNameAtOnceOneGetsIt(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	statuses := make([]int, 6)
	for i := range statuses {
		id := w.newControlPlane(w.ours, fmt.Sprint("cp ", i))
		group.Go(func() {
			statuses[i] = send(t, w.api, request{method: "PATCH", target: "/v2/control-planes/" + id, token: w.ours.admin(), body: `{"name":"n"}`}).status
		})
	}
	group.Wait()
	if slices.Sort(statuses); statuses[0] != 200 || statuses[1] != 409 || statuses[5] != 409 {
		t.Errorf("answered %v", statuses)
	}
	if got := w.listed("filter[name][eq]=n"); got != "n" {
		t.Errorf("of the name: %q", got)
	}
}
