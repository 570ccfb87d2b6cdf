package konnect

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/registry"
)

// catalogue is what Konnect calls our roles: a name, of a type of entity. Those
// of control planes, and the admin of audit logs, are Konnect's own; it has no
// names for the others.
var catalogue = []struct {
	role                         registry.Role
	group, entityType, key, name string
	description                  string
}{
	{registry.OrganizationAdmin, "organizations", "Organizations", "admin", "Admin",
		"Grants everything in the organization."},
	{registry.AuditLogsAdmin, "audit_logs", "Audit Logs", "admin", "Admin",
		"Grants reading and changing what is about audit logs: destinations, webhook, replay jobs, and the logs themselves."},
	{registry.AuditLogsViewer, "audit_logs", "Audit Logs", "viewer", "Viewer",
		"Grants reading what is about audit logs."},
	{registry.AuditEventsWriter, "audit_events", "Audit Events", "writer", "Writer",
		"Grants recording events, and nothing else."},
	{registry.ControlPlaneAdmin, "control_planes", "Control Planes", "admin", "Admin",
		"Grants reading and changing a control plane; for all of them, making new ones too."},
	{registry.ControlPlaneViewer, "control_planes", "Control Planes", "viewer", "Viewer",
		"Grants reading a control plane."},
}

type roleGroup struct {
	Name  string                     `json:"name"`
	Roles map[string]roleDescription `json:"roles" nullable:"false"`
}

type roleDescription struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type roleCatalogue struct{ Body map[string]roleGroup }

type assignedRole struct {
	ID             string `json:"id" format:"uuid"`
	RoleName       string `json:"role_name"`
	EntityID       string `json:"entity_id"`
	EntityTypeName string `json:"entity_type_name"`
	EntityRegion   string `json:"entity_region"`
}

func showAssignment(a registry.Assignment) assignedRole {
	shown := assignedRole{ID: a.ID, EntityID: a.EntityID, EntityRegion: a.Region}
	for _, entry := range catalogue {
		if entry.role == a.Role {
			shown.RoleName, shown.EntityTypeName = entry.name, entry.entityType
		}
	}
	return shown
}

type assignedRoleOutput struct{ Body assignedRole }

type assignedRoleList struct {
	Body struct {
		Data []assignedRole `json:"data" nullable:"false"`
		Meta numberedMeta   `json:"meta"`
	}
}

type assignedRolesQuery struct {
	HolderID       string `path:"holderId"`
	RoleName       string `query:"filter[role_name]"`
	EntityTypeName string `query:"filter[entity_type_name]"`
}

// Resolve implements [huma.Resolver].
func (*assignedRolesQuery) Resolve(ctx huma.Context) []error {
	return knownFilters(ctx, "filter[role_name]", "filter[entity_type_name]")
}

type assignedRolePath struct {
	HolderID string `path:"holderId"`
	RoleID   string `path:"roleId"`
}

type newAssignedRole struct {
	HolderID string `path:"holderId"`
	Body     struct {
		RoleName       string `json:"role_name" enum:"Admin,Viewer,Writer"`
		EntityID       string `json:"entity_id" doc:"* or the organization's id for all; for a role of control planes also the id of one."`
		EntityTypeName string `json:"entity_type_name" enum:"Organizations,Audit Logs,Audit Events,Control Planes"`
		EntityRegion   string `json:"entity_region" doc:"The region of the calls that the role is for; * for all."`
	}
}

// holders are what roles are assigned to: the users and the system accounts of
// an organization.
type holders struct {
	noun, path, resource string

	assignments func(organization, id string) ([]registry.Assignment, error)
	assign      func(ctx context.Context, organization, id string, a registry.Assignment) (registry.Assignment, error)
	unassign    func(ctx context.Context, organization, id, assignment string) error
}

// roleRoutes serves who may do what. Only organization admins may assign roles,
// and they hold all of them: nobody gives what they do not have.
func (a *API) roleRoutes() {
	const tag = "Roles"
	register(a, route{"list-roles", http.MethodGet, "/v3/roles", "Retrieve the roles that can be assigned",
		registry.List, "roles", http.StatusOK, tag}, listRoles)
	for _, h := range []holders{
		{"user", usersPath, "users", func(organization, id string) ([]registry.Assignment, error) {
			u, err := a.Registry.User(organization, id)
			return u.Assignments, err
		}, a.Registry.AssignUserRole, a.Registry.UnassignUserRole},
		{"system-account", systemAccountsPath, "system-accounts", func(organization, id string) ([]registry.Assignment, error) {
			s, err := a.Registry.SystemAccount(organization, id)
			return s.Assignments, err
		}, a.Registry.AssignSystemRole, a.Registry.UnassignSystemRole},
	} {
		all, resource := h.path+"/{holderId}/assigned-roles", h.resource+"/{holderId}/assigned-roles"
		one, oneResource := all+"/{roleId}", resource+"/{roleId}"
		noun := strings.ReplaceAll(h.noun, "-", " ")
		register(a, route{"list-" + h.noun + "-roles", http.MethodGet, all, "List the roles of a " + noun,
			registry.List, resource, http.StatusOK, tag}, h.list)
		register(a, route{"assign-" + h.noun + "-role", http.MethodPost, all, "Assign a role to a " + noun,
			registry.Create, resource, http.StatusCreated, tag}, func(ctx context.Context, in *newAssignedRole) (*assignedRoleOutput, error) {
			return h.create(ctx, in, append(a.regions(), registry.All))
		})
		register(a, route{"get-" + h.noun + "-role", http.MethodGet, one, "Retrieve a role of a " + noun,
			registry.Retrieve, oneResource, http.StatusOK, tag}, h.get)
		register(a, route{"remove-" + h.noun + "-role", http.MethodDelete, one, "Take a role away from a " + noun,
			registry.Delete, oneResource, http.StatusNoContent, tag}, h.delete)
	}
}

func listRoles(context.Context, *struct{}) (*roleCatalogue, error) {
	out := &roleCatalogue{Body: map[string]roleGroup{}}
	for _, entry := range catalogue {
		if _, known := out.Body[entry.group]; !known {
			out.Body[entry.group] = roleGroup{entry.entityType, map[string]roleDescription{}}
		}
		out.Body[entry.group].Roles[entry.key] = roleDescription{entry.name, entry.description}
	}
	return out, nil
}

func (h holders) list(ctx context.Context, in *assignedRolesQuery) (*assignedRoleList, error) {
	assignments, err := h.assignments(callOf(ctx).user.OrgID, in.HolderID)
	if err != nil {
		return nil, err
	}
	out := &assignedRoleList{}
	out.Body.Data = []assignedRole{}
	for _, assignment := range assignments {
		shown := showAssignment(assignment)
		if matches(shown.RoleName, in.RoleName, "") && matches(shown.EntityTypeName, in.EntityTypeName, "") {
			out.Body.Data = append(out.Body.Data, shown)
		}
	}
	meta := &out.Body.Meta.Page
	meta.Number, meta.Size, meta.Total = 1, len(out.Body.Data), len(out.Body.Data)
	return out, nil
}

func (h holders) get(ctx context.Context, in *assignedRolePath) (*assignedRoleOutput, error) {
	assignments, err := h.assignments(callOf(ctx).user.OrgID, in.HolderID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(assignments, func(a registry.Assignment) bool { return a.ID == in.RoleID })
	if i < 0 {
		return nil, registry.ErrNotFound
	}
	return &assignedRoleOutput{showAssignment(assignments[i])}, nil
}

func (h holders) create(ctx context.Context, in *newAssignedRole, regions []string) (*assignedRoleOutput, error) {
	c := callOf(ctx)
	if _, err := h.assignments(c.user.OrgID, in.HolderID); err != nil {
		return nil, err
	}
	role, ok := roleNamed(in.Body.EntityTypeName, in.Body.RoleName)
	if !ok {
		return nil, &registry.InvalidError{Field: "role_name", Rule: "enum", Reason: in.Body.EntityTypeName + " have no such role"}
	}
	if !slices.Contains(regions, in.Body.EntityRegion) {
		return nil, c.invalid(InvalidParameter{Field: "entity_region", Rule: "enum", Reason: "there is no such region", Source: "body", Choices: regions})
	}
	assigned, err := h.assign(ctx, c.user.OrgID, in.HolderID, registry.Assignment{
		Role: role, EntityID: in.Body.EntityID, Region: in.Body.EntityRegion,
	})
	if err != nil {
		return nil, err
	}
	return &assignedRoleOutput{showAssignment(assigned)}, nil
}

func (h holders) delete(ctx context.Context, in *assignedRolePath) (*struct{}, error) {
	return nil, h.unassign(ctx, callOf(ctx).user.OrgID, in.HolderID, in.RoleID)
}

func roleNamed(entityType, name string) (registry.Role, bool) {
	for _, entry := range catalogue {
		if entry.entityType == entityType && entry.name == name {
			return entry.role, true
		}
	}
	return "", false
}

// visible drops the control planes that the caller may not retrieve.
func (c *call) visible(list []registry.ControlPlane) []registry.ControlPlane {
	return slices.DeleteFunc(list, func(cp registry.ControlPlane) bool {
		return !c.user.May(registry.Retrieve, "control-planes/"+cp.ID, cp.Region)
	})
}
