package konnect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/registry"
)

func TestCallersLearnWhoTheyAreAndWhatTheyMayDo(t *testing.T) {
	w := newWorld(t)
	expiry := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	account, err := w.registry.CreateSystemAccount(t.Context(), registry.SystemAccount{OrgID: w.ours.id, Name: "robot"}, registry.AuditLogsViewer)
	if err != nil {
		t.Fatal(err)
	}
	secret, kept, err := w.registry.CreateSystemToken(t.Context(), account, "nightly", expiry)
	if err != nil {
		t.Fatal(err)
	}
	type caller struct {
		ID, Type, Name, Email, Region string
		Organization                  struct{ ID, Name string }
		Token                         struct {
			ID, Name  string
			ExpiresAt *time.Time `json:"expires_at"`
		}
		Roles []struct {
			RoleName       string `json:"role_name"`
			EntityTypeName string `json:"entity_type_name"`
		}
	}
	var robot caller
	w.do(secret, "GET", "/trailhook/v1/me", "", 200, &robot)
	if robot.ID != account.ID || robot.Type != "system_account" || robot.Name != "robot" || robot.Region != "us" || robot.Email != "" {
		t.Errorf("a system account: %+v", robot)
	}
	if robot.Token.ID != kept.ID || robot.Token.Name != "nightly" || robot.Token.ExpiresAt == nil || !robot.Token.ExpiresAt.Equal(expiry) {
		t.Errorf("its token: %+v", robot.Token)
	}
	if len(robot.Roles) != 1 || robot.Roles[0].RoleName != "Viewer" || robot.Roles[0].EntityTypeName != "Audit Logs" {
		t.Errorf("its roles: %+v", robot.Roles)
	}

	admin := w.ours.users[registry.OrganizationAdmin]
	var person caller
	w.do(w.ours.admin(), "GET", "/trailhook/v1/me", "", 200, &person)
	if person.ID != admin.ID || person.Type != "user" || person.Email != admin.Email || person.Token.ExpiresAt != nil {
		t.Errorf("a user: %+v", person)
	}
	if diff := cmp.Diff(struct{ ID, Name string }{w.ours.id, "ours"}, person.Organization); diff != "" {
		t.Error(diff)
	}
	var nobody caller
	w.do(w.ours.nobody, "GET", "/trailhook/v1/me", "", 200, &nobody)
	if nobody.Roles == nil || len(nobody.Roles) != 0 {
		t.Errorf("roles of who has none: %v", nobody.Roles)
	}
}
