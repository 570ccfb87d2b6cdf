package registry

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/seal"
)

func to[T any](value T) *T { return &value }

func newUser(t *testing.T, r *Registry, organization, email string, roles ...Role) User {
	t.Helper()
	user, err := r.CreateUser(t.Context(), User{OrgID: organization, Email: email, FullName: "Some One"}, roles...)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// openTwo opens two registries on one broker, as two processes would.
func openTwo(t *testing.T) [2]*Registry {
	t.Helper()
	dir := t.TempDir()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	sealer, err := seal.OpenFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	var two [2]*Registry
	for i := range two {
		if two[i], err = Open(t.Context(), b, Options{Sealer: sealer, Now: time.Now, Shared: true}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(two[i].Close)
	}
	return two
}

// eventually waits for what another process will see.
func eventually(t *testing.T, r *Registry, what string, done func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		users, systems, tokens := r.users.Changed(), r.systems.Changed(), r.tokens.Changed()
		if done() {
			return
		}
		select {
		case <-users:
		case <-systems:
		case <-tokens:
		case <-limit:
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

func TestTwoWhoChangeDifferentFieldsOfAUserBothDo(t *testing.T) {
	r := openTwo(t)
	user := newOrganization(t, r[0])
	eventually(t, r[1], "the user is seen", func() bool { _, err := r[1].User(user.OrgID, user.ID); return err == nil })
	const times = 20
	name := func(i int) string { return "name " + string(rune('a'+i)) }
	var group sync.WaitGroup
	group.Go(func() {
		for i := range times {
			if _, err := r[0].ChangeUser(t.Context(), user.OrgID, user.ID, UserChange{FullName: to(name(i))}); err != nil {
				t.Error(err)
			}
		}
	})
	group.Go(func() {
		for i := range times {
			if _, err := r[1].ChangeUser(t.Context(), user.OrgID, user.ID, UserChange{PreferredName: to(name(i))}); err != nil {
				t.Error(err)
			}
		}
	})
	group.Go(func() {
		for range times / 4 {
			a, err := r[1].AssignUserRole(t.Context(), user.OrgID, user.ID, Assignment{Role: AuditLogsViewer, EntityID: All, Region: All})
			if err != nil {
				t.Error(err)
			}
			if err := r[1].UnassignUserRole(t.Context(), user.OrgID, user.ID, a.ID); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	last := name(times - 1)
	for i := range r {
		eventually(t, r[i], "both changes are there", func() bool {
			u, err := r[i].User(user.OrgID, user.ID)
			return err == nil && u.FullName == last && u.PreferredName == last && len(u.Assignments) == 1 && u.Active
		})
	}
}

func TestTwoWhoChangeASystemAccountBothDo(t *testing.T) {
	r := openTwo(t)
	account := newSystemAccount(t, r[0], newOrganization(t, r[0]).OrgID, "robot")
	eventually(t, r[1], "the account is seen", func() bool { _, err := r[1].SystemAccount(account.OrgID, account.ID); return err == nil })
	var group sync.WaitGroup
	for i, change := range []SystemAccountChange{{Name: to("machine")}, {Name: to("robot"), Description: to("new")}} {
		group.Go(func() {
			if _, err := r[i].ChangeSystemAccount(t.Context(), account.OrgID, account.ID, change); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	eventually(t, r[1], "both changes are there", func() bool {
		s, err := r[1].SystemAccount(account.OrgID, account.ID)
		return err == nil && s.Name == "machine" && s.Description == "new"
	})
}

func TestTheLastAdminStays(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ctx, admin := t.Context(), newOrganization(t, r)
	// Neither a system account nor another organization's admin is one who would be left.
	if _, err := r.CreateSystemAccount(ctx, SystemAccount{OrgID: admin.OrgID, Name: "robot"}, OrganizationAdmin); err != nil {
		t.Fatal(err)
	}
	newOrganization(t, r)
	asleep := newUser(t, r, admin.OrgID, "asleep@example.com", OrganizationAdmin)
	if _, err := r.ChangeUser(ctx, admin.OrgID, asleep.ID, UserChange{Active: to(false)}); err != nil {
		t.Fatalf("disable one of two: %v", err)
	}
	role := admin.Assignments[0].ID
	refused := func() {
		t.Helper()
		_, disable := r.ChangeUser(ctx, admin.OrgID, admin.ID, UserChange{Active: to(false)})
		for what, err := range map[string]error{
			"disable": disable, "unassign": r.UnassignUserRole(ctx, admin.OrgID, admin.ID, role), "delete": r.DeleteUser(ctx, admin.OrgID, admin.ID),
		} {
			if !errors.Is(err, ErrLastAdmin) {
				t.Errorf("%s the last admin: %v", what, err)
			}
		}
	}
	refused()
	if err := r.DeleteUser(ctx, admin.OrgID, asleep.ID); err != nil {
		t.Errorf("delete who does not count: %v", err)
	}
	if _, err := r.ChangeUser(ctx, admin.OrgID, admin.ID, UserChange{FullName: to("Still Here")}); err != nil {
		t.Errorf("rename the last admin: %v", err)
	}
	refused()
	other := newUser(t, r, admin.OrgID, "other@example.com", OrganizationAdmin)
	if err := r.UnassignUserRole(ctx, admin.OrgID, admin.ID, role); err != nil {
		t.Errorf("unassign with another: %v", err)
	}
	if err := r.DeleteUser(ctx, admin.OrgID, admin.ID); err != nil {
		t.Errorf("delete who is no admin now: %v", err)
	}
	if id := r.OwnerID(admin.OrgID); id != other.ID {
		t.Errorf("the owner is %s", id)
	}
}

func TestOfTwoAdminsWhoRemoveEachOtherOneStays(t *testing.T) {
	r := openTwo(t)
	for round := range 5 {
		org, err := r[0].CreateOrganization(t.Context(), "org")
		if err != nil {
			t.Fatal(err)
		}
		admins := [2]User{
			newUser(t, r[0], org.ID, "a@example.com", OrganizationAdmin), newUser(t, r[0], org.ID, "b@example.com", OrganizationAdmin),
		}
		eventually(t, r[1], "both admins are seen", func() bool { return len(r[1].Users(org.ID)) == 2 })
		var group sync.WaitGroup
		var results [2]error
		for i := range results {
			group.Go(func() {
				victim := admins[1-i]
				if round%2 == 0 {
					results[i] = r[i].DeleteUser(t.Context(), org.ID, victim.ID)
				} else {
					results[i] = r[i].UnassignUserRole(t.Context(), org.ID, victim.ID, victim.Assignments[0].ID)
				}
			})
		}
		group.Wait()
		if refused := errors.Is(results[0], ErrLastAdmin) != errors.Is(results[1], ErrLastAdmin); !refused || results[0] != nil && results[1] != nil {
			t.Errorf("round %d: %v", round, results)
		}
		if r[0].OwnerID(org.ID) == "" && r[1].OwnerID(org.ID) == "" {
			t.Errorf("round %d: no admin is left", round)
		}
	}
}

func TestAUserGoesWithTheirTokensAndTheirAddressIsFree(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ctx, admin := t.Context(), newOrganization(t, r)
	user := newUser(t, r, admin.OrgID, "one@example.com")
	token, _, err := r.CreateToken(ctx, user, "token", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateUser(ctx, User{OrgID: admin.OrgID, Email: "ONE@example.com", FullName: "Other"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the address of another: %v", err)
	}
	if _, err := r.ChangeUser(ctx, user.OrgID, user.ID, UserChange{Active: to(false)}); err != nil {
		t.Fatal(err)
	}
	if got := r.Authenticate(token); got.Outcome != audit.OutcomeDisabled || got.Principal.ID != user.ID {
		t.Errorf("a token of who is disabled: %+v", got)
	}
	if _, err := r.ChangeUser(ctx, user.OrgID, user.ID, UserChange{Active: to(true)}); err != nil {
		t.Fatal(err)
	}
	if got := r.Authenticate(token); got.Outcome != audit.OutcomeSuccess {
		t.Errorf("a token of who is enabled again: %+v", got)
	}
	if err := r.DeleteUser(ctx, user.OrgID, user.ID); err != nil {
		t.Fatal(err)
	}
	if got := r.Authenticate(token); got.Outcome != audit.OutcomeNotFound || got.Principal.ID != "" {
		t.Errorf("a token of who is gone: %+v", got)
	}
	if n := len(r.Tokens(user.OrgID, user.ID)); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
	newUser(t, r, admin.OrgID, "one@example.com")
}

func TestAFirstStartThatWasCutShortLeavesOneAdmin(t *testing.T) {
	c := newClock()
	r, _ := openRegistry(t, t.TempDir(), c)
	for range 3 {
		if _, err := r.Bootstrap(t.Context(), func(string) error { return errors.New("no disk") }); err == nil {
			t.Fatal("started")
		}
	}
	token, err := r.Bootstrap(t.Context(), func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	org := r.Organizations()[0].ID
	if users := r.Users(org); len(users) != 1 || users[0].Email != "admin@localhost" {
		t.Errorf("users: %+v", users)
	}
	admin := r.Users(org)[0]
	for _, kept := range r.Tokens(org, admin.ID) {
		if err := r.DeleteToken(t.Context(), org, admin.ID, kept.ID); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(bootstrapLease)
	again, err := r.Bootstrap(t.Context(), func(string) error { return nil })
	if err != nil || again == "" || again == token || r.Authenticate(again).Principal.ID != admin.ID {
		t.Errorf("after the admin lost all tokens: %v", err)
	}
}
