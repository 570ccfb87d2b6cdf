package registry

import (
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
)

// The actions of a permission check.
const (
	List     = "list"
	Retrieve = "retrieve"
	Create   = "create"
	Edit     = "edit"
	Delete   = "delete"
)

// grants says of each role on which kind of resource it acts, and whether it
// may only look. The kind is the first segment of a resource's path.
var grants = map[Role]struct {
	kind     string
	readOnly bool
}{
	OrganizationAdmin:  {kind: "*"},
	AuditLogsAdmin:     {kind: "audit-logs"},
	AuditLogsViewer:    {kind: "audit-logs", readOnly: true},
	ControlPlaneAdmin:  {kind: "control-planes"},
	ControlPlaneViewer: {kind: "control-planes", readOnly: true},
}

func (r Role) known() bool {
	_, ok := grants[r]
	return ok
}

// May reports whether the user's roles allow the action on a resource, named
// by its path: "control-planes", "audit-logs/destinations/{id}".
func (u User) May(action, resource string) bool {
	kind, _, _ := strings.Cut(resource, "/")
	return slices.ContainsFunc(u.Roles, func(role Role) bool {
		grant, ok := grants[role]
		return ok &&
			(grant.kind == "*" || grant.kind == kind) &&
			(!grant.readOnly || action == List || action == Retrieve)
	})
}
