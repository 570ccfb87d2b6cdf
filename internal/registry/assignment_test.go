package registry

import (
	"errors"
	"testing"
)

func TestAnAssignmentCoversItsEntityAndRegion(t *testing.T) {
	const us, eu, organization = "us", "eu", "the-organization"
	one := func(role Role, entity, region string) Principal {
		return Principal{ID: "me", OrgID: organization, Assignments: []Assignment{{Role: role, EntityID: entity, Region: region}}}
	}
	for _, test := range []struct {
		who              Principal
		action, resource string
		region           string
		want             bool
	}{
		{one(ControlPlaneAdmin, "a", All), Edit, "control-planes/a", us, true},
		{one(ControlPlaneAdmin, "a", All), Edit, "control-planes/a/core-entities", us, true},
		{one(ControlPlaneAdmin, "a", All), Edit, "control-planes/b", us, false},
		{one(ControlPlaneAdmin, "a", All), Edit, "control-planes/ab", us, false},
		{one(ControlPlaneAdmin, "a", All), List, "control-planes", us, true},
		{one(ControlPlaneAdmin, "a", All), Create, "control-planes", us, false},
		{one(ControlPlaneViewer, "a", All), Delete, "control-planes/a", us, false},
		{one(ControlPlaneViewer, "a", us), Retrieve, "control-planes/a", us, true},
		{one(ControlPlaneViewer, "a", us), Retrieve, "control-planes/a", eu, false},
		{one(ControlPlaneViewer, "a", us), List, "control-planes", eu, false},
		{one(ControlPlaneAdmin, organization, us), Create, "control-planes", us, true},
		{one(ControlPlaneAdmin, organization, us), Create, "control-planes", eu, false},
		{one(AuditLogsAdmin, All, us), Edit, "audit-logs/webhook", us, true},
		{one(AuditLogsAdmin, All, us), Edit, "audit-logs/webhook", eu, false},
		{one(OrganizationAdmin, All, All), Delete, "users/b", eu, true},
		{one(ControlPlaneViewer, All, All), List, "users/me/access-tokens", us, false},
		{one(ControlPlaneViewer, All, All), Create, "users/me2/access-tokens", us, false},
		{one(ControlPlaneViewer, All, All), Edit, "users/me", us, false},
	} {
		test.who.ID = "someone"
		if got := test.who.May(test.action, test.resource, test.region); got != test.want {
			t.Errorf("%v: %s %s in %s: %v", test.who.Assignments[0], test.action, test.resource, test.region, got)
		}
	}
}

func TestEverybodyOwnsThemselvesAndNothingMore(t *testing.T) {
	user, robot := Principal{ID: "u"}, Principal{ID: "s", System: true}
	for _, test := range []struct {
		who              Principal
		action, resource string
		want             bool
	}{
		{user, Retrieve, "organization", true}, {robot, Retrieve, "organization", true}, {user, Edit, "organization", false},
		{user, List, "roles", true}, {user, Create, "roles", false},
		{user, Retrieve, "users/me", true}, {user, Edit, "users/me", false}, {robot, Retrieve, "users/me", false},
		{user, List, "users/u/access-tokens", true}, {user, Delete, "users/u/access-tokens/t", true},
		{user, List, "users/v/access-tokens", false}, {user, List, "users/u/access-tokens-of-others", false},
		{user, Edit, "users/u", false}, {user, Create, "users/u/assigned-roles", false}, {user, List, "users", false},
		{robot, List, "users/s/access-tokens", false}, {robot, List, "system-accounts/s/access-tokens", false},
		{Principal{}, Delete, "users//access-tokens", false},
	} {
		if got := test.who.May(test.action, test.resource, "us"); got != test.want {
			t.Errorf("%s: %s %s: %v", test.who.ID, test.action, test.resource, got)
		}
	}
}

func TestAPermissionCheckAllocatesNothing(t *testing.T) {
	p := Principal{ID: newID(), Assignments: []Assignment{{Role: AuditLogsViewer, EntityID: All, Region: All}, {Role: ControlPlaneAdmin, EntityID: "a", Region: "us"}}}
	if n := testing.AllocsPerRun(100, func() { p.May(Edit, "control-planes/a", "us") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestARoleOfOneControlPlaneNeedsThatControlPlane(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	ctx, user, theirs := t.Context(), newOrganization(t, r), newOrganization(t, r)
	newControlPlane := func(organization string) string {
		cp, err := r.CreateControlPlane(ctx, ControlPlane{OrgID: organization, Region: "us", Name: "cp"})
		if err != nil {
			t.Fatal(err)
		}
		return cp.ID
	}
	mine, others := newControlPlane(user.OrgID), newControlPlane(theirs.OrgID)
	for _, test := range []struct {
		a    Assignment
		want string // the field that is wrong
	}{
		{Assignment{Role: ControlPlaneViewer, EntityID: mine, Region: "us"}, ""},
		{Assignment{Role: ControlPlaneViewer, EntityID: mine, Region: All}, ""},
		{Assignment{Role: ControlPlaneViewer, EntityID: user.OrgID, Region: "eu"}, ""},
		{Assignment{Role: ControlPlaneViewer, EntityID: mine, Region: "eu"}, "entity_id"},
		{Assignment{Role: ControlPlaneViewer, EntityID: others, Region: "us"}, "entity_id"},
		{Assignment{Role: ControlPlaneViewer, EntityID: "", Region: "us"}, "entity_id"},
		{Assignment{Role: AuditLogsViewer, EntityID: mine, Region: "us"}, "entity_id"},
		{Assignment{Role: OrganizationAdmin, EntityID: All, Region: "us"}, "entity_region"},
		{Assignment{Role: "king", EntityID: All, Region: All}, "roles"},
	} {
		_, err := r.AssignUserRole(ctx, user.OrgID, user.ID, test.a)
		var invalid *InvalidError
		if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &invalid) || invalid.Field != test.want) {
			t.Errorf("%v: %v", test.a, err)
		}
	}
	again := Assignment{Role: ControlPlaneViewer, EntityID: mine, Region: "us"}
	if _, err := r.AssignUserRole(ctx, user.OrgID, user.ID, again); !errors.Is(err, ErrAssigned) {
		t.Errorf("the same again: %v", err)
	}
	if err := r.UnassignUserRole(ctx, user.OrgID, user.ID, newID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is not assigned: %v", err)
	}
}
