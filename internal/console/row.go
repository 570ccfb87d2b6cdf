package console

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// row is one record, as the results show it.
type row struct {
	Time      time.Time
	Received  time.Time
	Name      string
	Action    string // what was done or tried, and how it ended
	Principal string
	Address   string
	Verdict   string // on the signature
	Badge     string // the verdict as a kind of badge
	Words     string // the verdict in words
	KeyID     string
	Source    string
	Collector string
	Problem   string // why the line could not be parsed
	TimeNote  string
	Fields    []shownField
	Raw       string
	Trace     string // address of a search for all of the record's trace; empty: it has none
}

// shownField is a field of a record with what can be done with it.
type shownField struct {
	Name, Value  string
	Add, Exclude string // what the query gets: see refine.go; empty: nothing
}

func newRow(o object, a asked, query search.Query) row {
	r := row{
		Name:      o.text("name"),
		Action:    action(o),
		Principal: first(o, "principal_name", "principal_id", "suser"),
		Address:   o.text("src"),
		Verdict:   o.text("_signature"),
		KeyID:     o.text("_keyid"),
		Source:    o.text("_source"),
		Collector: o.text("_collector"),
		Problem:   o.text("_parse_error"),
		TimeNote:  o.text("_time_note"),
		Raw:       o.text("_raw"),
	}
	r.Time, _ = time.Parse(time.RFC3339, o.text("_time"))
	r.Received, _ = time.Parse(time.RFC3339, o.text("_receipttime"))
	r.Badge, r.Words = verdict(r.Verdict)
	if r.Name == "" {
		r.Name = shorten(r.Raw)
	}
	made := madeByStages(query)
	for _, name := range fieldNames(o) {
		f := shownField{Name: name, Value: o.text(name)}
		f.Add, f.Exclude = terms(name, f.Value, made[name])
		r.Fields = append(r.Fields, f)
	}
	if trace := o.text("trace_id"); trace != "" && !made["trace_id"] {
		around := a.during(r.Time.Add(-time.Hour), r.Time.Add(time.Hour))
		around.Query = search.Compare{Field: "trace_id", Value: search.Literal(trace)}.String()
		r.Trace = around.at("/")
	}
	return r
}

// fieldNames are what the line itself says, by name, then what the collector
// knows. The line and the times have places of their own.
func fieldNames(o object) []string {
	var own, metadata []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		switch {
		case name == "_raw", name == "_time", name == "_receipttime":
		case !strings.HasPrefix(name, "_"):
			own = append(own, name)
		case o.text(name) != "":
			metadata = append(metadata, name)
		}
	}
	return append(own, metadata...)
}

// action tells what was done or tried, and how it ended, for each kind of
// audit event; of other lines, what their "act" says.
func action(o object) string {
	switch o.text("kind") {
	case "authorization":
		if o.text("granted") == "true" {
			return o.text("action") + ", granted"
		}
		return o.text("action") + ", denied"
	case "authentication":
		outcome := strings.TrimPrefix(o.text("name"), "AUTHENTICATION_OUTCOME_")
		return "sign in, " + strings.ToLower(strings.ReplaceAll(outcome, "_", " "))
	case "access":
		return o.text("act") + " " + o.text("request") + ", " + o.text("status")
	}
	return o.text("act")
}

// verdict maps the verdicts to kinds of badges, so that no text of a record becomes
// one, and to words.
func verdict(of string) (badge, words string) {
	switch of {
	case "valid":
		return "good", "The signature is right: the line is as it was signed."
	case "invalid":
		return "bad", "The signature is wrong: the line was changed after it was signed, or it was made up."
	case "unsigned":
		return "plain", "The line bears no signature, so nobody can tell whether it was changed."
	case "unknown key":
		return "doubt", "The line is signed with a key that is not among those of its source, so nobody can tell whether it is genuine."
	}
	return "plain", ""
}

func first(o object, names ...string) string {
	for _, name := range names {
		if o.text(name) != "" {
			return o.text(name)
		}
	}
	return ""
}

// shorten gives the beginning of a line that has no name.
func shorten(line string) string {
	const most = 80
	runes := []rune(line[:min(len(line), 4*most)])
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most]) + "…"
}
