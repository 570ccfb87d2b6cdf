package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// The types of entities that roles are for, as the API calls them.
const (
	organizations = "Organizations"
	controlPlanes = "Control Planes"
)

// assignedRole is a role that somebody has, for an entity or all, in a region or all.
type assignedRole struct {
	ID         string `json:"id"`
	Name       string `json:"role_name"`
	EntityID   string `json:"entity_id"`
	EntityType string `json:"entity_type_name"`
	Region     string `json:"entity_region"`
}

// Title is the role, with what it is a role of.
func (r assignedRole) Title() string { return roleTitle(r.EntityType, r.Name) }

func roleTitle(entityType, name string) string { return entityType + ": " + name }

// rolesView is a holder's roles, and the form that gives one.
type rolesView struct {
	Rows    []roleRow
	Choices []roleOption
	Regions []option
	Planes  []option // control planes that a role can be for
	Entity  string
	refusal
}

type roleRow struct {
	assignedRole
	Of, Where string // which entity and region, in words
}

type roleOption struct {
	option
	Description string
}

// rolesOf asks for a holder's roles, and what the form offers. Whom the API does
// not show these has the holder's page without them.
func (v *visit) rolesOf(h holder) (rolesView, error) {
	var view rolesView
	var assigned struct{ Data []assignedRole }
	if err := v.get(v.ctx(), platformHalf, h.api("assigned-roles"), nil, &assigned); err != nil {
		return view, err
	}
	var err error
	if view.Choices, err = v.roleCatalogue(); err != nil {
		return view, err
	}
	names, err := v.regionNames()
	if err != nil {
		return view, err
	}
	view.Regions = []option{{"*", "all regions", true}}
	for _, name := range names {
		view.Regions = append(view.Regions, option{name, name, false})
	}
	var planes struct{ Data []controlPlane }
	query := filters("page[size]", "200", "sort", "name")
	if err := v.get(v.ctx(), platformHalf, controlPlanesPath, query, &planes); err != nil && !forbidden(err) {
		return view, err
	}
	called := map[string]string{}
	for _, p := range planes.Data {
		view.Planes = append(view.Planes, option{p.ID, p.Name, false})
		called[p.ID] = p.Name
	}
	for _, role := range assigned.Data {
		row := roleRow{assignedRole: role, Of: "all", Where: "all regions"}
		if role.EntityType == controlPlanes && role.EntityID != "*" {
			row.Of = cmp.Or(called[role.EntityID], role.EntityID)
		}
		if role.Region != "*" {
			row.Where = role.Region
		}
		view.Rows = append(view.Rows, row)
	}
	return view, nil
}

// roleCatalogue asks for the roles that can be given, in the order of their
// names.
func (v *visit) roleCatalogue() ([]roleOption, error) {
	var groups map[string]struct {
		Name  string
		Roles map[string]struct{ Name, Description string }
	}
	if err := v.get(v.ctx(), platformHalf, "/v3/roles", nil, &groups); err != nil {
		return nil, err
	}
	var list []roleOption
	for _, group := range groups {
		for _, role := range group.Roles {
			list = append(list, roleOption{option{Value: group.Name + "/" + role.Name, Label: roleTitle(group.Name, role.Name)}, role.Description})
		}
	}
	slices.SortFunc(list, func(a, b roleOption) int { return cmp.Compare(a.Label, b.Label) })
	return list, nil
}

func assignRole(v *visit, h holder) error {
	entityType, name, _ := strings.Cut(v.form("role"), "/")
	entity := cmp.Or(v.form("entity_id"), "*")
	body := map[string]string{"role_name": name, "entity_type_name": entityType, "entity_id": entity, "entity_region": v.form("entity_region")}
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, h.api("assigned-roles"), body, nil); err != nil {
		r, err := refusalOf(err, "entity_id", "entity_region", "role_name")
		if err != nil {
			return err
		}
		return v.showHolder(h, r.status, func(view *holderView) { view.Roles.keep(v, r) })
	}
	return v.redirect(h.Page(), "The role "+roleTitle(entityType, name)+" is given.")
}

// keep has the form show what was sent.
func (r *rolesView) keep(v *visit, refused refusal) {
	r.refusal, r.Entity = refused, v.form("entity_id")
	for i := range r.Choices {
		r.Choices[i].Selected = r.Choices[i].Value == v.form("role")
	}
	for i := range r.Regions {
		r.Regions[i].Selected = r.Regions[i].Value == v.form("entity_region")
	}
}

func removeRole(v *visit, h holder) error {
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, h.api("assigned-roles", v.form("id")), nil, nil); err != nil {
		r, err := refusalOf(err)
		if err != nil {
			return err
		}
		return v.showHolder(h, r.status, func(view *holderView) { view.refusal = r })
	}
	return v.redirect(h.Page(), "The role "+v.form("title")+" is taken away.")
}
