package console

import (
	"net/http"
	"strconv"
	"strings"
)

// alertForm makes or changes a saved search.
type alertForm struct {
	ID               string // empty: a new one
	ETag             string
	Name             string
	Description      string
	Query            string
	Range            string
	TimeZone         string
	Condition        string // empty: no alert
	Every            string
	Enabled          bool
	URL              string // of the webhook
	HasAuthorization bool   // one is kept
	authorization    string // never shown again
	drop             bool
	QueryError       *languageError
	Faults           formFaults
}

// Addressed is the path of the search's pages.
func (f alertForm) Addressed() string { return savedSearch{ID: f.ID}.Addressed() }

// alertFaults is which field the API's words are about.
func alertFaults() []faultPlace {
	return []faultPlace{
		{"invalid_query", "query"}, {"invalid_condition", "condition"}, {"counted by the condition", "condition"},
		{"the name is in use", "name"}, {"name must", "name"}, {"description must", "description"}, {"range", "range"}, {"timeZone", "time_zone"},
		{"alert.every", "every"}, {"alert.webhook.url", "url"}, {"alert.webhook.authorization", "authorization"}, {"alert.enabled", "url"},
	}
}

func newAlert(v *visit) error {
	a := v.asked()
	f := alertForm{Query: a.Query, Range: defaultFrom, TimeZone: a.Zone}
	if strings.HasPrefix(a.From, "-") {
		f.Range = a.From
	}
	return v.showStatus("alertform", f.Faults.status(), f)
}

func (v *visit) alertForm() alertForm {
	return alertForm{
		ID: v.r.PathValue("id"), ETag: v.form("etag"), Name: v.form("name"), Description: v.form("description"),
		Query: v.form("query"), Range: v.form("range"), TimeZone: v.form("time_zone"),
		Condition: v.form("condition"), Every: v.form("every"), Enabled: v.form("enabled") != "", URL: v.form("url"),
		HasAuthorization: v.form("has_authorization") != "", authorization: v.form("authorization"), drop: v.form("drop_authorization") != "",
	}
}

// body is the saved search as the API takes it.
func (f *alertForm) body() map[string]any {
	body := map[string]any{"name": f.Name, "description": f.Description, "query": f.Query, "range": f.Range, "timeZone": f.TimeZone}
	if f.Query == "" {
		f.Faults.add("query", "Give a query: * is everything.")
	}
	if f.Condition == "" {
		if f.Enabled {
			f.Faults.add("condition", "Give a condition, such as count > 0 in 5m: without one there is nothing to alert on.")
		}
		return body
	}
	alert := map[string]any{"enabled": f.Enabled, "condition": f.Condition, "every": f.Every}
	if f.URL != "" {
		alert["webhook"] = webhookMember(f.URL, f.authorization, f.drop)
	}
	body["alert"] = alert
	return body
}

// refused shows the form again, with what is wrong at its place: of a query, also
// where in it that is.
func (f alertForm) refused(v *visit, err error) error {
	faults, err := refusedForm(err, alertFaults())
	if err != nil {
		return err
	}
	f.Faults = faults
	if message := faults.At["query"]; message != "" {
		f.QueryError = languageErrorOf(f.Query, message)
	}
	return v.showStatus("alertform", f.Faults.status(), f)
}

// languageErrorOf reads the place that a message begins with, LINE:COLUMN: …
func languageErrorOf(query, message string) *languageError {
	line, rest, _ := strings.Cut(message, ":")
	column, _, _ := strings.Cut(rest, ":")
	l, err := strconv.Atoi(line)
	c, err2 := strconv.Atoi(column)
	if err != nil || err2 != nil || l < 1 {
		return nil
	}
	return newLanguageError(query, &apiError{Message: message, Line: l, Column: c})
}

func createAlert(v *visit) error {
	f := v.alertForm()
	f.ID = ""
	body := f.body()
	if f.Faults.any() {
		return v.showStatus("alertform", f.Faults.status(), f)
	}
	var made savedSearch
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, "/trailhook/v1/searches", body, &made); err != nil {
		return f.refused(v, err)
	}
	return v.redirect(made.Addressed(), f.done("saved"))
}

// done says what was done with the search, and what can be done next.
func (f alertForm) done(what string) string {
	text := "The search " + f.Name + " was " + what + "."
	switch {
	case f.Condition == "":
	case !f.Enabled:
		text += " Its alert is off: give it a webhook, and enable it."
	default:
		text += " Its alert is on. Test the webhook, to see that posts arrive."
	}
	return text
}

func editAlert(v *visit) error {
	read, err := readTagged[savedSearch](v, v.searchPath())
	if err != nil {
		return err
	}
	s := read.Object
	f := alertForm{ID: s.ID, ETag: read.ETag, Name: s.Name, Description: s.Description, Query: s.Query, Range: s.Range, TimeZone: s.TimeZone}
	if s.Alert != nil {
		f.Condition, f.Every, f.Enabled = s.Alert.Condition, s.Alert.Every, s.Alert.Enabled
		if s.Alert.Webhook != nil {
			f.URL, f.HasAuthorization = s.Alert.Webhook.URL, s.Alert.Webhook.HasAuthorization
		}
	}
	return v.showStatus("alertform", f.Faults.status(), f)
}

func updateAlert(v *visit) error {
	f := v.alertForm()
	body := f.body()
	if f.Faults.any() {
		return v.showStatus("alertform", f.Faults.status(), f)
	}
	if err := v.replace(v.searchPath(), f.ETag, body); err != nil {
		return f.refused(v, err)
	}
	return v.redirect(f.Addressed(), f.done("changed"))
}
