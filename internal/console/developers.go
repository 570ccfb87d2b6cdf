package console

import (
	"net/http"
	"time"
)

// developer is who can log in to a portal.
type developer struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	FullName  string    `json:"full_name"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Trailhook struct {
		LockedUntil *time.Time `json:"locked_until"`
	} `json:"trailhook"`
}

// Badge is the kind of badge that shows the status.
func (d developer) Badge() string {
	switch d.Status {
	case "approved":
		return "good"
	case "pending":
		return "doubt"
	}
	return "bad"
}

// developerStatuses are those that the API knows, in words.
var developerStatuses = []option{
	{Value: "approved", Label: "Approved: may log in"},
	{Value: "pending", Label: "Pending: waits for approval"},
	{Value: "revoked", Label: "Revoked: may no longer log in"},
	{Value: "rejected", Label: "Rejected: was never let in"},
}

// developersView lists a portal's developers, on its page.
type developersView struct {
	Rows []developerRow
	pages
}

type developerRow struct {
	developer
	Address string
	Decide  string // where to send a change of the status
}

func (v *visit) developersOf(p portalView) (view developersView, err error) {
	path := portalsPath + pathOf(p.ID, "developers")
	list, pages, err := listPage[developer](v, path, filters(), func(page string) string {
		return addressOf(pathOf("portals", p.ID), "region", p.Region, "page", page)
	})
	view.pages = pages
	for _, d := range list {
		view.Rows = append(view.Rows, developerRow{d, p.Self("developers", d.ID), p.Self("developers", d.ID, "status")})
	}
	return view, err
}

// developerView is the form of one, new or not.
type developerView struct {
	developer
	refusal
	Of          portalView
	Statuses    []option
	MayEdit     bool
	HadPassword bool // which has to be given again
}

// New says that the developer is not made yet.
func (d developerView) New() bool { return d.ID == "" }

// Self is the address of the developer's page, or of something on it.
func (d developerView) Self(rest ...string) string {
	if d.New() {
		return d.Of.Self("developers")
	}
	return d.Of.Self(append([]string{"developers", d.ID}, rest...)...)
}

// developerAsked reads the address: the view of a developer of its portal, and
// the developer's path in the API.
func (v *visit) developerAsked() (view developerView, path string, err error) {
	view = developerView{Of: portalView{Region: v.enterRegion()}}
	view.Of.ID, view.ID = v.r.PathValue("id"), v.r.PathValue("developer")
	path = portalsPath + pathOf(view.Of.ID, "developers")
	if view.ID != "" {
		path += pathOf(view.ID)
	}
	if err := v.get(v.ctx(), platformHalf, portalsPath+pathOf(view.Of.ID), nil, &view.Of.portal); err != nil {
		return view, path, err
	}
	me, err := v.self()
	view.MayEdit = me.administers(organizations, "")
	return view, path, err
}

func newDeveloper(v *visit) error {
	view, _, err := v.developerAsked()
	if err != nil {
		return err
	}
	view.Statuses = chosen(developerStatuses, "approved")
	return v.show("developer", view)
}

func showDeveloper(v *visit) error {
	view, path, err := v.developerAsked()
	if err != nil {
		return err
	}
	if err := v.get(v.ctx(), platformHalf, path, nil, &view.developer); err != nil {
		return err
	}
	view.Statuses = chosen(developerStatuses, view.Status)
	return v.show("developer", view)
}

// developerFields are the names of the form's fields, as the API has them.
var developerFields = []string{"email", "full_name", "password", "status"}

// written puts what the form has onto the view, and into a body of a call. The
// password is never put into a page.
func (d *developerView) written(v *visit) map[string]any {
	d.FullName, d.Status, d.HadPassword = v.form("full_name"), v.form("status"), v.r.PostForm.Get("password") != ""
	d.Statuses = chosen(developerStatuses, d.Status)
	body := map[string]any{"full_name": d.FullName, "status": d.Status}
	if d.New() {
		d.Email = v.form("email")
		body["email"] = d.Email
	}
	if d.HadPassword {
		body["password"] = v.r.PostForm.Get("password") // spaces and all
	}
	return body
}

func createDeveloper(v *visit) error {
	view, path, err := v.developerAsked()
	if err != nil {
		return err
	}
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, path, view.written(v), nil); err != nil {
		if view.refusal, err = refusalOf(err, developerFields...); err != nil {
			return err
		}
		return v.showStatus("developer", view.refusal.status, view)
	}
	return v.redirect(view.Of.Self(), view.FullName+" is added as a developer.")
}

func changeDeveloper(v *visit) error {
	view, path, err := v.developerAsked()
	if err != nil {
		return err
	}
	if err := v.get(v.ctx(), platformHalf, path, nil, &view.developer); err != nil {
		return err
	}
	if err := v.send(v.ctx(), platformHalf, http.MethodPatch, path, view.written(v), nil); err != nil {
		if view.refusal, err = refusalOf(err, developerFields...); err != nil {
			return err
		}
		return v.showStatus("developer", view.refusal.status, view)
	}
	return v.redirect(view.Self(), "The changes are saved.")
}

// changeDeveloperStatus is a click in the list: to approve, say.
func changeDeveloperStatus(v *visit) error {
	view, path, err := v.developerAsked()
	if err != nil {
		return err
	}
	var changed developer
	if err := v.send(v.ctx(), platformHalf, http.MethodPatch, path, map[string]string{"status": v.form("status")}, &changed); err != nil {
		return err
	}
	return v.redirect(view.Of.Self(), changed.FullName+" is "+changed.Status+" now.")
}

func deleteDeveloper(v *visit) error {
	view, path, err := v.developerAsked()
	if err != nil {
		return err
	}
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	return v.redirect(view.Of.Self(), v.form("title")+" is deleted.")
}
