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
	ControlPlaneAdmin:  {kind: "control-planes"},
	ControlPlaneViewer: {kind: "control-planes", actions: []string{List, Retrieve}},
	AuditEventsWriter:  {kind: "audit-events", actions: []string{Create}},
}

// checkRoles gives an [InvalidError] where one of the roles does not exist.
func checkRoles(roles []Role) error {
	for _, role := range roles {
		if _, known := grants[role]; !known {
			return &InvalidError{"roles", "enum", fmt.Sprintf("there is no role %q: choose from %v", role, slices.Sorted(maps.Keys(grants)))}
		}
	}
	return nil
}

// Principal is who a token belongs to: a user, or a system account.
type Principal struct {
	ID     string
	OrgID  string
	Name   string
	Roles  []Role
	System bool // a system account
}

// May reports whether the principal's roles allow the action on a resource,
// named by its path: "control-planes", "audit-logs/destinations/{id}".
func (p Principal) May(action, resource string) bool {
	kind, _, _ := strings.Cut(resource, "/")
	return slices.ContainsFunc(p.Roles, func(role Role) bool {
		grant, ok := grants[role]
		return ok &&
			(grant.kind == "*" || grant.kind == kind) &&
			(len(grant.actions) == 0 || slices.Contains(grant.actions, action))
	})
}
