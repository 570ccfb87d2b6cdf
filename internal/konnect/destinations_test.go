package konnect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask makes a call as our admin that must be answered with the status, and reads
// the answer.
func (w *world) ask(method, target, body string, status int) map[string]any {
	w.tb.Helper()
	a := send(w.tb, w.api, request{method: method, target: target, token: w.ours.admin(), body: body})
	if a.status != status {
		w.tb.Fatalf("%s %s %s: %d %s, want %d", method, target, body, a.status, a.body, status)
	}
	var got map[string]any
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			w.tb.Fatal(err)
		}
	}
	return got
}

// later reports whether a time of an answer is after another.
func later(tb testing.TB, at, than any) bool {
	tb.Helper()
	var times [2]time.Time
	for i, text := range []any{at, than} {
		var err error
		if times[i], err = time.Parse(time.RFC3339, text.(string)); err != nil {
			tb.Fatal(err)
		}
	}
	return times[0].After(times[1])
}

func TestAPatchChangesWhatItNamesAndNothingElse(t *testing.T) {
	w := newWorld(t)
	id := w.newDestination(w.ours, "d")
	path := "/v3/audit-log-destinations/" + id
	want := w.ask("GET", path, "", 200)
	updated := want["updated_at"].(string)
	for i, step := range []struct {
		body   string
		change map[string]any
	}{
		{`{}`, nil},
		{`{"name":null,"authorization":null}`, nil},
		{`{"name":"renamed"}`, map[string]any{"name": "renamed"}},
		{`{"endpoint":"https://siem.example/other?key=a%20b","log_format":"json"}`, map[string]any{"endpoint": "https://siem.example/other?key=a%20b", "log_format": "json"}},
		{`{"skip_ssl_verification":true}`, map[string]any{"skip_ssl_verification": true}},
		{`{"skip_ssl_verification":false,"authorization":"another"}`, map[string]any{"skip_ssl_verification": false}},
	} {
		got := w.ask("PATCH", strings.Replace(path, "v3", []string{"v3", "v2"}[i%2], 1), step.body, 200)
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
		authorization := "key"
		if strings.Contains(step.body, "another") {
			authorization = "another"
		}
		d, err := w.registry.Destination(w.ours.id, id)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := w.registry.Authorization(d); err != nil || kept != authorization {
			t.Errorf("%s: the authorization is %q, %v", step.body, kept, err)
		}
	}
	if diff := cmp.Diff(want, w.ask("GET", path, "", 200)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestAPatchIsHeldToTheRulesOfACreation(t *testing.T) {
	w := newWorld(t)
	path := "/v2/audit-log-destinations/" + w.newDestination(w.ours, "d")
	before := w.ask("GET", path, "", 200)
	for body, field := range map[string]string{
		`{"name":""}`:                          "name",
		`{"name":" "}`:                         "name",
		`{"endpoint":"http://siem.example/"}`:  "endpoint",
		`{"endpoint":""}`:                      "endpoint",
		`{"log_format":"xml"}`:                 "log_format",
		`{"authorization":"a\nb"}`:             "authorization",
		`{"skip_ssl_verification":"no"}`:       "skip_ssl_verification",
		`{"id":"` + unused + `"}`:              "id",
		`{"name":"n","endpoint":"ftp://host"}`: "endpoint",
	} {
		a := w.call(request{method: "PATCH", target: path, token: w.ours.admin(), body: body})
		if p := a.problem(t); a.status != 400 || len(p.InvalidParameters) != 1 || p.InvalidParameters[0].Field != field {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if diff := cmp.Diff(before, w.ask("GET", path, "", 200)); diff != "" {
		t.Errorf("a refused change left something (-before +after):\n%s", diff)
	}
}

func TestPatchesOfDifferentValuesAtOnceAllSurvive(t *testing.T) {
	w := newWorld(t)
	destination, cp := "/v3/audit-log-destinations/"+w.newDestination(w.ours, "d"), "/v2/control-planes/"+w.newControlPlane(w.ours, "cp")
	w.ask("PATCH", "/v2/audit-log-webhook", `{"endpoint":"https://siem.example/webhook"}`, 200)
	want := map[string]map[string]any{
		destination:             {"name": "n", "endpoint": "https://siem.example/n", "log_format": "cps", "skip_ssl_verification": true},
		cp:                      {"name": "n", "description": "d", "labels": map[string]any{"a": "b"}},
		"/v2/audit-log-webhook": {"endpoint": "https://siem.example/n", "log_format": "cps", "skip_ssl_verification": true},
	}
	var group sync.WaitGroup
	for path, values := range want {
		for name, value := range values {
			body, err := json.Marshal(map[string]any{name: value})
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				if a := send(t, w.api, request{method: "PATCH", target: path, token: w.ours.admin(), body: string(body)}); a.status != 200 {
					t.Errorf("PATCH %s %s: %d %s", path, body, a.status, a.body)
				}
			})
		}
	}
	group.Wait()
	for path, values := range want {
		got := w.ask("GET", path, "", 200)
		for name, value := range values {
			if diff := cmp.Diff(value, got[name]); diff != "" {
				t.Errorf("%s: the change of %s is lost (-want +got):\n%s", path, name, diff)
			}
		}
	}
}

func TestFiltersHoldAlongThePages(t *testing.T) {
	w := newWorld(t)
	wanted := []string{}
	for i := range 9 {
		name := fmt.Sprintf("other %d", i)
		if i%2 == 1 || i == 8 {
			name = fmt.Sprintf("a%%b & SIEM=%d", i)
		}
		id := w.newDestination(w.ours, name)
		if strings.Contains(name, "SIEM") {
			wanted = append(wanted, id)
		}
	}
	for _, path := range []string{"/v3/audit-log-destinations", "/v2/audit-log-destinations"} {
		start := path + "?page[size]=2&filter[name][contains]=" + url.QueryEscape("b & SIEM=")
		first := w.destinationPage(start)
		forward := first.ids()
		for page := first; page.Meta.Next != nil; {
			if !strings.HasPrefix(*page.Meta.Next, path+"?") {
				t.Fatalf("next leads from %s to %s", path, *page.Meta.Next)
			}
			before := page
			page = w.destinationPage(*page.Meta.Next)
			forward = append(forward, page.ids()...)
			if back := w.destinationPage(*page.Meta.Previous); !slices.Equal(back.ids(), before.ids()) {
				t.Errorf("previous leads to %v, not %v", back.ids(), before.ids())
			}
		}
		if slices.Sort(wanted); !slices.Equal(wanted, slices.Sorted(slices.Values(forward))) {
			t.Errorf("found %v, want %v", forward, wanted)
		}
		if last := w.destinationPage(first.Meta.Last); !slices.Equal(last.ids(), forward[3:]) {
			t.Errorf("the last page has %v of %v", last.ids(), forward)
		}
		exact := w.destinationPage(path + "?filter[name][eq]=" + url.QueryEscape("a%b & SIEM=3"))
		if len(exact.Data) != 1 || exact.Data[0].Name != "a%b & SIEM=3" || exact.Meta.Next != nil {
			t.Errorf("by name: %+v", exact)
		}
		for _, none := range []string{"filter[name][eq]=siem", "filter[name][contains]=b+%26+siem", "filter[name][eq]=other+0&filter[name][contains]=SIEM"} {
			if page := w.destinationPage(path + "?" + none); len(page.Data) != 0 || page.Meta.Next != nil || page.Meta.Previous != nil {
				t.Errorf("%s: %+v", none, page)
			}
		}
	}
}

func TestACursorHoldsWhenItsItemIsRenamedOutOfTheFilter(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.newDestination(w.ours, fmt.Sprint("SIEM ", i))
	}
	first := w.destinationPage("/v3/audit-log-destinations?page[size]=2&filter[name][contains]=SIEM")
	w.ask("PATCH", "/v3/audit-log-destinations/"+first.Data[1].ID, `{"name":"other"}`, 200)
	if second := w.destinationPage(*first.Meta.Next); len(second.Data) != 2 || slices.Contains(second.ids(), first.Data[0].ID) {
		t.Errorf("the next page: %+v", second)
	}
}
