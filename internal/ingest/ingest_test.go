package ingest_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/ingest"
	"github.com/trailhook/trailhook/internal/journal"
)

// ofEveryKind are events of ours as the pull API gives them.
func ofEveryKind(organization string) []audit.Event {
	base := audit.Event{
		Time: now, Product: audit.ProductKonnect, Source: "2001:db8::7", OrgID: organization, PrincipalID: "someone",
		PrincipalName: "Ada", TraceID: 1<<63 - 1, UserAgent: "browser/1 <é日本\"\\\t>",
	}
	authentication, authorization, access := base, base, base
	authentication.Kind, authentication.AuthType, authentication.Outcome = audit.Authentication, audit.AuthSSO, audit.OutcomeLocked
	authentication.Request, authentication.PortalID, authentication.Product = "/login", "portal", audit.ProductDevPortal
	authorization.Kind, authorization.Service, authorization.Resource = audit.Authorization, "billing", "invoices/7"
	authorization.Action, authorization.Granted, authorization.ActorID, authorization.KongInitiated = "edit", true, "actor", true
	access.Kind, access.Method, access.Request, access.Query, access.Status = audit.Access, "PUT", "/invoices/7", "a=b&c", 204
	return []audit.Event{authentication, authorization, access}
}

func TestWhatWasPulledIsRecordedAsItWas(t *testing.T) {
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(make([]byte, 32)))
	for name, form := range map[string]func([]string) string{
		"array": func(s []string) string { return " \n[" + strings.Join(s, ",\n ") + "]\n" },
		"lines": func(s []string) string { return "\r\n" + strings.Join(s, "\r\n\n  ") },
	} {
		for _, coding := range []string{"", "identity", "gzip", "GZIP"} {
			t.Run(name+" "+coding, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				want := ofEveryKind(w.ours.id)
				pulled := make([]string, len(want))
				for i := range want {
					pulled[i] = string(signer.AppendPull(nil, &want[i]))
				}
				body := form(pulled)
				if strings.EqualFold(coding, "gzip") {
					body = zipped(t, body)
				}
				a := w.send(body, "Content-Encoding", coding)
				if a.status != 201 || a.body != `{"recorded":3}` || a.header.Get("Content-Type") != "application/json" {
					t.Fatalf("%d %s", a.status, a.body)
				}
				ingested, calls := w.recorded()
				if diff := cmp.Diff(want, ingested); diff != "" {
					t.Errorf("recorded (-want +got):\n%s", diff)
				}
				checkCall(t, w, a, calls)
			})
		}
	}
}

// checkCall: the call itself is recorded like every other.
func checkCall(t *testing.T, w *world, a answered, calls []audit.Event) {
	t.Helper()
	if len(calls) != 3 {
		t.Fatalf("%d events of the call", len(calls))
	}
	authentication, authorization, access := calls[0], calls[1], calls[2]
	for _, e := range calls {
		if fmt.Sprint(e.TraceID) != a.header.Get("X-Request-Id") || e.PrincipalID != w.ours.system.ID || e.OrgID != w.ours.id {
			t.Errorf("%+v", e)
		}
	}
	if authentication.AuthType != audit.AuthSPAT || authentication.Outcome != audit.OutcomeSuccess {
		t.Errorf("%+v", authentication)
	}
	if authorization.Resource != "audit-events" || authorization.Action != "create" || !authorization.Granted {
		t.Errorf("%+v", authorization)
	}
	if access.Method != "POST" || access.Request != ingest.Path || access.Status != a.status {
		t.Errorf("%+v", access)
	}
}

func TestOnlyWhoMayRecordsEvents(t *testing.T) {
	w := newWorld(t)
	body := array(events(1))
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"nobody", "nonsense", 401},
		{"a viewer of audit logs", w.ours.viewer, 403},
		{"an admin", w.ours.admin, 201},
		{"a writer", w.ours.writer, 201},
	} {
		if a := w.send(body, as(c.token)...); a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if ingested, _ := w.recorded(); len(ingested) != 2 {
		t.Errorf("%d events are recorded", len(ingested))
	}
	kept := w.registry.Tokens(w.ours.id, w.ours.system.ID)
	if _, err := w.registry.RevokeToken(t.Context(), w.ours.id, w.ours.system.ID, kept[0].ID, w.ours.system.ID); err != nil {
		t.Fatal(err)
	}
	if a := w.send(body); a.status != 401 {
		t.Errorf("a writer whose token was revoked: %d", a.status)
	}
}

func TestAWriterMayDoNothingElse(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v2/control-planes", "/v3/audit-log-destinations", "/v3/audit-log-webhook"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.ours.writer)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 403 {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
}

func TestEventsBelongToTheCallersOrganizationAndRegion(t *testing.T) {
	w := newWorld(t)
	nobodys, ours, theirs := event(0), event(1), event(2)
	ours.OrgID, theirs.OrgID = w.ours.id, w.theirs.id
	if a := w.send(array([]audit.Event{nobodys, ours}), "Host", "eu.api.trailhook.example"); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	nobodys.OrgID = w.ours.id
	ingested, _ := w.recordedIn("eu", w.ours)
	if diff := cmp.Diff([]audit.Event{nobodys, ours}, ingested); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a := w.send(array([]audit.Event{ours, theirs}))
	checkRefused(t, w, a, `[1].org_id invalid`)
	if theirs, _ := w.recordedIn("us", w.theirs); len(theirs) != 0 {
		t.Errorf("%d events are recorded as theirs", len(theirs))
	}
}

// checkRefused: a 400 that names exactly these, and nothing recorded in us.
func checkRefused(t *testing.T, w *world, a answered, want ...string) {
	t.Helper()
	if a.status != 400 || a.problem.Detail != "Invalid Parameters" {
		t.Errorf("%d %.300s", a.status, a.body)
	}
	var got []string
	for _, p := range a.problem.InvalidParameters {
		got = append(got, p.Field+" "+p.Rule)
		if p.Reason == "" || p.Source != "body" && p.Source != "header" || (p.Rule == "enum") != (len(p.Choices) > 0) {
			t.Errorf("%+v", p)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	if ingested, _ := w.recorded(); len(ingested) != 0 {
		t.Errorf("%d events are recorded", len(ingested))
	}
}

func TestOneBadEventRefusesAllAndIsNamed(t *testing.T) {
	w := newWorld(t)
	bodies := strings.Split(lines(events(1000)), "\n")
	bodies = bodies[:1000]
	bodies[0] = strings.Replace(bodies[0], `"POST"`, `7`, 1)
	bodies[499] = strings.Replace(bodies[499], `,"status_code":201`, ``, 1)
	bodies[500] = strings.Replace(bodies[500], `"type":"gateway_access"`, `"type":"access"`, 1)
	bodies[999] += bodies[998]
	want := []string{"[0].method is_string", "[499].status_code required", "[500].type enum", "[999] is_object"}
	checkRefused(t, w, w.send(strings.Join(bodies, "\n\n")), want...)
	checkRefused(t, w, w.send("["+strings.Join(bodies, ",")+"]"), want...)
}

func TestAnAnswerNamesTheFirstTwentyBadEvents(t *testing.T) {
	w := newWorld(t)
	list := events(1000)
	var want []string
	for i := 5; i < len(list); i += 5 {
		list[i].Status = 99
		if len(want) < 20 {
			want = append(want, fmt.Sprintf("[%d].status_code min", i))
		}
	}
	checkRefused(t, w, w.send(array(list)), want...)
}

func TestEventsOfTheFutureAndOfLongAgoAreRefused(t *testing.T) {
	w := newWorld(t)
	at := func(d time.Duration) audit.Event {
		e := event(0)
		e.Time = e.Time.Add(d)
		return e
	}
	ahead, old := 5*time.Minute, -journal.DefaultRetention
	checkRefused(t, w, w.send(array([]audit.Event{at(ahead), at(ahead + time.Millisecond), at(old), at(old - time.Millisecond)})), "[1].ts max", "[3].ts min")
	if a := w.send(array([]audit.Event{at(ahead), at(old)})); a.status != 201 {
		t.Errorf("at the limits: %d %s", a.status, a.body)
	}
}

func TestABodyThatIsNoEventsIsRefused(t *testing.T) {
	w := newWorld(t)
	one := join(events(1), "")
	body := []string{"body invalid"}
	for text, want := range map[string][]string{
		"":                           body,
		" \r\n\t":                    body,
		"[]":                         body,
		" [ \n] ":                    body,
		"[" + one:                    body,
		"[" + one + "]" + one:        body,
		"[" + one + "}":              body,
		`["`:                         body,
		`["\`:                        body,
		"[,]":                        {"[0] is_object", "[1] is_object"},
		"[" + one + ",]":             {"[1] is_object"},
		"[" + one + " " + one + "]":  {"[0] is_object"},
		"[[" + one + "]]":            {"[0] is_object"},
		"null":                       {"[0] is_object"},
		"{}":                         {"[0].type required"},
		one + "," + one:              {"[0] is_object"},
		one + "\n]":                  {"[1] is_object"},
		"\uFEFF" + one:               {"[0] is_object"},
		"{\n" + one[1:]:              {"[0] is_object", "[1] is_object"},
		one[:len(one)-1] + `,"x":1}`: {"[0].x unknown_property"},
	} {
		checkRefused(t, w, w.send(text), want...)
	}
}

func TestABodyInAnUnknownOrBrokenCodingIsRefused(t *testing.T) {
	w := newWorld(t)
	body := array(events(100))
	for _, coding := range []string{"br", "zstd", "deflate", "gzip, gzip", "nonsense"} {
		a := w.send(body, "Content-Encoding", coding)
		if a.status != 415 || a.header.Get("Accept-Encoding") != "gzip, identity" {
			t.Errorf("%s: %d %s", coding, a.status, a.body)
		}
	}
	whole := zipped(t, body)
	for name, broken := range map[string]string{
		"plain": body, "cut": whole[:len(whole)/2], "damaged": whole[:len(whole)-8] + strings.Repeat("\x00", 8),
		"followed by something": whole + "x", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, w, w.send(broken, "Content-Encoding", "gzip"), "body invalid")
		})
	}
	if a := w.send(zipped(t, "[")+zipped(t, body[1:]), "Content-Encoding", "gzip"); a.status != 201 {
		t.Errorf("gzip of two members: %d %s", a.status, a.body)
	}
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	w := newWorld(t)
	one := array(events(1))
	full := one + strings.Repeat(" ", ingest.MaxBody-len(one))
	for name, c := range map[string]struct {
		body, coding string
		status       int
	}{
		"as large as may be":             {full, "", 201},
		"as large as may be, compressed": {zipped(t, full), "gzip", 201},
		"larger":                         {full + " ", "", 413},
		"larger when decompressed":       {zipped(t, full+" "), "gzip", 413},
		"a bomb":                         {zipped(t, strings.Repeat(" ", 12<<20)), "gzip", 413},
		"as many as may be":              {array(tiny(ingest.MaxEvents)), "", 201},
		"as many lines as may be":        {lines(tiny(ingest.MaxEvents)), "", 201},
		"more":                           {array(tiny(ingest.MaxEvents + 1)), "", 413},
		"more lines":                     {lines(tiny(ingest.MaxEvents + 1)), "", 413},
	} {
		if a := w.send(c.body, "Content-Encoding", c.coding); a.status != c.status {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
	}
	if ingested, _ := w.recorded(); len(ingested) != 2+2*ingest.MaxEvents {
		t.Errorf("%d events are recorded", len(ingested))
	}
}

// tiny are events of few bytes, so that many fit into a body.
func tiny(n int) []audit.Event {
	list := make([]audit.Event, n)
	for i := range list {
		list[i] = audit.Event{Kind: audit.Authorization, Time: now, Service: "s", Resource: "r", Action: "list", UserAgent: "x"}
	}
	return list
}

func TestABodyOfUnknownLengthThatIsTooLargeIsRefused(t *testing.T) {
	w := newWorld(t)
	body := struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", ingest.MaxBody+1))} // of a type whose length net/http does not know
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+ingest.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.ours.writer)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 413 {
		t.Errorf("%s", response.Status)
	}
}

func TestAnEventThatTheJournalHasNoRoomForIsNamed(t *testing.T) {
	w := newWorld(t)
	list := events(3)
	list[1].UserAgent = strings.Repeat("x", 2<<20)
	checkRefused(t, w, w.send(array(list)), "[1] invalid")
	checkRefused(t, w, w.send(array(list), "Idempotency-Key", "k"), "[1] invalid")
}

// refusing is a journal that is full.
type refusing struct{}

func (refusing) Append(context.Context, string, ...audit.Event) error { return journal.ErrFull }
func (refusing) AppendOnce(context.Context, string, string, []byte, ...audit.Event) ([]byte, error) {
	return nil, fmt.Errorf("journal: append: %w", broker.ErrUnavailable)
}

func TestWhatTheJournalCannotTakeIsAnswered503(t *testing.T) {
	w := newWorld(t)
	url := w.serve(refusing{})
	for _, key := range [][]string{nil, {"Idempotency-Key", "k"}} {
		a := w.sendTo(url, array(events(1)), key...)
		if a.status != 503 || a.header.Get("Retry-After") == "" || a.problem.Status != 503 {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if _, calls := w.recorded(); len(calls) != 6 || calls[2].Status != 503 {
		t.Errorf("of the calls are recorded: %+v", calls)
	}
}

func TestTheAnswerIsJSON(t *testing.T) {
	w := newWorld(t)
	var answer struct{ Recorded int }
	if a := w.send(lines(events(7))); json.Unmarshal([]byte(a.body), &answer) != nil || answer.Recorded != 7 {
		t.Errorf("%s", a.body)
	}
}
