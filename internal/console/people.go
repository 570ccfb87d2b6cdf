package console

import "slices"

func peopleRoutes() []route {
	return slices.Concat(
		[]route{
			{"GET /people", platform, showPeople},
			{"GET /people/system-accounts", platform, showSystemAccounts},
		},
		holderRoutes(false),
		holderRoutes(true),
	)
}

// peopleView lists people, or system accounts.
type peopleView struct {
	System   bool
	Rows     []holder
	Admin    bool
	Name     string // filters
	Email    string
	State    string
	Filtered bool
	pages
}

// New is the address of the form that makes one.
func (p peopleView) New() string { return holder{System: p.System}.List() + "/new" }

func showPeople(v *visit) error {
	view := peopleView{Name: v.query("name"), Email: v.query("email"), State: v.query("state")}
	if view.State != "true" && view.State != "false" {
		view.State = ""
	}
	query := filters("filter[full_name][contains]", view.Name, "filter[email][contains]", view.Email, "filter[active]", view.State)
	view.Filtered = len(query) > 0
	list, pages, err := listPage[holder](v, "/v3/users", query, func(page string) string {
		return addressOf("/people", "name", view.Name, "email", view.Email, "state", view.State, "page", page)
	})
	if err != nil {
		return err
	}
	view.Rows, view.pages = list, pages
	return v.showPeople(view)
}

func showSystemAccounts(v *visit) error {
	view := peopleView{System: true, Name: v.query("name")}
	query := filters("filter[name][contains]", view.Name)
	view.Filtered = len(query) > 0
	list, pages, err := listPage[holder](v, "/v3/system-accounts", query, func(page string) string {
		return addressOf("/people/system-accounts", "name", view.Name, "page", page)
	})
	if err != nil {
		return err
	}
	for i := range list {
		list[i].System = true
	}
	view.Rows, view.pages = list, pages
	return v.showPeople(view)
}

func (v *visit) showPeople(view peopleView) error {
	me, err := v.self()
	if err != nil {
		return err
	}
	view.Admin = me.administers(organizations, "")
	return v.show("people", view)
}
