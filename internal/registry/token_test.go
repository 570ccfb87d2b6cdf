package registry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/audit"
)

func TestATokensStateFollowsItsLife(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	ctx, user := t.Context(), newOrganization(t, r)
	token, kept, err := r.CreateToken(ctx, user, "one", r.ExpiryIn(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := uuid.Parse(kept.ID); err != nil || parsed.Version() != 8 || parsed.Variant() != uuid.RFC4122 {
		t.Errorf("id %s: %v", kept.ID, err)
	}
	if _, _, err := r.CreateToken(ctx, user, "one", time.Time{}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the name of another: %v", err)
	}
	if got := r.TokenState(kept); got != TokenActive {
		t.Errorf("new: %s", got)
	}
	c.advance(time.Hour)
	if got := r.TokenState(kept); got != TokenExpired || r.Authenticate(token).Outcome != audit.OutcomeTokenExpired {
		t.Errorf("an hour later: %s", got)
	}
	kept, err = r.RevokeToken(ctx, user.OrgID, user.ID, kept.ID, "somebody")
	if err != nil || kept.RevokedBy != "somebody" || r.TokenState(kept) != TokenRevoked || r.Authenticate(token).Outcome != audit.OutcomeDisabled {
		t.Errorf("revoked: %+v, %v", kept, err)
	}
	if err := r.DeleteToken(ctx, user.OrgID, user.ID, kept.ID); err != nil || r.Authenticate(token).Outcome != audit.OutcomeNotFound {
		t.Errorf("deleted: %v", err)
	}
	if _, _, err := r.CreateToken(ctx, user, "one", time.Time{}); err != nil {
		t.Errorf("the name of what is gone: %v", err)
	}
}

func TestAnEndIsInTheFutureAndWithinTheYears(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	now := c.Now()
	for at, want := range map[time.Time]bool{
		now.Add(-time.Second): false, now: false, now.Add(time.Second): true,
		now.AddDate(1, 0, 0): true, now.AddDate(1, 0, 1): false,
	} {
		if _, err := r.ExpiryAt(at, 1); (err == nil) != want {
			t.Errorf("%v: %v", at, err)
		}
	}
}

func TestTheLastUseIsKnownAtOnceAndWrittenLater(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	r, shut := openRegistry(t, dir, c)
	ctx, user := t.Context(), newOrganization(t, r)
	token, kept, err := r.CreateToken(ctx, user, "one", r.ExpiryIn(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	stored := func() (at time.Time, revision uint64) {
		entry, err := r.tokens.Get(kept.ID)
		if err != nil {
			t.Fatal(err)
		}
		return entry.Value.LastUsedAt, entry.Revision
	}
	if last := r.Tokens(user.OrgID, user.ID)[0].LastUsedAt; !last.IsZero() {
		t.Errorf("before its first use: %v", last)
	}
	_, before := stored()
	used := c.Now()
	for range 1000 {
		r.Authenticate(token)
	}
	if at, revision := stored(); !at.IsZero() || revision != before {
		t.Error("authentication wrote")
	}
	if last := r.Tokens(user.OrgID, user.ID)[0].LastUsedAt; !last.Equal(used) {
		t.Errorf("used at %v, shown %v", used, last)
	}
	r.writeUses(ctx)
	at, written := stored()
	if !at.Equal(used) {
		t.Errorf("used at %v, written %v", used, at)
	}
	r.writeUses(ctx)
	if _, again := stored(); again != written {
		t.Error("the same use was written twice")
	}
	c.advance(2 * time.Hour)
	r.Authenticate(token) // too late: that is no use
	ended, cancel := context.WithCancel(ctx)
	cancel()
	r.writeUses(ended)
	shut()
	r, _ = openRegistry(t, dir, c)
	if got, err := r.Token(user.OrgID, user.ID, kept.ID); err != nil || !got.LastUsedAt.Equal(used) || !got.UpdatedAt.Equal(kept.UpdatedAt) {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
}

func TestARenamedTokenKeepsItsNameToItself(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ctx, user := t.Context(), newOrganization(t, r)
	_, one, err := r.CreateToken(ctx, user, "one", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"two", "two", "one", "three"} {
		if one, err = r.RenameToken(ctx, user.OrgID, user.ID, one.ID, name); err != nil || one.Name != name {
			t.Errorf("%s: %+v, %v", name, one, err)
		}
	}
	for name, want := range map[string]error{"one": nil, "two": nil, "three": ErrNameTaken} {
		if _, _, err := r.CreateToken(ctx, user, name, time.Time{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid *InvalidError
	if _, err := r.RenameToken(ctx, user.OrgID, user.ID, one.ID, " "); !errors.As(err, &invalid) {
		t.Errorf("no name: %v", err)
	}
	if _, err := r.RenameToken(ctx, user.OrgID, user.ID, strings.ToUpper(one.ID), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an id that is none: %v", err)
	}
}

func BenchmarkAPermissionCheck(b *testing.B) {
	p := Principal{ID: newID(), OrgID: newID(), Assignments: []Assignment{
		{Role: AuditLogsViewer, EntityID: All, Region: All}, {Role: ControlPlaneAdmin, EntityID: newID(), Region: "us"},
	}}
	resource := "control-planes/" + p.Assignments[1].EntityID
	b.ReportAllocs()
	for b.Loop() {
		if !p.May(Edit, resource, "us") {
			b.Fatal("refused")
		}
	}
}
