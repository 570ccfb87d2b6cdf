package console

import "net/http"

func accessKeyRoutes() []route {
	return []route{
		{"GET /keys", siem, showAccessKeys},
		{"GET /keys/new", siem, newAccessKey},
		{"POST /keys/new", siem, createAccessKey},
		{"GET /keys/{id}/edit", siem, editAccessKey},
		{"POST /keys/{id}/edit", siem, updateAccessKey},
		{"POST /keys/{id}/disable", siem, disableAccessKey},
		{"POST /keys/{id}/enable", siem, enableAccessKey},
		{"POST /keys/{id}/delete", siem, deleteAccessKey},
	}
}

// accessKeysView is the list of access keys.
type accessKeysView struct{ Keys []accessKeyRow }

type accessKeyRow struct {
	accessKey
	Own  bool // who is signed in uses it
	Last bool // the last enabled one of an administrator
}

// Addressed is the path of the key's pages.
func (k accessKey) Addressed() string { return pathOf("keys", k.ID) }

// Named is what the key is called where it is asked about.
func (k accessKey) Named() string {
	if k.Label == "" {
		return k.ID
	}
	return k.Label
}

func (v *visit) accessKeys() ([]accessKeyRow, error) {
	own, err := v.ownKey()
	if err != nil {
		return nil, err
	}
	var list struct{ Data []accessKey }
	if err := v.get(v.ctx(), siemHalf, "/api/v1/accessKeys", nil, &list); err != nil {
		return nil, err
	}
	administrators := 0
	for _, k := range list.Data {
		if k.Manages() && !k.Disabled {
			administrators++
		}
	}
	rows := make([]accessKeyRow, len(list.Data))
	for i, k := range list.Data {
		rows[i] = accessKeyRow{k, k.ID == own.ID, administrators == 1 && k.Manages() && !k.Disabled}
	}
	return rows, nil
}

func showAccessKeys(v *visit) error {
	rows, err := v.accessKeys()
	if err != nil {
		return err
	}
	return v.show("keys", accessKeysView{rows})
}

// accessKeyForm makes or changes an access key.
type accessKeyForm struct {
	ID     string // empty: a new one
	Label  string
	Role   string
	Own    bool
	Last   bool
	Faults formFaults
}

// Roles are those to choose from. A key that is made is a sender's, unless another
// is chosen: it may least.
func (f accessKeyForm) Roles() []offered {
	return offer(f.Role,
		roleSender, "Sender: send lines to sources that demand a key, nothing else",
		roleAnalyst, "Analyst: search, and look at sources and alerts",
		roleAdministrator, "Administrator: everything")
}

// Addressed is the path of the key's pages.
func (f accessKeyForm) Addressed() string { return accessKey{ID: f.ID}.Addressed() }

func accessKeyFaults() []faultPlace { return []faultPlace{{"role must", "role"}, {"label", "label"}} }

func (v *visit) accessKeyForm() accessKeyForm {
	return accessKeyForm{ID: v.r.PathValue("id"), Label: v.form("label"), Role: v.form("role")}
}

func (v *visit) accessKeyRefused(f accessKeyForm, err error) error {
	if f.Faults, err = refusedForm(err, accessKeyFaults()); err != nil {
		return err
	}
	return v.showStatus("keyform", f.Faults.status(), f)
}

func newAccessKey(v *visit) error {
	return v.show("keyform", accessKeyForm{Role: roleSender})
}

// createAccessKey answers with the page that shows the secret, which is the only
// one that ever does.
func createAccessKey(v *visit) error {
	f := v.accessKeyForm()
	if f.Label == "" {
		f.Faults.add("label", "Give a label, by which you know the key again.")
		return v.showStatus("keyform", f.Faults.status(), f)
	}
	var made accessKey
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/accessKeys", map[string]string{"label": f.Label, "role": f.Role}, &made); err != nil {
		return v.accessKeyRefused(f, err)
	}
	return v.show("keymade", made)
}

// Pair is the access id with its key, as one signs in with them.
func (k accessKey) Pair() string { return k.ID + ":" + k.Key }

// Sends says whether the key is for sending lines only.
func (k accessKey) Sends() bool { return k.Role == roleSender }

func editAccessKey(v *visit) error {
	rows, err := v.accessKeys()
	if err != nil {
		return err
	}
	for _, k := range rows {
		if k.ID == v.r.PathValue("id") {
			return v.show("keyform", accessKeyForm{ID: k.ID, Label: k.Label, Role: k.Role, Own: k.Own, Last: k.Last})
		}
	}
	return &apiError{half: siemHalf, Status: http.StatusNotFound, Message: "no such object"}
}

func updateAccessKey(v *visit) error {
	f := v.accessKeyForm()
	if err := v.changeAccessKey(map[string]any{"label": f.Label, "role": f.Role}); err != nil {
		return v.accessKeyRefused(f, err)
	}
	return v.redirect("/keys", "The access key "+accessKey{ID: f.ID, Label: f.Label}.Named()+" was changed.")
}

// changeAccessKey changes those members of the path's key that are given.
func (v *visit) changeAccessKey(members map[string]any) error {
	return v.send(v.ctx(), siemHalf, http.MethodPut, pathOf("api", "v1", "accessKeys", v.r.PathValue("id")), members, nil)
}

func disableAccessKey(v *visit) error {
	if err := v.changeAccessKey(map[string]any{"disabled": true}); err != nil {
		return err
	}
	return v.redirect("/keys", "The access key was disabled: nobody can use it until it is enabled again.")
}

func enableAccessKey(v *visit) error {
	if err := v.changeAccessKey(map[string]any{"disabled": false}); err != nil {
		return err
	}
	return v.redirect("/keys", "The access key was enabled: it can be used again.")
}

func deleteAccessKey(v *visit) error {
	if err := v.send(v.ctx(), siemHalf, http.MethodDelete, pathOf("api", "v1", "accessKeys", v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.redirect("/keys", "The access key was deleted.")
}
