package console

import (
	"net/http"
	"net/url"
	"strconv"
)

func firstStepRoutes() []route {
	return []route{
		{"POST /audit-logs/first/source", platform, makeFirstSource},
		{"POST /audit-logs/first/destination", platform, makeFirstDestination},
	}
}

// firstSteps lead through a first setup: a source that receives lines, a
// destination that leads to it, and the webhook that sends there.
type firstSteps struct {
	SIEM        bool // the SIEM's half runs here
	SIEMSession bool // and the session can call it
	Source      *siemSource
	Problem     *problem // why the sources cannot be listed
	Destination *destination
}

// Step is the first that is not done, from 1.
func (f *firstSteps) Step() int {
	switch {
	case f.Destination != nil:
		return 3
	case f.Source != nil || !f.SIEM:
		return 2
	}
	return 1
}

// siemSource is a source of the SIEM's half. Its address is told to
// administrators only.
type siemSource struct {
	ID          int64
	Name        string
	URL         string
	CollectorID int64  `json:"-"`
	Collector   string `json:"-"`
}

type siemCollector struct {
	ID   int64
	Name string
}

func (v *visit) firstSteps(s scope, destinations []destination) *firstSteps {
	f := &firstSteps{SIEM: v.console.halves[siemHalf] != nil, SIEMSession: v.session.holds(siemHalf)}
	if len(destinations) > 0 {
		f.Destination = &destinations[len(destinations)-1] // the newest
	}
	if f.SIEMSession {
		var err error
		if f.Source, _, err = v.firstSource(); err != nil {
			f.Problem = v.problemOf(err)
		}
	}
	return f
}

// firstSource returns the first source of the first collector that has any, or
// nil, and the collectors.
func (v *visit) firstSource() (*siemSource, []siemCollector, error) {
	var list struct{ Collectors []siemCollector }
	if err := v.get(v.ctx(), siemHalf, "/api/v1/collectors", url.Values{"limit": {"100"}}, &list); err != nil {
		return nil, nil, err
	}
	for _, c := range list.Collectors {
		var of struct{ Sources []siemSource }
		if err := v.get(v.ctx(), siemHalf, pathOf("api", "v1", "collectors", strconv.FormatInt(c.ID, 10), "sources"), url.Values{"limit": {"1"}}, &of); err != nil {
			return nil, nil, err
		}
		if len(of.Sources) > 0 {
			source := of.Sources[0]
			source.CollectorID, source.Collector = c.ID, c.Name
			return &source, list.Collectors, nil
		}
	}
	return nil, list.Collectors, nil
}

// firstName is what the tutorial calls the collector and the source, and what its
// searches look for.
const firstName = "Konnect"

// makeFirstSource makes a source that takes lines with an access key only.
func makeFirstSource(v *visit) error {
	s := v.scope()
	if !v.session.holds(siemHalf) {
		return v.redirect(v.signInTo(s.at("/audit-logs")), "Sign in with an access key to make a source.")
	}
	source, collectors, err := v.firstSource()
	if err != nil {
		return err
	}
	if source != nil {
		return v.redirect(s.at("/audit-logs"), "There is a source already: "+source.Name+".")
	}
	var made struct{ Collector siemCollector }
	for _, c := range collectors {
		if c.Name == firstName {
			made.Collector = c
		}
	}
	if made.Collector.ID == 0 {
		body := map[string]any{"collector": map[string]any{"collectorType": "Hosted", "name": firstName}}
		if err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/collectors", body, &made); err != nil {
			return err
		}
	}
	body := map[string]any{"source": map[string]any{
		"sourceType": "HTTP", "name": firstName, "trailhook": map[string]any{"requireAccessKey": true},
	}}
	path := pathOf("api", "v1", "collectors", strconv.FormatInt(made.Collector.ID, 10), "sources")
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, path, body, nil); err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs"), "The source "+firstName+" is made: it takes lines now.")
}

func (v *visit) signInTo(path string) string { return "/signin?return=" + escapeQuery(path) }

// makeFirstDestination makes a destination that leads to the first source, with
// an access key of its own that can do nothing but send lines. Nobody sees the
// key: the SIEM keeps a hash of it, and the platform keeps it sealed.
func makeFirstDestination(v *visit) error {
	s := v.scope()
	if !v.session.holds(siemHalf) {
		return v.redirect(v.signInTo(s.at("/audit-logs")), "Sign in with an access key to make a destination for a source.")
	}
	source, _, err := v.firstSource()
	if err != nil {
		return err
	}
	if source == nil || source.URL == "" {
		return v.redirect(s.at("/audit-logs"), "There is no source whose address you may see: make one first, with an administrator's access key.")
	}
	var key struct{ ID, Key string }
	body := map[string]any{"label": "Webhook to " + source.Name, "role": "sender"}
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, "/api/v1/accessKeys", body, &key); err != nil {
		return err
	}
	given := map[string]any{"name": source.Name, "endpoint": source.URL, "authorization": "Bearer " + key.Key, "log_format": "cef"}
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, "/v3/audit-log-destinations", given, nil); err != nil {
		// The key is of no use to anybody then.
		undone := v.send(v.ctx(), siemHalf, http.MethodDelete, pathOf("api", "v1", "accessKeys", key.ID), nil, nil)
		if undone != nil {
			v.console.logger.Warn("console: an access key that nobody has is left", "id", key.ID, "error", undone)
		}
		return err
	}
	return v.redirect(s.at("/audit-logs"), "The destination "+source.Name+" is made, with an access key of its own that can only send.")
}
