package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Role is what its holder may do.
type Role string

// The roles. An admin role covers all actions on its resources, a viewer role
// to list and retrieve them.
const (
	OrganizationAdmin  Role = "organization-admin"
	AuditLogsAdmin     Role = "audit-logs-admin"
	AuditLogsViewer    Role = "audit-logs-viewer"
	ControlPlaneAdmin  Role = "control-plane-admin"
	ControlPlaneViewer Role = "control-plane-viewer"
	// AuditEventsWriter is for services that record events of their own, and
	// lets them do nothing else.
	AuditEventsWriter Role = "audit-events-writer"
)

// The actions of a permission check.
const (
	List     = "list"
	Retrieve = "retrieve"
	Create   = "create"
	Edit     = "edit"
	Delete   = "delete"
)

// controlPlanesKind is the one kind of resource of which a role may cover a
// single object.
const controlPlanesKind = "control-planes"

// grants says of each role on which kind of resource it acts, and which actions
// it covers: all where none is named. The kind is the first segment of a
// resource's path.
var grants = map[Role]struct {
	kind    string
	actions []string
}{
	OrganizationAdmin:  {kind: "*"},
	AuditLogsAdmin:     {kind: "audit-logs"},
	AuditLogsViewer:    {kind: "audit-logs", actions: []string{List, Retrieve}},
	ControlPlaneAdmin:  {kind: controlPlanesKind},
	ControlPlaneViewer: {kind: controlPlanesKind, actions: []string{List, Retrieve}},
	AuditEventsWriter:  {kind: "audit-events", actions: []string{Create}},
}

func checkRole(role Role) error {
	if _, known := grants[role]; !known {
		return &InvalidError{"roles", "enum", fmt.Sprintf("there is no role %q: choose from %v", role, slices.Sorted(maps.Keys(grants)))}
	}
	return nil
}

// Principal is who a token belongs to: a user, or a system account.
type Principal struct {
	ID          string
	OrgID       string
	Name        string
	Assignments []Assignment // shared: not to be changed
	System      bool         // a system account
}

// May reports whether the principal may do the action on a resource, named by
// its path ("control-planes", "audit-logs/destinations/{id}"), in a region.
//
// Two things make it so: a role, or that the resource is the principal's own.
// Who holds a role for single control planes may list: the list shows those.
func (p Principal) May(action, resource, region string) bool {
	kind, rest, _ := strings.Cut(resource, "/")
	entity, below, _ := strings.Cut(rest, "/")
	if p.owns(action, kind, entity, below) {
		return true
	}
	for i := range p.Assignments {
		if p.Assignments[i].allows(action, kind, entity, region, p.OrgID) {
			return true
		}
	}
	return false
}

// owns reports what needs no role: everybody may see the organization that they
// belong to, the catalogue of roles and themselves, and people manage their own
// tokens.
func (p Principal) owns(action, kind, entity, below string) bool {
	switch kind {
	case "organization":
		return action == Retrieve
	case "roles":
		return action == List
	case "me":
		return action == Retrieve && p.ID != ""
	case "users":
		if p.System || p.ID == "" {
			return false
		}
		return entity == "me" && action == Retrieve ||
			entity == p.ID && (below == "access-tokens" || strings.HasPrefix(below, "access-tokens/"))
	}
	return false
}
