package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func activityRoutes() []route {
	return []route{{"GET /activity", platform, showActivity}}
}

// activityKinds are the kinds of events by which the page can be narrowed; the
// first is what it shows unless told otherwise.
var activityKinds = []option{
	{Value: "gateway_access", Label: "Changes"},
	{Value: "authorization", Label: "Permission checks"},
	{Value: "authentication", Label: "Sign-ins"},
	{Value: "all", Label: "Everything"},
}

// activityTimes are how far back the page can look.
var activityTimes = []option{
	{Value: "", Label: "as long as events are kept"},
	{Value: "1h", Label: "the last hour"},
	{Value: "24h", Label: "the last 24 hours"},
	{Value: "168h", Label: "the last 7 days"},
}

// activityView is what was done in the organization.
type activityView struct {
	Rows         []activityRow
	Kinds        []option
	Times        []option
	Regions      []option
	Kind, Since  string // as in the address
	Region       string
	Newer, Older string // addresses; empty: there is none
	Cut          bool   // a page ended before it was full: there may be more
}

// activityRow is one event.
type activityRow struct {
	Time          time.Time `json:"ts"`
	Type          string    `json:"type"`
	PrincipalID   string    `json:"principal_id"`
	PrincipalName string    `json:"principal_name"`
	PortalID      string    `json:"portal_id"`
	ClientIP      string    `json:"client_ip"`
	TraceID       string    `json:"trace_id"`
	URI           string    `json:"uri"`
	Method        string    `json:"method"`
	Status        int       `json:"status_code"`
	Resource      string    `json:"resource"`
	Action        string    `json:"action"`
	Granted       bool      `json:"granted"`
	Outcome       string    `json:"outcome"`
	Successful    bool      `json:"successful"`

	Raw   string `json:"-"` // the event, indented
	Trace string `json:"-"` // address of a search for the trace; empty: there is no search here
}

// Who did it, as far as that is known.
func (r activityRow) Who() string { return cmp.Or(r.PrincipalName, r.PrincipalID, "somebody unknown") }

// What was done.
func (r activityRow) What() string {
	switch r.Type {
	case "gateway_access":
		return r.Method + " " + r.URI
	case "authorization":
		return r.Action + " " + r.Resource
	case "authentication":
		return "sign-in"
	}
	return r.Type
}

// Result is what came of it, in a word or two.
func (r activityRow) Result() string {
	switch r.Type {
	case "gateway_access":
		switch {
		case r.Status < 400:
			return "done"
		case r.Status < 500:
			return "refused, " + strconv.Itoa(r.Status)
		}
		return "failed, " + strconv.Itoa(r.Status)
	case "authorization":
		if r.Granted {
			return "granted"
		}
		return "denied"
	}
	return strings.ReplaceAll(strings.ToLower(r.Outcome), "_", " ")
}

// Badge is the kind of badge that shows the result.
func (r activityRow) Badge() string {
	if r.Type == "gateway_access" && r.Status < 400 || r.Granted || r.Successful {
		return "good"
	}
	return "bad"
}

// At is the address of the page with other values for some parameters.
func (a activityView) At(pairs ...string) string {
	kind := a.Kind
	if kind == activityKinds[0].Value {
		kind = ""
	}
	return addressOf("/activity", append([]string{"region", a.Region, "kind", kind, "since", a.Since}, pairs...)...)
}

// Everything is the address of the page without a filter.
func (a activityView) Everything() string {
	return addressOf("/activity", "region", a.Region, "kind", "all")
}

func showActivity(v *visit) error {
	view := activityView{Region: v.enterRegion(), Kind: cmp.Or(v.query("kind"), activityKinds[0].Value), Since: v.query("since")}
	view.Kinds, view.Times = chosen(activityKinds, view.Kind), chosen(activityTimes, view.Since)
	query := filters("page[size]", "50", "page[after]", v.query("after"), "page[before]", v.query("before"))
	if view.Kind != "all" {
		query.Set("filter[type]", view.Kind)
	}
	if back, err := time.ParseDuration(view.Since); err == nil && back > 0 {
		query.Set("filter[ts][gte]", v.console.now().Add(-back).UTC().Format(time.RFC3339))
	}
	var page struct {
		Data []json.RawMessage
		Meta struct {
			Page struct{ Next, Previous string }
		}
	}
	if err := v.get(v.ctx(), platformHalf, "/v3/audit-logs", query, &page); err != nil {
		return err
	}
	names, err := v.principalNames()
	if err != nil {
		return err
	}
	for _, raw := range page.Data {
		row, err := v.activityRow(raw)
		if err != nil {
			return err
		}
		row.PrincipalName = cmp.Or(row.PrincipalName, names[row.PrincipalID])
		view.Rows = append(view.Rows, row)
	}
	if cursor := cursorIn(page.Meta.Page.Next, "page[after]"); cursor != "" {
		view.Older, view.Cut = view.At("after", cursor), len(page.Data) < 50
	}
	if cursorIn(page.Meta.Page.Previous, "page[before]") != "" {
		view.Newer = view.At()
	}
	me, err := v.self()
	if err != nil {
		return err
	}
	if view.Regions, err = v.regionOptions(me); err != nil {
		return err
	}
	return v.show("activity", view)
}

// principalNames are what people and system accounts are called, by id, as far as
// the reader may see it: events have their ids.
func (v *visit) principalNames() (map[string]string, error) {
	names := map[string]string{}
	for _, path := range []string{"/v3/users", "/v3/system-accounts"} {
		var list numbered[holder]
		if err := v.get(v.ctx(), platformHalf, path, filters("page[size]", "1000"), &list); err != nil && !forbidden(err) {
			return nil, err
		}
		for _, h := range list.Data {
			names[h.ID] = h.Title()
		}
	}
	return names, nil
}

func (v *visit) activityRow(raw json.RawMessage) (row activityRow, err error) {
	if err := json.Unmarshal(raw, &row); err != nil {
		return row, err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return row, err
	}
	row.Raw = text.String()
	if row.TraceID != "" && v.console.halves[siemHalf] != nil {
		row.Trace = addressOf("/", "query", "trace_id="+row.TraceID, "from", "0")
	}
	return row, nil
}

// cursorIn is the cursor in an address that the API gave for a page; empty if
// there is none.
func cursorIn(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}
