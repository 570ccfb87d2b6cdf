package console

import (
	"net/http"
	"time"
)

const portalsPath = "/v3/portals"

func portalRoutes() []route {
	return []route{
		{"GET /portals", platform, showPortals},
		{"GET /portals/new", platform, newPortal},
		{"POST /portals", platform, createPortal},
		{"GET /portals/{id}", platform, showPortal},
		{"POST /portals/{id}", platform, changePortal},
		{"POST /portals/{id}/delete", platform, deletePortal},
		{"GET /portals/{id}/developers/new", platform, newDeveloper},
		{"POST /portals/{id}/developers", platform, createDeveloper},
		{"GET /portals/{id}/developers/{developer}", platform, showDeveloper},
		{"POST /portals/{id}/developers/{developer}", platform, changeDeveloper},
		{"POST /portals/{id}/developers/{developer}/status", platform, changeDeveloperStatus},
		{"POST /portals/{id}/developers/{developer}/delete", platform, deleteDeveloper},
	}
}

// portal is what the API shows of one.
type portal struct {
	ID                      string            `json:"id"`
	Name                    string            `json:"name"`
	DisplayName             string            `json:"display_name"`
	Description             string            `json:"description"`
	AuthenticationEnabled   bool              `json:"authentication_enabled"`
	RBACEnabled             bool              `json:"rbac_enabled"`
	AutoApproveDevelopers   bool              `json:"auto_approve_developers"`
	AutoApproveApplications bool              `json:"auto_approve_applications"`
	DefaultAPIVisibility    string            `json:"default_api_visibility"`
	DefaultPageVisibility   string            `json:"default_page_visibility"`
	DefaultDomain           string            `json:"default_domain"`
	Labels                  map[string]string `json:"labels"`
	CreatedAt               time.Time         `json:"created_at"`
	UpdatedAt               time.Time         `json:"updated_at"`
}

// portalsView lists them.
type portalsView struct {
	Rows     []portalRow
	Region   string
	Regions  []option
	Name     string // the filter
	MayMake  bool
	Filtered bool
	pages
}

type portalRow struct {
	portal
	Chips   []chip
	Address string
}

// All is the address of the list without a filter, and New that of the form that
// makes one.
func (p portalsView) All() string { return addressOf("/portals", "region", p.Region) }
func (p portalsView) New() string { return addressOf("/portals/new", "region", p.Region) }

func showPortals(v *visit) error {
	view := portalsView{Region: v.enterRegion(), Name: v.query("name")}
	query := filters("filter[name][contains]", view.Name)
	view.Filtered = len(query) > 0
	list, pages, err := listPage[portal](v, portalsPath, query, func(page string) string {
		return addressOf("/portals", "region", view.Region, "name", view.Name, "page", page)
	})
	if err != nil {
		return err
	}
	view.pages = pages
	for _, p := range list {
		none := func(string) string { return "" } // the API has no filter of portals' labels
		view.Rows = append(view.Rows, portalRow{p, chips(p.Labels, none), addressOf(pathOf("portals", p.ID), "region", view.Region)})
	}
	me, err := v.self()
	if err != nil {
		return err
	}
	view.MayMake = me.administers(organizations, "")
	if view.Regions, err = v.regionOptions(me); err != nil {
		return err
	}
	return v.show("portals", view)
}

// portalView is the page of a portal, or the form that makes one.
type portalView struct {
	portal
	refusal
	Region     string
	LabelsText string
	MayEdit    bool
	Developers developersView
	Hook       portalHook
}

// portalHook is how the portal's audit-log webhook stands.
type portalHook struct {
	Known   bool // the reader may see it
	Status  string
	Address string // of its setup; empty: there is no page for it
}

// New says that the portal is not made yet.
func (p portalView) New() bool { return p.ID == "" }

// Self is the address of the portal's page, or of something of the portal's.
func (p portalView) Self(rest ...string) string {
	return addressOf(pathOf(append([]string{"portals", p.ID}, rest...)...), "region", p.Region)
}

// Visible are the choices of who sees what is new in a portal.
func (portalView) Visible(selected string) []option {
	return []option{
		{"private", "Developers who have logged in", selected == "private"},
		{"public", "Everybody", selected == "public"},
	}
}

// List is the address of the list that it is on.
func (p portalView) List() string { return addressOf("/portals", "region", p.Region) }

func newPortal(v *visit) error {
	view := portalView{Region: v.enterRegion(), MayEdit: true}
	view.AuthenticationEnabled, view.DefaultAPIVisibility, view.DefaultPageVisibility = true, "private", "private"
	return v.show("portal", view)
}

// portalFields are the names of the form's fields, as the API has them.
var portalFields = []string{"name", "display_name", "description", "labels", "default_api_visibility", "default_page_visibility"}

// written puts what the form has onto the view, and into a body of a call.
func (p *portalView) written(v *visit) (map[string]any, refusal) {
	p.Name, p.DisplayName, p.Description, p.LabelsText = v.form("name"), v.form("display_name"), v.form("description"), v.form("labels")
	p.DefaultAPIVisibility, p.DefaultPageVisibility = v.form("default_api_visibility"), v.form("default_page_visibility")
	p.AuthenticationEnabled, p.RBACEnabled = v.form("authentication_enabled") != "", v.form("rbac_enabled") != ""
	p.AutoApproveDevelopers, p.AutoApproveApplications = v.form("auto_approve_developers") != "", v.form("auto_approve_applications") != ""
	labels, err := readLabels(p.LabelsText)
	if err != nil {
		return nil, refuseField("labels", sentence(err.Error()))
	}
	body := map[string]any{
		"name": p.Name, "display_name": p.DisplayName, "description": p.Description, "labels": labels,
		"default_api_visibility": p.DefaultAPIVisibility, "default_page_visibility": p.DefaultPageVisibility,
		"authentication_enabled": p.AuthenticationEnabled, "rbac_enabled": p.RBACEnabled,
		"auto_approve_developers": p.AutoApproveDevelopers, "auto_approve_applications": p.AutoApproveApplications,
	}
	if p.DisplayName == "" { // the API takes the name then
		body["display_name"] = p.Name
	}
	return body, refusal{}
}

func createPortal(v *visit) error {
	view := portalView{Region: v.enterRegion(), MayEdit: true}
	body, bad := view.written(v)
	if bad.status == 0 {
		made := portalView{Region: view.Region}
		err := v.send(v.ctx(), platformHalf, http.MethodPost, portalsPath, body, &made.portal)
		if err == nil {
			return v.redirect(made.Self(), "The portal "+made.Name+" is made.")
		}
		if bad, err = refusalOf(err, portalFields...); err != nil {
			return err
		}
	}
	view.refusal = bad
	return v.showStatus("portal", bad.status, view)
}

func showPortal(v *visit) error {
	return v.showPortal(http.StatusOK, func(*portalView) error { return nil })
}

// showPortal shows the page, after complete has put onto it what was written in
// its form.
func (v *visit) showPortal(status int, complete func(*portalView) error) error {
	view := portalView{Region: v.enterRegion()}
	if err := v.get(v.ctx(), platformHalf, portalsPath+pathOf(v.r.PathValue("id")), nil, &view.portal); err != nil {
		return err
	}
	view.LabelsText = labelsText(view.Labels)
	me, err := v.self()
	if err != nil {
		return err
	}
	view.MayEdit = me.administers(organizations, "")
	if view.Developers, err = v.developersOf(view); err != nil {
		return err
	}
	if view.Hook, err = v.portalHook(view.ID); err != nil {
		return err
	}
	if err := complete(&view); err != nil {
		return err
	}
	return v.showStatus("portal", status, view)
}

func (v *visit) portalHook(id string) (portalHook, error) {
	var status struct {
		Status string `json:"webhook_status"`
	}
	err := v.get(v.ctx(), platformHalf, portalsPath+pathOf(id, "audit-log-webhook", "status"), nil, &status)
	if forbidden(err) || missing(err) {
		return portalHook{}, nil
	}
	hook := portalHook{Known: true, Status: status.Status}
	if routed("/audit-logs") {
		hook.Address = addressOf("/audit-logs", "portal", id, "region", v.region)
	}
	return hook, err
}

func changePortal(v *visit) error {
	var view portalView
	body, bad := view.written(v)
	v.enterRegion()
	id := v.r.PathValue("id")
	if bad.status == 0 {
		err := v.send(v.ctx(), platformHalf, http.MethodPatch, portalsPath+pathOf(id), body, nil)
		if err == nil {
			return v.redirect(addressOf(pathOf("portals", id), "region", v.region), "The changes are saved.")
		}
		if bad, err = refusalOf(err, portalFields...); err != nil {
			return err
		}
	}
	return v.showPortal(bad.status, func(shown *portalView) error {
		shown.refusal = bad
		_, _ = shown.written(v) // which was refused
		return nil
	})
}

// deletePortal deletes a portal, with its developers if the form says that their
// number was shown.
func deletePortal(v *visit) error {
	c := call{half: platformHalf, method: http.MethodDelete, path: portalsPath + pathOf(v.r.PathValue("id")), query: filters("force", v.form("force"))}
	region := v.enterRegion()
	if _, err := v.do(v.ctx(), c, nil); err != nil {
		r, err := refusalOf(err)
		if err != nil {
			return err
		}
		return v.showPortal(r.status, func(view *portalView) error { view.refusal = r; return nil })
	}
	return v.redirect(addressOf("/portals", "region", region), "The portal "+v.form("title")+" is deleted.")
}
