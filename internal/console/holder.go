package console

import (
	"net/http"
	"time"
)

// holder is who can have roles and tokens: a person, or a system account.
type holder struct {
	System        bool      `json:"-"`
	ID            string    `json:"id"`
	Name          string    `json:"name"` // of a system account
	Description   string    `json:"description"`
	Email         string    `json:"email"` // and so on: of a person
	FullName      string    `json:"full_name"`
	PreferredName string    `json:"preferred_name"`
	Active        bool      `json:"active"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// Title is what the holder is called.
func (h holder) Title() string {
	for _, name := range []string{h.Name, h.FullName, h.Email} {
		if name != "" {
			return name
		}
	}
	return h.ID
}

// Noun is what the holder is.
func (h holder) Noun() string {
	if h.System {
		return "system account"
	}
	return "person"
}

// api is the path of the holder in the API, or of something of theirs.
func (h holder) api(rest ...string) string {
	kind := "users"
	if h.System {
		kind = "system-accounts"
	}
	return pathOf(append([]string{"v3", kind, h.ID}, rest...)...)
}

// Page is the address of the holder's page, or of something on it.
func (h holder) Page(rest ...string) string {
	return h.List() + pathOf(append([]string{h.ID}, rest...)...)
}

// List is the address under which the pages of such holders are.
func (h holder) List() string {
	if h.System {
		return "/people/system-accounts"
	}
	return "/people/users"
}

// holderRoutes are those of people, or of system accounts.
func holderRoutes(system bool) []route {
	base := holder{System: system}.List()
	of := func(serve func(*visit, holder) error) func(*visit) error {
		return func(v *visit) error { return serve(v, holder{System: system, ID: v.r.PathValue("id")}) }
	}
	return []route{
		{"GET " + base + "/new", platform, of(newHolder)},
		{"POST " + base, platform, of(createHolder)},
		{"GET " + base + "/{id}", platform, of(showHolder)},
		{"POST " + base + "/{id}", platform, of(changeHolder)},
		{"POST " + base + "/{id}/delete", platform, of(deleteHolder)},
		{"POST " + base + "/{id}/roles", platform, of(assignRole)},
		{"POST " + base + "/{id}/roles/remove", platform, of(removeRole)},
		{"POST " + base + "/{id}/tokens", platform, of(createHoldersToken)},
		{"POST " + base + "/{id}/tokens/revoke", platform, of(func(v *visit, h holder) error { return v.revokeToken(h, h.Page()) })},
		{"POST " + base + "/{id}/tokens/delete", platform, of(func(v *visit, h holder) error { return v.deleteToken(h, h.Page()) })},
	}
}

// holderView is the page of a holder, or the form that makes one.
type holderView struct {
	holder
	refusal
	Self   bool // it is the reader
	Admin  bool // who may change everything here
	Roles  rolesView
	Tokens tokensView
}

// New says that the holder is not made yet.
func (h holderView) New() bool { return h.ID == "" }

func newHolder(v *visit, h holder) error { return v.show("holder", holderView{holder: h, Admin: true}) }

// holderFields are the names of the forms' fields, as the API has them.
var holderFields = []string{"name", "description", "email", "full_name", "preferred_name"}

// written is the holder as a form has it, and the call's body.
func (h holder) written(v *visit) (holder, map[string]any) {
	h.Name, h.Description = v.form("name"), v.form("description")
	h.Email, h.FullName, h.PreferredName = v.form("email"), v.form("full_name"), v.form("preferred_name")
	if h.System {
		return h, map[string]any{"name": h.Name, "description": h.Description}
	}
	body := map[string]any{"full_name": h.FullName, "preferred_name": h.PreferredName}
	if h.ID == "" {
		body["email"] = h.Email
	} else {
		h.Active = v.form("active") != ""
		body["active"] = h.Active
	}
	return h, body
}

func createHolder(v *visit, h holder) error {
	h, body := h.written(v)
	path := "/trailhook/v1/users" // Konnect invites by e-mail, and has no such call
	if h.System {
		path = "/v3/system-accounts"
	}
	made := holder{System: h.System}
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, path, body, &made); err != nil {
		r, err := refusalOf(err, holderFields...)
		if err != nil {
			return err
		}
		return v.showStatus("holder", r.status, holderView{holder: h, refusal: r, Admin: true})
	}
	return v.redirect(made.Page(), made.Title()+" is added. Give "+map[bool]string{true: "it", false: "them"}[h.System]+" a role, and a token to sign in with.")
}

func showHolder(v *visit, h holder) error {
	return v.showHolder(h, http.StatusOK, func(*holderView) {})
}

// showHolder shows the page, after complete has put onto it what was written in
// one of its forms.
func (v *visit) showHolder(h holder, status int, complete func(*holderView)) error {
	me, err := v.self()
	if err != nil {
		return err
	}
	view := holderView{holder: h, Self: h.ID == me.ID, Admin: me.administers(organizations, "")}
	if err := v.get(v.ctx(), platformHalf, h.api(), nil, &view.holder); err != nil {
		return err
	}
	if view.Roles, err = v.rolesOf(h); err != nil {
		return err
	}
	if view.Tokens, err = v.tokensOf(h, me, h.Page()); err != nil {
		return err
	}
	view.Tokens.MayCreate = view.Admin || view.Self
	complete(&view)
	return v.showStatus("holder", status, view)
}

func changeHolder(v *visit, h holder) error {
	written, body := h.written(v)
	if err := v.send(v.ctx(), platformHalf, http.MethodPatch, h.api(), body, nil); err != nil {
		r, err := refusalOf(err, holderFields...)
		if err != nil {
			return err
		}
		return v.showHolder(h, r.status, func(view *holderView) {
			written.Email, written.CreatedAt, written.UpdatedAt = view.Email, view.CreatedAt, view.UpdatedAt
			view.holder, view.refusal = written, r
		})
	}
	return v.redirect(h.Page(), "The changes are saved.")
}

func deleteHolder(v *visit, h holder) error {
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, h.api(), nil, nil); err != nil {
		r, err := refusalOf(err)
		if err != nil {
			return err
		}
		return v.showHolder(h, r.status, func(view *holderView) { view.refusal = r })
	}
	list := "/people"
	if h.System {
		list = h.List()
	}
	return v.redirect(list, v.form("title")+" is deleted, and so are all tokens of that "+h.Noun()+".")
}

func createHoldersToken(v *visit, h holder) error {
	if err := v.get(v.ctx(), platformHalf, h.api(), nil, &h); err != nil {
		return err
	}
	return v.createToken(h, h.Page(), func(form tokenForm, r refusal) error {
		return v.showHolder(h, r.status, func(view *holderView) { view.Tokens.Form, view.Tokens.refusal = form, r })
	})
}
