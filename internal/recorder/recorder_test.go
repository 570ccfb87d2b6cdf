package recorder_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/recorder"
)

// paper is a journal that is read by looking at it, and that is full at times.
type paper struct {
	full    bool
	regions []string
	appends [][]audit.Event
}

func (p *paper) Append(_ context.Context, region string, events ...audit.Event) error {
	if p.full {
		return errors.New("full")
	}
	p.regions = append(p.regions, region)
	p.appends = append(p.appends, append([]audit.Event(nil), events...))
	return nil
}

var instant = time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))

func begin(p *paper, change func(*http.Request)) *recorder.Trail {
	r := httptest.NewRequest("POST", "/v2/a%2Fb?x=1&y=%20", nil)
	r.Header.Set("User-Agent", "test/1")
	if change != nil {
		change(r)
	}
	return recorder.New(recorder.Options{Journal: p, Now: func() time.Time { return instant }, PrincipalNames: true}).Begin(r, "eu")
}

func TestATrailIsWrittenAtItsCommits(t *testing.T) {
	p := &paper{}
	trail := begin(p, nil)
	ctx := t.Context()
	trail.Authenticated(audit.AuthPAT, audit.OutcomeSuccess, recorder.Principal{OrgID: "org", ID: "someone", Name: "Some One"})
	trail.Authorized("create", "things", true)
	if len(p.appends) != 0 {
		t.Error("something was written before a commit")
	}
	if err := trail.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	trail.Accessed(201)
	if err := trail.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	shared := audit.Event{
		Time: time.Date(2026, 1, 2, 2, 4, 5, 678_000_000, time.UTC), Product: audit.ProductKonnect, Source: "192.0.2.1",
		OrgID: "org", PrincipalID: "someone", PrincipalName: "Some One", TraceID: trail.TraceID(), UserAgent: "test/1",
	}
	authentication, authorization, access := shared, shared, shared
	authentication.Kind, authentication.AuthType, authentication.Outcome = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess
	authentication.Request = "/v2/a%2Fb"
	authorization.Kind, authorization.Service, authorization.Resource = audit.Authorization, recorder.Service, "things"
	authorization.Action, authorization.Granted, authorization.Request = "create", true, "/v2/a%2Fb"
	access.Kind, access.Request, access.Method, access.Status, access.Query = audit.Access, "/v2/a%2Fb", "POST", 201, "x=1&y=%20"
	if diff := cmp.Diff([][]audit.Event{{authentication, authorization}, {access}}, p.appends); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"eu", "eu"}, p.regions); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	for _, events := range p.appends {
		for _, e := range events {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWhatCouldNotBeWrittenIsTriedAgainWithTheNextCommit(t *testing.T) {
	p := &paper{full: true}
	trail := begin(p, nil)
	trail.Authorized("create", "things", false)
	if err := trail.Commit(t.Context()); err == nil {
		t.Fatal("a full journal took it")
	}
	p.full = false
	trail.Accessed(503)
	if err := trail.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(p.appends) != 1 || len(p.appends[0]) != 2 || p.appends[0][0].Kind != audit.Authorization || p.appends[0][1].Kind != audit.Access {
		t.Errorf("written: %+v", p.appends)
	}
}

func TestWhoAFailedAuthenticationLooksLikeIsKnownToTheWholeTrail(t *testing.T) {
	p := &paper{}
	trail := begin(p, nil)
	trail.Authenticated(audit.AuthInvalid, audit.OutcomeInvalid, recorder.Principal{})
	trail.Accessed(401)
	if err := trail.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.appends[0] {
		if e.OrgID != "" || e.PrincipalID != "" || e.TraceID != trail.TraceID() {
			t.Errorf("%+v", e)
		}
	}
}

func TestTheSourceIsTheConnectionsWhateverHeadersSay(t *testing.T) {
	for remote, want := range map[string]string{
		"198.51.100.7:4711":  "198.51.100.7",
		"[2001:db8::1]:4711": "2001:db8::1",
		"@":                  "@", // a Unix socket
		"":                   "",
	} {
		p := &paper{}
		trail := begin(p, func(r *http.Request) {
			r.RemoteAddr = remote
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
				r.Header.Set(name, "203.0.113.9")
			}
		})
		trail.Accessed(200)
		if err := trail.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.appends[0][0].Source; got != want {
			t.Errorf("%q: source %q, want %q", remote, got, want)
		}
	}
}

func TestTraceIDsFitIn63BitsAndDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for range 1000 {
		id := begin(&paper{}, nil).TraceID()
		if id == 0 || id >= 1<<63 || seen[id] {
			t.Fatalf("trace id %d", id)
		}
		seen[id] = true
	}
}
