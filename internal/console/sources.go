package console

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

func sourceRoutes() []route {
	return []route{
		{"GET /sources", siem, showSources},
		{"GET /sources/collectors/new", siem, newCollector},
		{"POST /sources/collectors/new", siem, createCollector},
		{"GET /sources/collectors/{id}/edit", siem, editCollector},
		{"POST /sources/collectors/{id}/edit", siem, updateCollector},
		{"POST /sources/collectors/{id}/delete", siem, deleteCollector},
		{"GET /sources/new", siem, newSource},
		{"POST /sources/new", siem, createSource},
		{"GET /sources/{id}", siem, showSource},
		{"GET /sources/{id}/edit", siem, editSource},
		{"POST /sources/{id}/edit", siem, updateSource},
		{"POST /sources/{id}/delete", siem, deleteSource},
		{"POST /sources/{id}/test", siem, sendTestLine},
		{"GET /sources/{id}/line", siem, showTestLine},
	}
}

const (
	collectorsOnPage = 25
	sparksOnPage     = 40 // each of which takes a call
)

// sourcesView is the list of collectors with their sources.
type sourcesView struct {
	Manages        bool
	Collectors     []collectorCard
	Since          time.Time         // from when on is counted; zero: nothing is
	Rejected       map[string]uint64 // what names no source
	Previous, Next string
}

// Empty says that nothing has been made yet.
func (s sourcesView) Empty() bool { return len(s.Collectors) == 0 && s.Previous == "" }

type collectorCard struct {
	hostedCollector
	Sources []sourceRow
	Problem *problem // why the sources are not there
}

type sourceRow struct {
	httpSource
	Badge, State string
	Statistics   *sourceStatistics // nil: not known
	Spark        *sparkline
}

func showSources(v *visit) error {
	own, err := v.ownKey()
	if err != nil {
		return err
	}
	var list struct{ Collectors []hostedCollector }
	offset := v.offset()
	if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", paged(offset, collectorsOnPage), &list); err != nil {
		return err
	}
	view := sourcesView{Manages: own.Manages()}
	more := len(list.Collectors) > collectorsOnPage
	view.Previous, view.Next = neighbours("/sources", offset, collectorsOnPage, more)
	for _, c := range list.Collectors[:min(len(list.Collectors), collectorsOnPage)] {
		view.Collectors = append(view.Collectors, collectorCard{hostedCollector: c})
	}
	v.each(len(view.Collectors), func(i int) { v.fillCard(&view.Collectors[i]) })
	if len(view.Collectors) > 0 {
		v.count(&view)
	}
	return v.show("sources", view)
}

// fillCard reads a collector's sources.
func (v *visit) fillCard(card *collectorCard) {
	var list struct{ Sources []httpSource }
	if err := v.get(v.ctx(), siemHalf, pathOf("api", "v1", "collectors", decimal(card.ID), "sources"), nil, &list); err != nil {
		card.Problem = v.problemOf(err)
		return
	}
	for _, s := range list.Sources {
		card.Sources = append(card.Sources, sourceRow{httpSource: s})
	}
}

// count puts beside the sources what they have taken. A page without is of use
// too, so that an error leaves it at that.
func (v *visit) count(view *sourcesView) {
	var list struct {
		Sources []*sourceStatistics
		Server  struct {
			Since    time.Time
			Rejected map[string]uint64
		}
	}
	if v.get(v.ctx(), siemHalf, "/trailhook/v1/sources/statistics", nil, &list) != nil {
		list.Sources = nil
	}
	view.Since, view.Rejected = list.Server.Since, list.Server.Rejected
	byID := map[int64]*sourceStatistics{}
	for _, s := range list.Sources {
		byID[s.SourceID] = s
	}
	var rows []*sourceRow
	for i := range view.Collectors {
		for j := range view.Collectors[i].Sources {
			row := &view.Collectors[i].Sources[j]
			row.Statistics = byID[row.ID]
			row.Badge, row.State = row.Statistics.standing()
			if row.Statistics != nil && row.Statistics.LastHour != (sourceRates{}) {
				rows = append(rows, row)
			}
		}
	}
	rows = rows[:min(len(rows), sparksOnPage)]
	v.each(len(rows), func(i int) {
		if s, err := v.statistics(decimal(rows[i].ID)); err == nil {
			rows[i].Spark = newSparkline(s.Minutes)
		}
	})
}

// Rate writes a rate, which is a second, by the time in which there is one.
func (sourceRates) Rate(perSecond float64) string {
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{1, "s"}, {60, "min"}, {3600, "h"}} {
		if n := perSecond * unit.seconds; n >= 1 || unit.name == "h" && n > 0 {
			digits := 0
			if n < 10 {
				digits = 1
			}
			n = math.Round(n*math.Pow10(digits)) / math.Pow10(digits)
			return countOf(n) + "/" + unit.name
		}
	}
	return "0"
}

// countOf writes a number with commas between thousands, and the decimals that it
// has.
func countOf(n float64) string {
	whole, part := math.Modf(n)
	if part == 0 {
		return countText(int64(whole))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// collectorForm makes or changes a collector.
type collectorForm struct {
	ID          string // empty: a new one
	ETag        string
	Name        string
	Category    string
	Description string
	First       bool // there is no other yet
	Faults      formFaults
}

func newCollector(v *visit) error {
	var list struct{ Collectors []hostedCollector }
	if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", paged(0, 0), &list); err != nil {
		return err
	}
	return v.show("collectorform", collectorForm{First: len(list.Collectors) == 0})
}

func (v *visit) collectorForm() collectorForm {
	return collectorForm{
		ID: v.r.PathValue("id"), ETag: v.form("etag"),
		Name: v.form("name"), Category: v.form("category"), Description: v.form("description"),
	}
}

// put writes what the form holds over a collector's members.
func (f collectorForm) put(members map[string]any) map[string]any {
	members["collectorType"], members["name"], members["category"] = "Hosted", f.Name, f.Category
	members["description"] = f.Description
	return map[string]any{"collector": members}
}

func collectorFaults() []faultPlace { return []faultPlace{{"name", "name"}} }

func createCollector(v *visit) error {
	f := v.collectorForm()
	var made struct{ Collector hostedCollector }
	err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/collectors", f.put(map[string]any{}), &made)
	if err != nil {
		return v.collectorRefused(f, err)
	}
	return v.redirect("/sources/new?collector="+decimal(made.Collector.ID), "The collector "+f.Name+" is there. Now make a source of it.")
}

func (v *visit) collectorRefused(f collectorForm, err error) error {
	if f.Faults, err = refusedForm(err, collectorFaults()); err != nil {
		return err
	}
	return v.showStatus("collectorform", f.Faults.status(), f)
}

func editCollector(v *visit) error {
	read, err := readTagged[struct{ Collector hostedCollector }](v, pathOf("api", "v1", "collectors", v.r.PathValue("id")))
	if err != nil {
		return err
	}
	c := read.Object.Collector
	return v.show("collectorform", collectorForm{
		ID: decimal(c.ID), ETag: read.ETag, Name: c.Name, Category: c.Category, Description: string(c.Description),
	})
}

func updateCollector(v *visit) error {
	f, path := v.collectorForm(), pathOf("api", "v1", "collectors", v.r.PathValue("id"))
	members, err := v.membersOf(path, "collector")
	if err != nil {
		return err
	}
	if err := v.replace(path, f.ETag, f.put(members)); err != nil {
		return v.collectorRefused(f, err)
	}
	return v.redirect("/sources", "The collector "+f.Name+" was changed.")
}

func deleteCollector(v *visit) error {
	if err := v.send(v.ctx(), siemHalf, http.MethodDelete, pathOf("api", "v1", "collectors", v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.redirect("/sources", "The collector was deleted, and its sources with it. What they had received stays searchable.")
}
