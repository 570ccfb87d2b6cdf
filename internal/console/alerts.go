package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func alertRoutes() []route {
	return []route{
		{"GET /alerts", siem, showAlerts},
		{"GET /alerts/new", siem, newAlert},
		{"POST /alerts/new", siem, createAlert},
		{"GET /alerts/{id}", siem, showAlert},
		{"GET /alerts/{id}/edit", siem, editAlert},
		{"POST /alerts/{id}/edit", siem, updateAlert},
		{"POST /alerts/{id}/enable", siem, enableAlert},
		{"POST /alerts/{id}/disable", siem, disableAlert},
		{"POST /alerts/{id}/test", siem, testAlert},
		{"POST /alerts/{id}/delete", siem, deleteAlert},
	}
}

// savedSearch is a saved search as the SIEM's API shows it.
type savedSearch struct {
	ID          string
	Name        string
	Description string
	Query       string
	Range       string
	TimeZone    string
	Owner       string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Alert       *searchAlert // nil: people only run it
}

type searchAlert struct {
	Enabled   bool
	Condition string
	Every     string
	Webhook   *alertWebhook
	State     alertState
}

type alertWebhook struct {
	URL              string
	HasAuthorization bool
}

// alertState is how an alert stands. A list has the counts only, not what is
// counted.
type alertState struct {
	Status         string
	EvaluatedAt    time.Time
	EvaluatedTo    time.Time
	DurationMs     int64
	Error          string
	FiringCount    int
	OmittedGroups  int
	DeferredGroups int
	PendingCount   int
	Firing         []firingGroup
	Pending        []pendingPost
}

type firingGroup struct {
	Group map[string]*string
	Since time.Time
	Value float64
}

type pendingPost struct {
	ID            string
	State         string
	Group         map[string]*string
	At            time.Time
	Attempts      int
	LastError     string
	NextAttemptAt time.Time
}

// recommendedOwner is whose searches come with the server.
const recommendedOwner = "trailhook"

// Recommended says whether the search came with the server.
func (s savedSearch) Recommended() bool { return s.Owner == recommendedOwner }

// Addressed is the path of the search's pages.
func (s savedSearch) Addressed() string { return pathOf("alerts", s.ID) }

// Run is the search page of the query.
func (s savedSearch) Run() string {
	return asked{Query: s.Query, From: s.Range, Zone: s.TimeZone}.at("/")
}

// Enabled says whether the alert is evaluated.
func (s savedSearch) Enabled() bool { return s.Alert != nil && s.Alert.Enabled }

// Badge and State put how the search stands into a word.
func (s savedSearch) Badge() string {
	if s.Alert == nil {
		return "plain"
	}
	switch s.Alert.State.Status {
	case "ok":
		return "good"
	case "firing", "error":
		return "bad"
	case "waiting":
		return "doubt"
	}
	return "plain"
}

func (s savedSearch) State() string {
	if s.Alert == nil {
		return "search only"
	}
	return s.Alert.State.Status
}

// Since is when the group that fires for longest began to; zero if it is not known.
func (s alertState) Since() (since time.Time) {
	for _, f := range s.Firing {
		if since.IsZero() || f.Since.Before(since) {
			since = f.Since
		}
	}
	return since
}

// groupText writes the fields of a group.
func groupText(group map[string]*string) string {
	if len(group) == 0 {
		return "all records"
	}
	var fields []string
	for name, value := range group {
		if value == nil {
			fields = append(fields, name+" is missing")
			continue
		}
		fields = append(fields, name+"="+*value)
	}
	slices.Sort(fields)
	return strings.Join(fields, ", ")
}

// Text names the group.
func (f firingGroup) Text() string { return groupText(f.Group) }

// Number is the value that the condition was held against.
func (f firingGroup) Number() string { return countOf(f.Value) }

// Text names the group.
func (p pendingPost) Text() string { return groupText(p.Group) }

// alertsView is the list of saved searches.
type alertsView struct {
	Manages     bool
	Own         []savedSearch
	Recommended []savedSearch
	Enabled     int // of the recommended ones
}

// mostFiring is of how many alerts the list says since when they fire, which takes
// a call each.
const mostFiring = 20

func showAlerts(v *visit) error {
	own, err := v.ownKey()
	if err != nil {
		return err
	}
	var list struct{ Data []savedSearch }
	if err := v.get(v.ctx(), siemHalf, "/trailhook/v1/searches", nil, &list); err != nil {
		return err
	}
	var firing []*savedSearch
	for i := range list.Data {
		if s := &list.Data[i]; s.Alert != nil && s.Alert.State.FiringCount > 0 && len(firing) < mostFiring {
			firing = append(firing, s)
		}
	}
	v.each(len(firing), func(i int) {
		var whole savedSearch
		if v.get(v.ctx(), siemHalf, pathOf("trailhook", "v1", "searches", firing[i].ID), nil, &whole) == nil && whole.Alert != nil {
			*firing[i] = whole
		}
	})
	// What asks for attention comes first.
	urgency := map[string]int{"firing": -2, "error": -1}
	slices.SortStableFunc(list.Data, func(a, b savedSearch) int { return cmp.Compare(urgency[a.State()], urgency[b.State()]) })
	view := alertsView{Manages: own.Manages()}
	for _, s := range list.Data {
		if !s.Recommended() {
			view.Own = append(view.Own, s)
			continue
		}
		view.Recommended = append(view.Recommended, s)
		if s.Enabled() {
			view.Enabled++
		}
	}
	return v.show("alerts", view)
}

// alertView is the page of a saved search.
type alertView struct {
	savedSearch
	Manages bool
	Webhook alertWebhook // the form's
	Groups  []groupRow
	Tested  *problem // why a test post was not accepted
	Faults  formFaults
}

type groupRow struct {
	firingGroup
	Address string // of a search for the group's lines; empty: none
}

func showAlert(v *visit) error {
	view, err := v.alert()
	if err != nil {
		return err
	}
	return v.show("alert", view)
}

func (v *visit) searchPath() string {
	return pathOf("trailhook", "v1", "searches", v.r.PathValue("id"))
}

func (v *visit) alert() (view alertView, err error) {
	own, err := v.ownKey()
	if err != nil {
		return view, err
	}
	view.Manages = own.Manages()
	if err := v.get(v.ctx(), siemHalf, v.searchPath(), nil, &view.savedSearch); err != nil {
		return view, err
	}
	if view.Alert == nil {
		return view, nil
	}
	if view.Alert.Webhook != nil {
		view.Webhook = *view.Alert.Webhook
	}
	for _, f := range view.Alert.State.Firing {
		view.Groups = append(view.Groups, groupRow{f, view.linesOf(f)})
	}
	return view, nil
}

// linesOf is a search for the lines of a group that fires, if its query gives lines.
func (s savedSearch) linesOf(f firingGroup) string {
	query, err := search.ParseQuery(s.Query)
	if err != nil || query.Aggregates() {
		return ""
	}
	a, made := asked{Query: s.Query, From: instant(f.Since.Add(-time.Hour)), Zone: s.TimeZone}, madeByStages(query)
	for name, value := range f.Group {
		if value == nil || strings.HasSuffix(*value, "…") { // cut, by the API
			return ""
		}
		add, _ := terms(name, *value, made[name])
		if add == "" {
			return ""
		}
		a.Query = refined(a.Query, add)
	}
	return a.at("/")
}

// enableAlert switches an alert on, with the webhook that the form has.
func enableAlert(v *visit) error {
	view, err := v.alert()
	if err != nil {
		return err
	}
	if view.Alert == nil {
		return v.redirect(view.Addressed()+"/edit", "Without a condition there is nothing to alert on: give one.")
	}
	view.Webhook.URL = v.form("url")
	if view.Webhook.URL == "" {
		view.Faults.add("url", "Give the address to post to: without one there is nobody to tell.")
		return v.showStatus("alert", view.Faults.status(), view)
	}
	if err := v.switchAlert(true, webhookMember(view.Webhook.URL, v.form("authorization"), v.form("drop_authorization") != "")); err != nil {
		if view.Faults, err = refusedForm(err, alertFaults()); err != nil {
			return err
		}
		return v.showStatus("alert", view.Faults.status(), view)
	}
	return v.redirect(view.Addressed(), "The alert "+view.Name+" is on. Test the webhook, to see that posts arrive.")
}

// webhookMember is the webhook as the API takes it: without an authorization it
// keeps the one that it has.
func webhookMember(address, authorization string, drop bool) map[string]any {
	webhook := map[string]any{"url": address}
	if authorization != "" || drop {
		webhook["authorization"] = authorization
	}
	return webhook
}

func disableAlert(v *visit) error {
	if err := v.switchAlert(false, nil); err != nil {
		return err
	}
	return v.redirect(pathOf("alerts", v.r.PathValue("id")), "The alert is off: it is not evaluated, and posts nothing.")
}

// switchAlert changes whether an alert is evaluated, and nothing else but the
// webhook, if one is given.
func (v *visit) switchAlert(on bool, webhook map[string]any) error {
	read, err := readTagged[map[string]any](v, v.searchPath())
	if err != nil {
		return err
	}
	alert, ok := read.Object["alert"].(map[string]any)
	if !ok {
		return &apiError{half: siemHalf, Status: http.StatusBadRequest, Message: "the saved search has no condition, and so nothing to switch"}
	}
	alert["enabled"] = on
	if webhook != nil {
		alert["webhook"] = webhook
	}
	return v.replace(v.searchPath(), read.ETag, read.Object)
}

// testAlert posts to the webhook, and tells how that went.
func testAlert(v *visit) error {
	var tried struct {
		Delivered  bool
		Status     int
		Message    string
		DurationMs int64
	}
	err := v.send(v.ctx(), siemHalf, http.MethodPost, v.searchPath()+"/test", nil, &tried)
	if err != nil {
		return err
	}
	took := fmt.Sprintf("after %s ms", countText(tried.DurationMs))
	if tried.Delivered {
		return v.redirect(pathOf("alerts", v.r.PathValue("id")), fmt.Sprintf("The webhook accepted the test post with status %d, %s.", tried.Status, took))
	}
	view, err := v.alert()
	if err != nil {
		return err
	}
	view.Tested = &problem{Title: "The webhook did not accept the test post", What: sentence(tried.Message) + " This was " + took + ".",
		Try: "Check the address and the authorization, and that the receiver runs. A test is posted once; what an alert posts is tried again until it is accepted."}
	if tried.Status > 0 {
		view.Tested.What = fmt.Sprintf("It answered with status %d, %s. %s", tried.Status, took, sentence(tried.Message))
	}
	return v.show("alert", view)
}

func deleteAlert(v *visit) error {
	if err := v.send(v.ctx(), siemHalf, http.MethodDelete, v.searchPath(), nil, nil); err != nil {
		return err
	}
	return v.redirect("/alerts", "The saved search was deleted. It posts nothing any more.")
}
