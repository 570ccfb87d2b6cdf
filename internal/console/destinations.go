package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

func destinationRoutes() []route {
	return []route{
		{"GET /audit-logs/destinations", platform, showDestinations},
		{"GET /audit-logs/destinations/new", platform, newDestination},
		{"POST /audit-logs/destinations", platform, createDestination},
		{"GET /audit-logs/destinations/{id}", platform, showDestination},
		{"POST /audit-logs/destinations/{id}", platform, changeDestination},
		{"POST /audit-logs/destinations/{id}/delete", platform, deleteDestination},
		{"POST /audit-logs/destinations/{id}/test", platform, testDestination},
	}
}

// destination is what the API shows of one. Its authorization is write-only.
type destination struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Endpoint   string    `json:"endpoint"`
	Format     string    `json:"log_format"`
	SkipVerify bool      `json:"skip_ssl_verification"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Host is the part of the endpoint that tells it from others: its path is often
// a secret.
func (d destination) Host() string {
	_, rest, found := strings.Cut(d.Endpoint, "://")
	if !found {
		return d.Endpoint
	}
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// mostDestinations is how many of them pages show.
const mostDestinations = 1000

func (v *visit) destinations() ([]destination, error) {
	return listed[destination](v.ctx(), v, "/v3/audit-log-destinations?page[size]=1000", mostDestinations)
}

// destinationsView lists them.
type destinationsView struct {
	setup
	Rows []destinationRow
}

type destinationRow struct {
	destination
	UsedBy []string
	Shown  string // address of its page
}

func showDestinations(v *visit) error {
	s, err := v.setup("Destinations")
	if err != nil {
		return err
	}
	list, err := v.destinations()
	if err != nil {
		return err
	}
	users := v.users(s)
	view := destinationsView{setup: s}
	for _, d := range list {
		view.Rows = append(view.Rows, destinationRow{d, users[d.ID], s.Scope.at(pathOf("audit-logs", "destinations", d.ID))})
	}
	return v.show("destinations", view)
}

// users says which webhooks of the region send to which destination, by its id.
// What cannot be asked is left out.
func (v *visit) users(s setup) map[string][]string {
	users := map[string][]string{}
	ask := func(name string, of scope) {
		var w webhook
		if v.get(v.ctx(), platformHalf, of.konnect("audit-log-webhook"), nil, &w) == nil && w.DestinationID != "" {
			users[w.DestinationID] = append(users[w.DestinationID], name)
		}
	}
	ask("the organization's webhook", scope{Region: s.Scope.Region})
	for _, p := range s.Portals[:min(len(s.Portals), mostHooks)] {
		ask("the webhook of the portal "+p.Name, scope{s.Scope.Region, p.ID})
	}
	return users
}

// destinationView is the form of one, new or not.
type destinationView struct {
	setup
	destination
	Action   string
	UsedBy   []string
	Errors   map[string]string
	Problem  *problem // of the form, that no field is the cause of
	Formats  []formatChoice
	HadToken bool // an authorization was given, and has to be given again
}

// New says that it is not made yet.
func (d destinationView) New() bool { return d.ID == "" }

// Self is the address of the destination's page, or of a part of it.
func (d destinationView) Self(rest ...string) string {
	return d.Scope.at(pathOf(append([]string{"audit-logs", "destinations", d.ID}, rest...)...))
}

type formatChoice struct {
	Value, Label string
	Selected     bool
}

func logFormats(selected string) []formatChoice {
	list := []formatChoice{
		{Value: "cef", Label: "CEF, one line for each event"},
		{Value: "json", Label: "JSON, one object a line"},
		{Value: "cps", Label: "CPS, the envelope of Splunk's HTTP event collector"},
	}
	for i := range list {
		list[i].Selected = list[i].Value == selected
	}
	return list
}

func newDestination(v *visit) error {
	return v.showDestinationForm(http.StatusOK, destinationView{destination: destination{Format: "cef"}})
}

// showDestinationForm completes the view with what does not depend on what was
// given.
func (v *visit) showDestinationForm(status int, view destinationView) (err error) {
	if view.setup, err = v.setup("Destinations"); err != nil {
		return err
	}
	view.Formats = logFormats(view.Format)
	if view.Action = view.Scope.at("/audit-logs/destinations"); !view.New() {
		view.Action = view.Self()
		view.UsedBy = v.users(view.setup)[view.ID]
	}
	return v.showStatus("destination", status, view)
}

func (v *visit) destination() (d destination, err error) {
	v.scope()
	err = v.get(v.ctx(), platformHalf, pathOf("v3", "audit-log-destinations", v.r.PathValue("id")), nil, &d)
	return d, err
}

func showDestination(v *visit) error {
	d, err := v.destination()
	if err != nil {
		return err
	}
	return v.showDestinationForm(http.StatusOK, destinationView{destination: d})
}

// givenDestination is what the form has, and as the API's body.
func (v *visit) givenDestination() (destination, map[string]any) {
	d := destination{Name: v.form("name"), Endpoint: v.form("endpoint"), Format: v.form("log_format"), SkipVerify: v.form("skip_ssl_verification") != ""}
	return d, map[string]any{
		"name": d.Name, "endpoint": d.Endpoint, "log_format": d.Format, "skip_ssl_verification": d.SkipVerify,
	}
}

func createDestination(v *visit) error {
	s := v.scope()
	d, body := v.givenDestination()
	body["authorization"] = v.form("authorization")
	var made destination
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, "/v3/audit-log-destinations", body, &made); err != nil {
		return v.destinationRefused(d, err)
	}
	return v.redirect(s.at(pathOf("audit-logs", "destinations", made.ID)), "The destination "+made.Name+" is made. Test it, then choose it for a webhook.")
}

// changeDestination leaves the authorization as it is, unless another one is
// given, or none is wanted.
func changeDestination(v *visit) error {
	s := v.scope()
	d, body := v.givenDestination()
	d.ID = v.r.PathValue("id")
	if given := v.form("authorization"); given != "" {
		body["authorization"] = given
	} else if v.form("no_authorization") != "" {
		body["authorization"] = ""
	}
	if err := v.send(v.ctx(), platformHalf, http.MethodPatch, pathOf("v3", "audit-log-destinations", d.ID), body, nil); err != nil {
		return v.destinationRefused(d, err)
	}
	return v.redirect(s.at(pathOf("audit-logs", "destinations", d.ID)), "The destination "+d.Name+" is changed, for every webhook that sends to it.")
}

// destinationRefused shows the form again with what is wrong. The authorization
// has to be given once more: a page never holds one.
func (v *visit) destinationRefused(d destination, err error) error {
	refused, ok := errors.AsType[*apiError](err)
	if !ok || refused.Status == http.StatusUnauthorized || refused.Status == http.StatusNotFound {
		return err
	}
	view := destinationView{destination: d, Errors: map[string]string{}, HadToken: v.form("authorization") != ""}
	shown := []string{"name", "endpoint", "authorization", "log_format"}
	for field, reason := range fieldErrors(err) {
		if slices.Contains(shown, field) {
			view.Errors[field] = sentence(reason)
		}
	}
	if len(view.Errors) == 0 {
		view.Problem = v.problemOf(err)
	}
	return v.showDestinationForm(refused.Status, view)
}

// deleteDestination says, where the API refuses, whose webhook holds it.
func deleteDestination(v *visit) error {
	d, err := v.destination()
	if err != nil {
		return err
	}
	err = v.send(v.ctx(), platformHalf, http.MethodDelete, pathOf("v3", "audit-log-destinations", d.ID), nil, nil)
	refused, ok := errors.AsType[*apiError](err)
	if ok && refused.Status == http.StatusConflict {
		view := destinationView{destination: d, Problem: v.problemOf(err)}
		return v.showDestinationForm(refused.Status, view)
	}
	if err != nil {
		return err
	}
	return v.redirect(v.scope().at("/audit-logs/destinations"), "The destination "+d.Name+" is deleted.")
}
