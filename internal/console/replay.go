package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func replayRoutes() []route {
	return []route{
		{"GET /audit-logs/replay", platform, showReplay},
		{"GET /audit-logs/replay/jobs", platform, showReplayJobs},
		{"POST /audit-logs/replay", platform, startReplay},
	}
}

// replayView is the page of replays.
type replayView struct {
	setup
	Jobs     replayJobs
	Choices  []choice
	Custom   bool
	From, To string // for the form's fields, on the zone's clock
	Zone     string
	Enabled  bool // there is a webhook to send to
	Errors   map[string]string
	Problem  *problem
}

// replayJobs are the last jobs of the scope, and of the others in its region.
type replayJobs struct {
	Rows    []replayRow
	Running bool
	Address string // at which scripts fetch them again
}

type replayRow struct {
	Name string
	replayJob
	Words spoken
}

// replayJob is what the API has of one.
type replayJob struct {
	Status    string    `json:"status"`
	StartAt   time.Time `json:"start_at"`
	EndAt     time.Time `json:"end_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Trailhook struct {
		Sent          int       `json:"events_sent"`
		Refused       int       `json:"events_refused"`
		Total         *int      `json:"events_total"`
		StartedAt     time.Time `json:"started_at"`
		RunningAt     time.Time `json:"running_at"`
		EndedAt       time.Time `json:"ended_at"`
		Rate          float64   `json:"events_per_second"`
		EndsAt        time.Time `json:"ends_at"`
		FailureReason string    `json:"failure_reason"`
	} `json:"trailhook"`
}

// Asked says that there was a job at all.
func (j replayJob) Asked() bool { return j.Status != "" && j.Status != "unconfigured" }

// Going says that it has not ended.
func (j replayJob) Going() bool { return j.Asked() && j.Status != "completed" && j.Status != "failed" }

// Kind is that of its badge.
func (j replayJob) Kind() string {
	switch j.Status {
	case "completed":
		if j.Trailhook.Refused > 0 {
			return "doubt"
		}
		return "good"
	case "failed":
		return "bad"
	}
	return "plain"
}

// Done and Total are for its progress bar. Total is 0 until it is known.
func (j replayJob) Done() int { return j.Trailhook.Sent + j.Trailhook.Refused }
func (j replayJob) Total() int {
	if j.Trailhook.Total == nil {
		return 0
	}
	return *j.Trailhook.Total
}

// words say how the job stands.
func (j replayJob) words(now time.Time) spoken {
	t := j.Trailhook
	of := countText(j.Done())
	if t.Total != nil {
		of += " of " + plural(*t.Total, "event", "events")
	} else {
		of = plural(j.Done(), "event", "events")
	}
	refused := ""
	if t.Refused > 0 {
		refused = ", " + countText(t.Refused) + " of them refused by the endpoint"
	}
	rate := ""
	if t.Rate > 0 {
		rate = ", " + rateText(t.Rate)
	}
	switch j.Status {
	case "accepted":
		return say(now, "It begins in a moment.")
	case "pending":
		return say(now, "The events are being counted.")
	case "running":
		s := say(now, of+" sent"+refused+rate)
		if t.EndsAt.After(now) {
			s = say(now, s, "; it ends at about ", t.EndsAt, ", in "+roughly(t.EndsAt.Sub(now)))
		}
		return say(now, s, ".")
	case "completed":
		if j.Total() == 0 && j.Done() == 0 {
			return say(now, "There was nothing to send in this time.")
		}
		return say(now, of+" sent"+refused+rate+".")
	case "failed":
		return say(now, of+" sent before it failed: ", finished(cmp.Or(t.FailureReason, "no reason is told")), " Ask for it again once the endpoint takes events.")
	}
	return nil
}

func rateText(perSecond float64) string {
	if perSecond >= 10 {
		return countText(int(perSecond)) + " a second"
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64) + " a second"
}

func showReplay(v *visit) error { return v.showReplayForm(http.StatusOK, replayView{}) }

func (v *visit) showReplayForm(status int, view replayView) (err error) {
	if view.setup, err = v.setup("Replay"); err != nil {
		return err
	}
	if view.Jobs, err = v.replayJobs(view.setup); err != nil {
		return err
	}
	w, err := v.webhook(view.Scope)
	if err != nil {
		return err
	}
	view.Enabled = w.Enabled
	chosen := v.form("last")
	for _, c := range replayChoices() {
		c.Selected = c.From == chosen
		view.Choices = append(view.Choices, c)
	}
	view.Custom = chosen == "custom"
	now := v.console.now()
	view.Zone = v.form("timeZone")
	if view.From, view.To = v.form("from"), v.form("to"); view.From == "" && view.To == "" {
		view.From, view.To = now.Add(-time.Hour).UTC().Format("2006-01-02T15:04"), now.UTC().Format("2006-01-02T15:04")
	}
	return v.showStatus("replay", status, view)
}

func replayChoices() []choice {
	return []choice{
		{From: "-15m", Label: "The last 15 minutes"},
		{From: "-1h", Label: "The last hour"},
		{From: "-24h", Label: "The last 24 hours"},
		{From: "-3d", Label: "The last 3 days"},
		{From: "-7d", Label: "The last 7 days"},
	}
}

// showReplayJobs is the part of the page that a script fetches again and again.
func showReplayJobs(v *visit) error {
	s, err := v.setup("Replay")
	if err != nil {
		return err
	}
	jobs, err := v.replayJobs(s)
	if err != nil {
		return err
	}
	return v.fragment("replay", "jobs", jobs)
}

// replayJobs asks for the last job of each scope: the API keeps one. The page's
// own comes first; of the others those that cannot be asked about are left out.
func (v *visit) replayJobs(s setup) (jobs replayJobs, err error) {
	now := v.console.now()
	jobs.Address = s.Scope.at("/audit-logs/replay/jobs")
	add := func(name string, of scope) error {
		var j replayJob
		if err := v.get(v.ctx(), platformHalf, of.konnect("audit-log-replay-job"), nil, &j); err != nil {
			return err
		}
		if j.Asked() {
			jobs.Rows = append(jobs.Rows, replayRow{Name: name, replayJob: j, Words: j.words(now)})
			jobs.Running = jobs.Running || j.Going()
		}
		return nil
	}
	if err := add(sentenceStart(s.Of), s.Scope); err != nil {
		return jobs, err
	}
	if s.Scope.Portal != "" {
		_ = add("The organization", scope{Region: s.Scope.Region})
	}
	for _, p := range s.Portals[:min(len(s.Portals), mostHooks)] {
		if p.ID != s.Scope.Portal {
			_ = add("The portal "+p.Name, scope{s.Scope.Region, p.ID})
		}
	}
	return jobs, nil
}

func sentenceStart(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// startReplay asks for the events of a time once more. The times that the form
// has are on the reader's clock.
func startReplay(v *visit) error {
	s := v.scope()
	now := v.console.now()
	a := asked{From: v.form("last"), To: "now", Zone: v.form("timeZone")}
	view := replayView{Errors: map[string]string{}}
	if a.From == "custom" {
		a.From, a.To = v.form("from"), v.form("to")
	} else if !slices.ContainsFunc(replayChoices(), func(c choice) bool { return c.From == a.From }) {
		view.Errors["last"] = "Choose a time."
	}
	from, to := a.resolve(a.From, now), a.resolve(a.To, now)
	if len(view.Errors) == 0 && from.IsZero() {
		view.Errors["start_at"] = "Give a date and a time of day."
	}
	if len(view.Errors) == 0 && to.IsZero() {
		view.Errors["end_at"] = "Give a date and a time of day."
	}
	if len(view.Errors) > 0 {
		return v.showReplayForm(http.StatusBadRequest, view)
	}
	body := map[string]any{"start_at": from.UTC(), "end_at": to.UTC()}
	err := v.send(v.ctx(), platformHalf, http.MethodPut, s.konnect("audit-log-replay-job"), body, nil)
	refused, ok := errors.AsType[*apiError](err)
	if ok && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusConflict) {
		return v.replayRefused(view, refused)
	}
	if err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs/replay"), "The replay is accepted. It goes on without this page.")
}

func (v *visit) replayRefused(view replayView, refused *apiError) error {
	for field, reason := range fieldErrors(refused) {
		if (field == "start_at" || field == "end_at") && v.form("last") == "custom" {
			view.Errors[field] = sentence(reason)
		}
	}
	if len(view.Errors) == 0 {
		view.Problem = refused.problem()
	}
	return v.showReplayForm(refused.Status, view)
}
