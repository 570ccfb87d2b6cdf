package search

import (
	"time"

	"github.com/trailhook/trailhook/audit"
)

// Word is a word of the language, for who completes or explains queries.
type Word struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // stage, aggregate, function or field
	Syntax  string `json:"syntax"`
	Meaning string `json:"meaning"`
}

// Words returns the stages, the aggregates, the functions, and the fields that
// records of audit events have beside what the collector knows of any.
func Words() []Word {
	var words []Word
	for _, w := range stageWords() {
		words = append(words, Word{w.name, "stage", w.syntax, w.meaning})
	}
	for _, w := range aggregates() {
		words = append(words, Word{w.name, "aggregate", w.syntax, w.meaning})
	}
	for _, w := range functions(time.Time{}) {
		words = append(words, Word{w.name, "function", w.syntax, w.meaning})
	}
	for _, name := range []string{
		"_source", "_collector", "_sourceCategory", "_sourceHost", "_sourceName", "_signature", "_keyid", "_parse_error", "_time_note",
	} {
		words = append(words, Word{Name: name, Kind: "field", Meaning: "What the collector knows of the line."})
	}
	known := map[string]bool{}
	for _, kind := range []audit.Kind{audit.Authorization, audit.Authentication, audit.Access} {
		full := audit.Event{
			Kind: kind, Time: time.UnixMilli(0), Source: "x", Request: "x", Action: "x", Method: "x", Query: "x", OrgID: "x", PortalID: "x",
			PrincipalID: "x", PrincipalName: "x", ActorID: "x", KongInitiated: true, TraceID: 1, UserAgent: "x", Outcome: audit.OutcomeSuccess,
		}
		for _, f := range EventFields(nil, &full) {
			if !known[f.Name] {
				known[f.Name] = true
				words = append(words, Word{Name: f.Name, Kind: "field", Meaning: "A field of " + kind.String() + " events."})
			}
		}
	}
	return words
}
