package registry

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/seal"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func openRegistry(t *testing.T, dir string, c *clock) (*Registry, func()) {
	t.Helper()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), b, Options{Sealer: sealer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, func() { r.Close(); b.Close() }
}

func newOrganization(t *testing.T, r *Registry) User {
	t.Helper()
	org, err := r.CreateOrganization(t.Context(), "org")
	if err != nil {
		t.Fatal(err)
	}
	user, err := r.CreateUser(t.Context(), User{OrgID: org.ID, Email: "user@example.com", FullName: "user"}, OrganizationAdmin)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func TestBootstrapGivesOneTokenAndOnlyOnce(t *testing.T) {
	dir := t.TempDir()
	r, shut := openRegistry(t, dir, newClock())
	noDisk := errors.New("no disk")
	if _, err := r.Bootstrap(t.Context(), func(string) error { return noDisk }); !errors.Is(err, noDisk) {
		t.Fatalf("a token that could not be kept: %v", err)
	}
	kept := ""
	keep := func(token string) error { kept = token; return nil }
	token, err := r.Bootstrap(t.Context(), keep)
	if err != nil || token == "" || token != kept {
		t.Fatalf("first start: %q, kept %q, %v", token, kept, err)
	}
	if again, err := r.Bootstrap(t.Context(), keep); err != nil || again != "" {
		t.Errorf("second call: %q, %v", again, err)
	}
	shut()
	r, _ = openRegistry(t, dir, newClock())
	if again, err := r.Bootstrap(t.Context(), keep); err != nil || again != "" {
		t.Errorf("second start: %q, %v", again, err)
	}
	result := r.Authenticate(token)
	if result.Outcome != audit.OutcomeSuccess || result.Type != audit.AuthPAT || !result.Principal.May(Delete, "anything", "us") {
		t.Errorf("the admin's token after a restart: %+v", result)
	}
}

func TestOfManyProcessesThatStartAtOnceOneMakesTheFirstToken(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	var group sync.WaitGroup
	tokens := make(chan string, 8)
	for range cap(tokens) {
		group.Go(func() {
			token, err := r.Bootstrap(t.Context(), func(string) error { return nil })
			if err != nil {
				t.Error(err)
			}
			tokens <- token
		})
	}
	group.Wait()
	close(tokens)
	made := 0
	for token := range tokens {
		if token != "" {
			made++
		}
	}
	if made != 1 || len(r.Organizations()) != 1 {
		t.Errorf("%d tokens were made, in %d organizations", made, len(r.Organizations()))
	}
}

func TestAuthenticateTellsWhatIsWrongWithAToken(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	user := newOrganization(t, r)
	good, _, err := r.CreateToken(t.Context(), user, "t", c.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, token string
		how         audit.AuthType
		outcome     audit.Outcome
	}{
		{"good", good, audit.AuthPAT, audit.OutcomeSuccess},
		{"never issued", newToken(personalPrefix), audit.AuthPAT, audit.OutcomeNotFound},
		{"never issued, of a system account", newToken(systemPrefix), audit.AuthSPAT, audit.OutcomeNotFound},
		{"one character changed", strings.Replace(good, good[10:11], string(good[10]^1), 1), audit.AuthInvalid, audit.OutcomeInvalid},
		{"something stuck to its end", good + "-H", audit.AuthInvalid, audit.OutcomeInvalid},
		{"cut", good[:20], audit.AuthInvalid, audit.OutcomeInvalid},
		{"empty", "", audit.AuthInvalid, audit.OutcomeInvalid},
		{"another prefix", "x" + good, audit.AuthInvalid, audit.OutcomeInvalid},
	} {
		got := r.Authenticate(test.token)
		if got.Type != test.how || got.Outcome != test.outcome {
			t.Errorf("%s: %s %s, want %s %s", test.name, got.Type, got.Outcome, test.how, test.outcome)
		}
	}
	c.advance(time.Hour)
	if got := r.Authenticate(good); got.Outcome != audit.OutcomeTokenExpired || got.Principal.ID != user.ID {
		t.Errorf("expired: %+v", got)
	}
}

func TestNoTokenIsKeptInTheClear(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	token, _, err := r.CreateToken(t.Context(), newOrganization(t, r), "t", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range r.tokens.List("") {
		if strings.Contains(string(entry.Value.Hash)+entry.Key+entry.Value.Name+entry.Value.ID, token[5:]) {
			t.Errorf("the token stands in %+v", entry)
		}
	}
}

func TestRolesAllowWhatTheySay(t *testing.T) {
	for _, test := range []struct {
		role     Role
		action   string
		resource string
		want     bool
	}{
		{OrganizationAdmin, Delete, "control-planes/1", true},
		{AuditLogsAdmin, Edit, "audit-logs/webhook", true},
		{AuditLogsAdmin, List, "control-planes", false},
		{AuditLogsAdmin, List, "audit-logs-of-others", false},
		{AuditLogsViewer, Retrieve, "audit-logs/webhook/status", true},
		{AuditLogsViewer, Create, "audit-logs/destinations", false},
		{ControlPlaneAdmin, Create, "control-planes", true},
		{ControlPlaneAdmin, Retrieve, "audit-logs/webhook", false},
		{ControlPlaneViewer, List, "control-planes", true},
		{ControlPlaneViewer, Delete, "control-planes/1", false},
		{AuditEventsWriter, Create, "audit-events", true},
		{AuditEventsWriter, List, "audit-events", false},
		{AuditEventsWriter, Delete, "audit-events", false},
		{AuditEventsWriter, Create, "audit-logs/destinations", false},
		{AuditEventsWriter, Create, "control-planes", false},
		{OrganizationAdmin, Create, "audit-events", true},
		{AuditLogsAdmin, Create, "audit-events", false},
		{"unheard-of", List, "control-planes", false},
	} {
		if got := (Principal{Assignments: []Assignment{{Role: test.role, EntityID: All, Region: All}}}).May(test.action, test.resource, "us"); got != test.want {
			t.Errorf("%s: %s %s: %v", test.role, test.action, test.resource, got)
		}
	}
	if (Principal{}).May(List, "control-planes", "us") {
		t.Error("a principal without roles may list control planes")
	}
}

func TestAControlPlanesNameIsTakenUntilItIsDeleted(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	ctx := t.Context()
	cp := ControlPlane{OrgID: user.OrgID, Region: "us", Name: "quickstart"}
	first, err := r.CreateControlPlane(ctx, cp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateControlPlane(ctx, cp); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the same name again: %v", err)
	}
	elsewhere := cp
	elsewhere.Region = "eu"
	if _, err := r.CreateControlPlane(ctx, elsewhere); err != nil {
		t.Errorf("the same name in another region: %v", err)
	}
	if err := r.DeleteControlPlane(ctx, user.OrgID, "us", first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateControlPlane(ctx, cp); err != nil {
		t.Errorf("the name of a deleted one: %v", err)
	}
}

func TestOfManyWhoWantANameAtOnceOneGetsIt(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	var group sync.WaitGroup
	results := make(chan error, 16)
	for range cap(results) {
		group.Go(func() {
			_, err := r.CreateControlPlane(context.WithoutCancel(t.Context()), ControlPlane{OrgID: user.OrgID, Region: "us", Name: "n"})
			results <- err
		})
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrNameTaken) {
			t.Error(err)
		}
	}
	if won != 1 || len(r.ControlPlanes(user.OrgID, "us")) != 1 {
		t.Errorf("%d creations succeeded, %d control planes exist", won, len(r.ControlPlanes(user.OrgID, "us")))
	}
}

func TestANameClaimedByACrashIsTakenOverAfterItsLease(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	user := newOrganization(t, r)
	cp := ControlPlane{ID: newID(), OrgID: user.OrgID, Region: "us", Name: "n"}
	if err := r.names.Create(t.Context(), nameKey(cp), nameClaim{ID: cp.ID, At: c.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateControlPlane(t.Context(), cp); !errors.Is(err, ErrNameTaken) {
		t.Errorf("create under a fresh claim: %v", err)
	}
	c.advance(claimLease)
	if _, err := r.CreateControlPlane(t.Context(), cp); err != nil {
		t.Errorf("create under an orphaned claim: %v", err)
	}
}

func TestNobodySeesAnotherOrganizationsObjects(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ours, theirs := newOrganization(t, r), newOrganization(t, r)
	ctx := t.Context()
	cp, err := r.CreateControlPlane(ctx, ControlPlane{OrgID: theirs.OrgID, Region: "us", Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.CreateDestination(ctx, Destination{OrgID: theirs.OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "s")
	if err != nil {
		t.Fatal(err)
	}
	last := func(context.Context) (uint64, error) { return 1, nil }
	_, cpErr := r.ControlPlane(ours.OrgID, "us", cp.ID)
	_, destinationErr := r.Destination(ours.OrgID, d.ID)
	for what, err := range map[string]error{
		"get control plane":    cpErr,
		"delete control plane": r.DeleteControlPlane(ctx, ours.OrgID, "us", cp.ID),
		"get destination":      destinationErr,
		"delete destination":   r.DeleteDestination(ctx, ours.OrgID, d.ID),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(r.ControlPlanes(ours.OrgID, "us")) + len(r.Destinations(ours.OrgID)); n != 0 {
		t.Errorf("our lists show %d of their objects", n)
	}
	var invalid *InvalidError
	if _, err := r.ChangeWebhook(ctx, Scope{Region: "us", Organization: ours.OrgID}, WebhookChange{DestinationID: &d.ID}, last); !errors.As(err, &invalid) || invalid.Rule != "missing_reference" {
		t.Errorf("a webhook to their destination: %v", err)
	}
}

func TestTheSigningKeyOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	r, shut := openRegistry(t, dir, newClock())
	before, err := r.Signer()
	if err != nil {
		t.Fatal(err)
	}
	shut()
	r, _ = openRegistry(t, dir, newClock())
	after, err := r.Signer()
	if err != nil || after.KeyID() != before.KeyID() {
		t.Fatalf("key %v, was %v; %v", after, before, err)
	}
	keys, err := r.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	line := after.AppendLine(nil, audit.CEF, &audit.Event{
		Kind: audit.Authentication, Time: time.UnixMilli(1), AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess,
	})
	if verdict, kid := keys.Verify(line); verdict != audit.Valid || kid != before.KeyID() {
		t.Errorf("verify: %s by %q", verdict, kid)
	}
}
