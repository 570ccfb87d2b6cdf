package alert

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

func auditLines(format audit.Format, events ...audit.Event) (lines []string) {
	for i := range events {
		events[i].TraceID = uint64(i + 1)
		lines = append(lines, string(audit.AppendUnsigned(nil, format, &events[i])))
	}
	return lines
}

func TestEachShippedAlertFiresOnWhatItIsForAndOnNothingElse(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	access := func(status int, kong bool) audit.Event {
		return audit.Event{Kind: audit.Access, Time: at, Source: "10.0.0.1", OrgID: "o", PrincipalID: "p", Request: "/v2/x", Method: "POST", Status: status, KongInitiated: kong}
	}
	authentication := func(how audit.AuthType, outcome audit.Outcome) audit.Event {
		return audit.Event{Kind: audit.Authentication, Time: at, Source: "10.0.0.1", OrgID: "o", PrincipalID: "p", Request: "/v2/x", AuthType: how, Outcome: outcome}
	}
	authorization := func(granted, kong bool) audit.Event {
		return audit.Event{Kind: audit.Authorization, Time: at, Source: "10.0.0.1", OrgID: "o", PrincipalID: "p", Service: "konnect", Resource: "portals", Action: "list",
			Granted: granted, KongInitiated: kong}
	}
	failures := func(n int, from string) []audit.Event {
		events := slices.Repeat([]audit.Event{authentication(audit.AuthBasic, audit.OutcomeInvalidPassword)}, n)
		for i := range events {
			events[i].Source = from
		}
		return events
	}
	one := func(e audit.Event) []audit.Event { return []audit.Event{e} }
	formats := []audit.Format{audit.CEF, audit.JSON}
	for i, test := range []struct {
		id           string
		fires, quiet []audit.Event
	}{
		{"konnect-severity-10", one(access(500, false)), []audit.Event{access(500, true), access(403, false), access(200, false)}},
		{"konnect-severity-6", one(access(403, false)), []audit.Event{access(403, true), access(404, false), access(503, false), authorization(false, true)}},
		{"konnect-locked", one(authentication(audit.AuthBasic, audit.OutcomeLocked)), one(authentication(audit.AuthBasic, audit.OutcomeDisabled))},
		{"konnect-disabled", one(authentication(audit.AuthPAT, audit.OutcomeDisabled)), one(authentication(audit.AuthBasic, audit.OutcomeLocked))},
		{"konnect-authentication-severity-7", one(authentication(audit.AuthInvalid, audit.OutcomeInvalid)),
			[]audit.Event{authentication(audit.AuthPAT, audit.OutcomeTokenExpired), authentication(audit.AuthBasic, audit.OutcomeLocked), access(500, false)}},
		{"konnect-failed-authentications", failures(11, "10.0.0.1"), slices.Concat(failures(10, "10.0.0.1"), failures(10, "10.0.0.2"),
			slices.Repeat(one(authentication(audit.AuthPAT, audit.OutcomeSuccess)), 20))},
		{"konnect-denied", one(authorization(false, false)), []audit.Event{authorization(true, false), authorization(false, true), access(403, false)}},
	} {
		w := start(t)
		s, err := w.alerts.Search(test.id)
		if err != nil || s.enabled() || s.Owner != Shipped {
			t.Fatalf("%+v %v", s, err)
		}
		s = w.update(s, func(g *Setting) { g.Alert.Enabled, g.Alert.Webhook = true, &WebhookSetting{URL: w.receiver.URL} })
		w.receive(auditLines(formats[i%2], test.quiet...)...)
		if told := w.step(time.Minute, s); len(told) != 0 {
			t.Errorf("%s: told %+v", test.id, told)
		}
		w.now = w.now.Add(10 * time.Minute)
		w.step(0, s)
		w.receive(auditLines(formats[i%2], shifted(test.fires)...)...)
		if told := w.step(time.Minute, s); len(told) != 1 || told[0].State != fires {
			t.Errorf("%s: told %+v", test.id, told)
		}
	}
}

// shifted makes the events others than those that were sent before.
func shifted(events []audit.Event) []audit.Event {
	for i := range events {
		events[i].Time = events[i].Time.Add(time.Minute)
	}
	return events
}

func TestTheEighthShippedSearchLeavesOutWhatKongInitiated(t *testing.T) {
	w := start(t)
	s, err := w.alerts.Search("konnect-not-kong-initiated")
	if err != nil || s.Alert != nil {
		t.Fatalf("%+v %v", s, err)
	}
	event := audit.Event{Kind: audit.Access, Time: w.now, Source: "10.0.0.1", Request: "/v2/x", Method: "POST", Status: 200}
	byKong := event
	byKong.KongInitiated = true
	w.receive(auditLines(audit.CEF, event, byKong)...)
	if _, err := w.options.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := 0
	asked := search.Search{Query: parsedQuery(t, s.Query)}
	_, err = asked.Run(t.Context(), w.store, func(f search.Found) error {
		found++
		if m := f.Message(); strings.Contains(m.Raw, "kong_initiated") {
			t.Error(m.Raw)
		}
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("%d found, %v", found, err)
	}
}

func TestAShippedSearchThatIsDeletedOrChangedStaysSo(t *testing.T) {
	w := start(t)
	if n := len(w.alerts.Searches()); n != 8 {
		t.Fatalf("%d are shipped", n)
	}
	s, err := w.alerts.Search("konnect-locked")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.alerts.Delete(t.Context(), s.ID, s.Revision); err != nil {
		t.Fatal(err)
	}
	denied, _ := w.alerts.Search("konnect-denied")
	w.update(denied, func(g *Setting) { g.Name = "mine" })
	w.reopen()
	if n := len(w.alerts.Searches()); n != 7 {
		t.Errorf("%d are there", n)
	}
	if denied, _ = w.alerts.Search("konnect-denied"); denied.Name != "mine" {
		t.Errorf("%+v", denied)
	}
}

func TestShippedSearchesAreWhatTheyWouldBeIfSomebodySetThem(t *testing.T) {
	for _, s := range shippedSearches() {
		again := s
		given := Setting{Name: s.Name, Description: s.Description, Query: s.Query, Range: s.Range}
		if s.Alert != nil {
			given.Alert = &AlertSetting{Condition: s.Alert.Condition, Every: FormatSpan(s.Alert.Every)}
		}
		if err := again.apply(given); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
		if s.Alert != nil && *again.Alert != *s.Alert {
			t.Errorf("%s: %+v, %+v", s.ID, again.Alert, s.Alert)
		}
	}
}
