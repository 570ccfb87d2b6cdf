package console

import "net/http"

// trialView is how a test delivery went.
type trialView struct {
	setup
	Destination destination
	Shown       string // address of the destination's page
	Again       string // address that a test is asked for at
	Find        string // address of a search for the event; empty: it cannot be searched here
	trialResult
}

// trialResult is what the API has.
type trialResult struct {
	Delivered bool         `json:"delivered"`
	TraceID   string       `json:"trace_id"`
	Status    int          `json:"status_code"`
	Answer    string       `json:"answer"`
	Phases    []trialPhase `json:"phases"`
}

type trialPhase struct {
	Name         string  `json:"name"`
	OK           bool    `json:"ok"`
	Milliseconds float64 `json:"ms"`
	Detail       string  `json:"detail"`
	Remedy       string  `json:"remedy"`
}

// Label is what the phase does, in words.
func (p trialPhase) Label() string {
	switch p.Name {
	case "resolve":
		return "Look up the name"
	case "connect":
		return "Connect"
	case "tls":
		return "TLS handshake"
	case "request":
		return "Send the event"
	case "response":
		return "Wait for the answer"
	}
	return p.Name
}

// Remedy is what can be done about the phase that failed.
func (t trialResult) Remedy() string {
	if n := len(t.Phases); n > 0 {
		return t.Phases[n-1].Remedy
	}
	return ""
}

// Longest is how long the slowest phase took, for the bars.
func (t trialResult) Longest() float64 {
	longest := 0.001
	for _, p := range t.Phases {
		longest = max(longest, p.Milliseconds)
	}
	return longest
}

// testDestination sends a test event. It shows what came of it without a
// redirect: nothing here is changed by it, and nobody keeps the result.
func testDestination(v *visit) error {
	d, err := v.destination()
	if err != nil {
		return err
	}
	view := trialView{Destination: d}
	path := pathOf("trailhook", "v1", "destinations", d.ID, "test")
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, path, nil, &view.trialResult); err != nil {
		return err
	}
	if view.setup, err = v.setup("Destinations"); err != nil {
		return err
	}
	view.Shown = view.Scope.at(pathOf("audit-logs", "destinations", d.ID))
	view.Again = view.Scope.at(pathOf("audit-logs", "destinations", d.ID, "test"))
	if view.Delivered && v.session.holds(siemHalf) {
		view.Find = asked{Query: "trace_id=" + view.TraceID, From: "-1h"}.at("/")
	}
	return v.show("trial", view)
}
