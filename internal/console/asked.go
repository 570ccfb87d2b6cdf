package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name, wherever this runs
)

// asked is what the address of a search says: all that its page depends on.
type asked struct {
	Query    string
	From, To string // as the API takes them; an empty To is no end
	Zone     string // name of the reader's time zone, in which days are cut; empty: UTC
	View     string // of a table: "table" leaves out its chart; empty: both
	Sort     string // column of a table to sort by, with a - before it from the greatest down
	Before   string // messages of before this time, as milliseconds since 1970: a later page
	Skip     int    // how many of the messages right before it were on the page before
}

const defaultFrom = "-24h"

func (v *visit) asked() asked {
	given := v.r.URL.Query()
	a := asked{
		Query: given.Get("query"), From: given.Get("from"), To: given.Get("to"), Zone: given.Get("timeZone"),
		View: given.Get("view"), Sort: given.Get("sort"), Before: given.Get("before"),
	}
	a.Skip, _ = strconv.Atoi(given.Get("skip"))
	a.Skip = min(max(a.Skip, 0), maxSkip)
	if a.From == "" {
		a.From = defaultFrom
	}
	if _, err := time.LoadLocation(a.Zone); err != nil || a.Zone == "Local" {
		a.Zone = ""
	}
	return a
}

// values are the address's parameters; what is as if it were not there is left
// out.
func (a asked) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"query": a.Query, "from": a.From, "to": a.To, "timeZone": a.Zone, "view": a.View, "sort": a.Sort, "before": a.Before,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if a.Skip > 0 {
		values.Set("skip", strconv.Itoa(a.Skip))
	}
	return values
}

// at is the address of what is asked, at a path.
func (a asked) at(path string) string { return path + "?" + a.values().Encode() }

// first is the first page of the same search.
func (a asked) first() asked {
	a.Before, a.Skip, a.Sort = "", 0, ""
	return a
}

// during is the same search over another time.
func (a asked) during(from, to time.Time) asked {
	a = a.first()
	a.From, a.To = instant(from), instant(to)
	return a
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Over is the same search over another time.
func (a asked) Over(from string) string {
	a = a.first()
	a.From, a.To = from, ""
	return a.at("/")
}

// Everything is a search for all of the same time.
func (a asked) Everything() string {
	a = a.first()
	a.Query = ""
	return a.at("/")
}

// Part is where a script fetches a part of the search's page.
func (a asked) Part(name string) string { return a.at("/search/" + name) }

// ExportAs is where the whole result is to be had as a file.
func (a asked) ExportAs(format string) string {
	a = a.first()
	a.View = ""
	values := a.values()
	values.Set("format", format)
	return "/export?" + values.Encode()
}

// parameters are those of the search API.
func (a asked) parameters() url.Values {
	query := a.Query
	if strings.TrimSpace(query) == "" {
		query = "*"
	}
	values := url.Values{"query": {query}, "from": {a.From}}
	if a.To != "" {
		values.Set("to", a.To)
	}
	if a.Zone != "" {
		values.Set("timeZone", a.Zone)
	}
	return values
}

// choice is one of the relative times to search.
type choice struct {
	From, Label string
	Selected    bool
}

// choices are the times to choose from, and whether the one that is asked for is
// among them.
func (a asked) choices() (list []choice, among bool) {
	list = []choice{
		{From: "-15m", Label: "Last 15 minutes"},
		{From: "-1h", Label: "Last hour"},
		{From: "-4h", Label: "Last 4 hours"},
		{From: "-24h", Label: "Last 24 hours"},
		{From: "-7d", Label: "Last 7 days"},
		{From: "-30d", Label: "Last 30 days"},
		{From: "-90d", Label: "Last 90 days"},
		{From: "0", Label: "All time"},
	}
	for i := range list {
		list[i].Selected = a.To == "" && list[i].From == a.From
		among = among || list[i].Selected
	}
	return list, among
}

// span resolves the times, for axes: the zero time is one that only the API can
// say something of. All of time begins at 1970.
func (a asked) span(now time.Time) (from, to time.Time) {
	from = a.resolve(a.From, now)
	if to = now; a.To != "" {
		to = a.resolve(a.To, now)
	}
	return from, to
}

func (a asked) resolve(text string, now time.Time) time.Time {
	if text == "now" {
		return now
	}
	if back, ok := strings.CutPrefix(text, "-"); ok && back != "" {
		unit, known := map[byte]time.Duration{
			's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
		}[back[len(back)-1]]
		n, err := strconv.ParseUint(back[:len(back)-1], 10, 31)
		if !known || err != nil || time.Duration(n) > 100*366*24*time.Hour/unit {
			return time.Time{}
		}
		return now.Add(-time.Duration(n) * unit)
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 && ms < 1<<52 {
		return time.UnixMilli(ms)
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, a.zone()); err == nil {
			return at
		}
	}
	return time.Time{}
}

func (a asked) zone() *time.Location {
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// entered is an absolute time for the form's field, on the zone's clock; empty
// for one that is relative.
func (a asked) entered(text string) string {
	if text == "" || text == "now" || text == "0" || strings.HasPrefix(text, "-") {
		return ""
	}
	at := a.resolve(text, time.Time{})
	if at.IsZero() {
		return ""
	}
	return at.In(a.zone()).Format("2006-01-02T15:04:05")
}
