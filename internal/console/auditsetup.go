package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// scope is whose audit logs a page is about: the organization's in a region, or
// a portal's.
type scope struct {
	Region string // empty: the server's own
	Portal string // id; empty: the organization
}

// scope reads the address, and has the visit's calls go to its region.
func (v *visit) scope() scope {
	s := scope{Region: v.query("region"), Portal: v.query("portal")}
	if strings.ContainsFunc(s.Region, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) || len(s.Region) > 32 {
		s.Region = ""
	}
	v.region = s.Region
	return s
}

// at is the address of a page about the scope; pairs are further
// parameters, left out where they are empty.
func (s scope) at(path string, pairs ...string) string {
	query := url.Values{}
	if s.Region != "" {
		query.Set("region", s.Region)
	}
	if s.Portal != "" {
		query.Set("portal", s.Portal)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// At is at, for templates.
func (s scope) At(path string, pairs ...string) string { return s.at(path, pairs...) }

// konnect is the path of something of the scope's in Konnect's API, and own in
// ours.
func (s scope) konnect(rest ...string) string { return s.under([]string{"v3"}, rest) }
func (s scope) own(rest ...string) string     { return s.under([]string{"trailhook", "v1"}, rest) }

func (s scope) under(root, rest []string) string {
	if s.Portal != "" {
		root = append(root, "portals", s.Portal)
	}
	return pathOf(append(root, rest...)...)
}

// cutQuery splits an address that the API gave.
func cutQuery(address string) (path string, query url.Values) {
	path, raw, _ := strings.Cut(address, "?")
	query, _ = url.ParseQuery(raw) // what is no query asks for nothing
	return path, query
}

// setup is the head of every page of the audit log setup.
type setup struct {
	Scope   scope
	Of      string // whose the page is: the organization, or a portal's name
	Page    string // address of this page, without its scope
	Tabs    []tab
	Portals []portalName
	Regions []regionChoice
	MayEdit bool
}

type tab struct {
	Label, Address string
	Current        bool
}

type portalName struct{ ID, Name string }

type regionChoice struct {
	Value, Label string
	Selected     bool
}

// setup asks for what the head shows. What the person may not see of it, or an
// API that does not have it, leaves it out.
func (v *visit) setup(current string) (setup, error) {
	s := setup{Scope: v.scope(), Of: "the organization"}
	for _, t := range []tab{
		{Label: "Webhook", Address: "/audit-logs"},
		{Label: "Destinations", Address: "/audit-logs/destinations"},
		{Label: "Lines set aside", Address: "/audit-logs/set-aside"},
		{Label: "Replay", Address: "/audit-logs/replay"},
	} {
		if t.Current = t.Label == current; t.Current {
			s.Page = t.Address
		}
		t.Address = s.Scope.at(t.Address)
		s.Tabs = append(s.Tabs, t)
	}
	caller := v.caller()
	s.MayEdit = caller.mayEditAuditLogs()
	var regions struct{ Regions struct{ Stable []string } }
	if err := v.get(v.ctx(), platformHalf, "/v3/available-regions", nil, &regions); err != nil && !isRefusal(err) {
		return s, err
	}
	s.Regions = s.Scope.regions(regions.Regions.Stable, caller.Region)
	var portals struct{ Data []portalName }
	err := v.get(v.ctx(), platformHalf, "/v3/portals", url.Values{"page[size]": {"1000"}}, &portals)
	if err != nil && !isRefusal(err) {
		return s, err
	}
	s.Portals = portals.Data
	if s.Scope.Portal != "" {
		s.Of = "the portal " + s.Scope.Portal
		if at := slices.IndexFunc(s.Portals, func(p portalName) bool { return p.ID == s.Scope.Portal }); at >= 0 {
			s.Of = "the portal " + s.Portals[at].Name
		}
	}
	return s, nil
}

// isRefusal says that the API does not have what was asked for, or not for this
// person: a page does without.
func isRefusal(err error) bool {
	refused, ok := errors.AsType[*apiError](err)
	return ok && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound)
}

// regions are those to choose from. The one that was asked for is among them,
// whatever it is; own is the one of calls that name none, if it is known.
func (s scope) regions(all []string, own string) []regionChoice {
	first := regionChoice{Label: "this server's own", Selected: s.Region == ""}
	if s.Region == "" && own != "" {
		first.Label = own + ", this server's own"
	}
	list := []regionChoice{first}
	if s.Region != "" && !slices.Contains(all, s.Region) {
		all = append(slices.Clone(all), s.Region)
	}
	for _, region := range all {
		if region != own || s.Region != "" {
			list = append(list, regionChoice{region, region, region == s.Region})
		}
	}
	return list
}

// caller is what the API says of who is signed in; empty if it does not say it.
type caller struct {
	Known  bool
	Region string
	Roles  []struct {
		Name   string `json:"role_name"`
		Type   string `json:"entity_type_name"`
		Region string `json:"entity_region"`
	}
}

func (v *visit) caller() caller {
	var c caller
	c.Known = v.get(v.ctx(), platformHalf, "/trailhook/v1/me", nil, &c) == nil
	return c
}

// mayEditAuditLogs says that a role allows to change the setup. Where it is not
// known, the API will say it to who tries.
func (c caller) mayEditAuditLogs() bool {
	if !c.Known {
		return true
	}
	for _, role := range c.Roles {
		if role.Name == "Admin" && (role.Type == "Organizations" || role.Type == "Audit Logs") && (role.Region == "*" || role.Region == c.Region) {
			return true
		}
	}
	return false
}
