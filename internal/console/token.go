package console

import (
	"net/http"
	"strconv"
	"time"
)

// token is an access token, of a person or of a system account.
type token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	State      string     `json:"state"` // empty: of a system account, whose tokens have none
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	ExpiresAt  *time.Time `json:"expires_at"`

	PersonsSecret string `json:"konnect_token"` // in the answer that makes it
	SystemSecret  string `json:"token"`
}

// tokensView is a holder's tokens, and the form that makes one.
type tokensView struct {
	Of        holder
	Form      tokenForm
	Rows      []tokenRow
	Page      string // address of the page that they are on
	Whose     string // "your", or "their"
	MayCreate bool
	refusal
	pages
}

type tokenForm struct {
	Name, Until string
	Lifetimes   []option
}

type tokenRow struct {
	token
	Badge, Word string
	Current     bool // it is what the reader signed in with
	Active      bool
}

func (v *visit) tokensOf(of holder, me self, at string) (tokensView, error) {
	view := tokensView{Of: of, Page: at, Whose: "their", MayCreate: true, Form: tokenForm{Lifetimes: lifetimes(of.System, "90")}}
	if of.System {
		view.Whose = "its"
	} else if of.ID == me.ID {
		view.Whose = "your"
	}
	list, pages, err := listPage[token](v, of.api("access-tokens"), filters(), func(page string) string { return addressOf(at, "page", page) })
	if err != nil {
		return view, err
	}
	view.pages = pages
	now := v.console.now()
	for _, t := range list {
		view.Rows = append(view.Rows, newTokenRow(t, now, me))
	}
	return view, nil
}

func newTokenRow(t token, now time.Time, me self) tokenRow {
	row := tokenRow{token: t, Current: t.ID == me.Token.ID, Badge: "good", Word: "active", Active: true}
	switch {
	case t.State == "REVOKED":
		row.Badge, row.Word, row.Active = "bad", "revoked", false
	case t.State == "EXPIRED" || t.ExpiresAt != nil && !t.ExpiresAt.After(now):
		row.Badge, row.Word, row.Active = "doubt", "expired", false
	case t.ExpiresAt != nil && t.ExpiresAt.Sub(now) < 3*24*time.Hour:
		row.Badge, row.Word = "doubt", "expires soon"
	}
	return row
}

// lifetimes are what the API allows: a year for people, ten for system accounts.
func lifetimes(system bool, selected string) []option {
	list := []option{{Value: "7", Label: "7 days"}, {Value: "30", Label: "30 days"}, {Value: "90", Label: "90 days"}, {Value: "365", Label: "1 year"}}
	if system {
		list = append(list, option{Value: "1826", Label: "5 years"})
	}
	for i := range list {
		list[i].Selected = list[i].Value == selected
	}
	return list
}

// madeToken is the one page that shows a token.
type madeToken struct {
	token
	Of     holder
	Secret string
	Back   string
	Whose  string
}

// createToken makes a token of the holder, and shows it. refused shows the form
// again.
func (v *visit) createToken(of holder, back string, refused func(tokenForm, refusal) error) error {
	form := tokenForm{Name: v.form("token_name"), Until: v.form("until"), Lifetimes: lifetimes(of.System, v.form("lifetime"))}
	end, bad := v.tokenEnd(form.Until)
	if bad != "" {
		return refused(form, refuseField("expires_at", bad))
	}
	var made token
	body := map[string]any{"name": form.Name, "expires_at": end.UTC().Format(time.RFC3339)}
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, of.api("access-tokens"), body, &made); err != nil {
		r, err := refusalOf(err, "name", "expires_at")
		if err != nil {
			return err
		}
		return refused(form, r)
	}
	view := madeToken{token: made, Of: of, Secret: made.PersonsSecret + made.SystemSecret, Back: back}
	return v.show("tokenmade", view)
}

// tokenEnd is when the token is to end: with the day that was written, which is
// one in UTC, or after the lifetime that was chosen.
func (v *visit) tokenEnd(until string) (end time.Time, bad string) {
	if until != "" {
		day, err := time.Parse(time.DateOnly, until)
		if err != nil {
			return end, "Write the day as 2027-01-31."
		}
		return day.Add(24*time.Hour - time.Second), ""
	}
	days, err := strconv.Atoi(v.form("lifetime"))
	if err != nil || days < 1 || days > 3653 {
		return end, "Choose how long it is good for."
	}
	return v.console.now().Add(time.Duration(days) * 24 * time.Hour), ""
}

// revokeToken ends a person's token, which stays in the list.
func (v *visit) revokeToken(of holder, back string) error {
	err := v.send(v.ctx(), platformHalf, http.MethodPatch, of.api("access-tokens", v.form("id"), "revoke"), nil, nil)
	if err != nil {
		return err
	}
	return v.redirect(back, "The token is revoked: nobody can use it any more.")
}

// deleteToken ends a token and takes it off the list.
func (v *visit) deleteToken(of holder, back string) error {
	err := v.send(v.ctx(), platformHalf, http.MethodDelete, of.api("access-tokens", v.form("id")), nil, nil)
	if err != nil {
		return err
	}
	return v.redirect(back, "The token is deleted: nobody can use it any more.")
}
