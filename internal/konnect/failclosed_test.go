package konnect

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
)

// refusing is a journal that takes the kinds of event that it is not told to
// refuse.
type refusing struct {
	recorder.Journal
	kind audit.Kind
}

func (j refusing) Append(ctx context.Context, region string, events ...audit.Event) error {
	for _, e := range events {
		if e.Kind == j.kind {
			return errors.New("no room")
		}
	}
	return j.Journal.Append(ctx, region, events...)
}

// changing are calls that would each change something of a world.
func (w *world) changing() []request {
	destination, cp := w.newDestination(w.ours, "d"), w.newControlPlane(w.ours, "cp")
	return []request{
		{method: "PATCH", target: "/v2/control-planes/" + cp, body: `{"name":"changed"}`},
		{method: "PATCH", target: "/v3/audit-log-destinations/" + destination, body: `{"name":"changed"}`},
		{method: "PATCH", target: "/v2/audit-log-webhook", body: `{"endpoint":"https://siem.example/"}`},
		{method: "POST", target: "/v2/control-planes", body: `{"name":"new"}`},
		{method: "DELETE", target: "/v2/control-planes/" + cp},
		{method: "POST", target: "/v3/audit-log-destinations", body: newDestinationBody},
		{method: "DELETE", target: "/v3/audit-log-destinations/" + w.newDestination(w.ours, "other")},
		{method: "PATCH", target: "/v3/audit-log-webhook", body: `{"audit_log_destination_id":"` + destination + `","enabled":true}`},
	}
}

func (w *world) untouched() bool {
	_, err := w.registry.Webhook(registry.Scope{Region: "us", Organization: w.ours.id})
	return errors.Is(err, registry.ErrNotFound) &&
		len(w.registry.ControlPlanes(w.ours.id, "us")) == 1 && len(w.registry.Destinations(w.ours.id)) == 2 &&
		w.registry.ControlPlanes(w.ours.id, "us")[0].Name == "cp" && !slices.ContainsFunc(w.registry.Destinations(w.ours.id),
		func(d registry.Destination) bool { return d.Name == "changed" })
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	for name, breakIt := range map[string]func(*world) *API{
		"the broker is closed":                func(w *world) *API { w.broker.Close(); return w.api },
		"the journal refuses authentications": func(w *world) *API { return w.apiOn(refusing{w.journal, audit.Authentication}) },
		"the journal refuses authorizations":  func(w *world) *API { return w.apiOn(refusing{w.journal, audit.Authorization}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			calls := append(w.changing(),
				request{method: "GET", target: "/v2/control-planes"},
				request{method: "GET", target: "/v3/audit-log-webhook/status"})
			if !strings.Contains(name, "authorizations") { // these have none
				calls = append(calls, request{method: "GET", target: "/v9/nothing"}, request{method: "PUT", target: "/v2/control-planes"},
					request{method: "GET", target: "/v2/control-planes", token: "kpat_bad"})
			}
			api := breakIt(w)
			for _, q := range calls {
				if q.token == "" {
					q.token = w.ours.admin()
				}
				a := send(t, api, q)
				if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "data") {
					t.Errorf("%s: %d %s", q, a.status, a.body)
				}
				a.problem(t)
			}
			if !w.untouched() {
				t.Error("something was changed")
			}
			if a := send(t, api, request{method: "GET", target: "/v3/audit-log-webhook/jwks.json"}); a.status != 200 {
				t.Errorf("the keys, which leave no events: %d", a.status)
			}
		})
	}
}

func TestNobodyIsToldOfAnActionThatIsNotFullyRecorded(t *testing.T) {
	w := newWorld(t)
	api := w.apiOn(refusing{w.journal, audit.Access})
	for _, q := range append(w.changing(), request{method: "POST", target: "/v2/control-planes", body: `{`},
		request{method: "POST", target: "/v2/control-planes", token: "kpat_bad"}, request{method: "DELETE", target: "/v9/nothing"}) {
		if q.token == "" {
			q.token = w.ours.admin()
		}
		a := send(t, api, q)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Allow") != "" {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
		a.problem(t)
	}
	if a := send(t, api, request{method: "GET", target: "/v2/control-planes", token: w.ours.admin()}); a.status != 200 {
		t.Errorf("a GET, which makes no access event: %d", a.status)
	}
}

func TestACallOfAClientThatHungUpIsDoneAndRecordedAsAnyOther(t *testing.T) {
	w := newWorld(t)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, test := range []struct {
		request
		events int
	}{
		{request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(), body: `{"name":"n"}`}, 3},
		{request{method: "GET", target: "/v2/control-planes", token: w.ours.admin()}, 2},
		{request{method: "GET", target: "/v2/control-planes", token: "kpat_bad"}, 1},
	} {
		for range 5 {
			before := w.last()
			a := serve(w.api, test.build(t).WithContext(gone))
			events := w.eventsAfter(before)
			if a.status >= 500 || len(events) != test.events {
				t.Fatalf("%s: %d %s, %d events", test.request, a.status, a.body, len(events))
			}
			if last := events[len(events)-1]; last.Kind == audit.Access && last.Status != a.status {
				t.Errorf("%s: answered %d, recorded %d", test.request, a.status, last.Status)
			}
		}
	}
	if len(w.registry.ControlPlanes(w.ours.id, "us")) != 1 {
		t.Error("the control plane was not made")
	}
}

type brokenOff struct{ io.Reader }

func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestABodyThatBreaksOffIsTheClientsMistake(t *testing.T) {
	w := newWorld(t)
	r := request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(), body: `{"name":"n"}`}.build(t)
	r.Body = io.NopCloser(brokenOff{r.Body})
	a := serve(w.api, r)
	if p := a.problem(t); a.status != 400 || len(p.InvalidParameters) != 1 || p.InvalidParameters[0].Rule != "invalid" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if len(w.registry.ControlPlanes(w.ours.id, "us")) != 0 {
		t.Error("a control plane was made of half a body")
	}
}

func TestAPanicIsAnsweredAsAProblemAndRecorded(t *testing.T) {
	w := newWorld(t)
	type nothing struct{}
	for _, method := range []string{"GET", "POST"} {
		register(w.api, route{id: "panic-" + method, method: method, path: "/v3/panic", summary: "p",
			action: registry.List, resource: "control-planes", status: 200, tag: "t"},
			func(context.Context, *nothing) (*nothing, error) { panic("the secret hunter2") })
	}
	for method, kinds := range map[string]int{"GET": 2, "POST": 3} {
		a := w.call(request{method: method, target: "/v3/panic", token: w.ours.admin()})
		a.problem(t)
		if a.status != 500 || strings.Contains(a.body, "hunter2") || len(a.events) != kinds {
			t.Fatalf("%s: %d %s, %d events", method, a.status, a.body, len(a.events))
		}
		if last := a.events[len(a.events)-1]; method == "POST" && (last.Kind != audit.Access || last.Status != 500) {
			t.Errorf("recorded as %+v", last.Event)
		}
	}
}
