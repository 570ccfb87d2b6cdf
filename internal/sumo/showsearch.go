package sumo

import (
	"net/http"
	"net/url"
	"time"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/collector"
)

// maxShown is how many groups, and how many posts, an answer shows of one alert.
const maxShown = 100

// shownSearch is a saved search in answers.
type shownSearch struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Query       string      `json:"query"`
	Range       string      `json:"range"`
	TimeZone    string      `json:"timeZone"`
	Owner       string      `json:"owner"`
	CreatedAt   time.Time   `json:"createdAt"`
	UpdatedAt   time.Time   `json:"updatedAt"`
	Alert       *shownAlert `json:"alert,omitempty"`
}

type shownAlert struct {
	Enabled   bool          `json:"enabled"`
	Condition string        `json:"condition"`
	Every     string        `json:"every"`
	Webhook   *shownWebhook `json:"webhook,omitempty"`
	State     shownState    `json:"state"`
}

type shownWebhook struct {
	URL              string `json:"url"`
	HasAuthorization bool   `json:"hasAuthorization"`
}

// shownState is how an alert stands. Lists have neither groups nor posts, only how
// many there are.
type shownState struct {
	Status         string         `json:"status"`
	EvaluatedAt    *time.Time     `json:"evaluatedAt,omitempty"`
	EvaluatedTo    *time.Time     `json:"evaluatedTo,omitempty"`
	DurationMs     int64          `json:"durationMs"`
	Error          string         `json:"error,omitempty"`
	FiringCount    int            `json:"firingCount"`
	OmittedGroups  int            `json:"omittedGroups"`
	DeferredGroups int            `json:"deferredGroups"`
	PendingCount   int            `json:"pendingCount"`
	Firing         []shownFiring  `json:"firing,omitempty"`
	Pending        []shownPending `json:"pending,omitempty"`
}

type shownFiring struct {
	Group map[string]*string `json:"group"`
	Since time.Time          `json:"since"`
	Value float64            `json:"value"`
}

type shownPending struct {
	ID            string             `json:"id"`
	State         string             `json:"state"`
	Group         map[string]*string `json:"group"`
	At            time.Time          `json:"at"`
	Attempts      int                `json:"attempts"`
	LastError     string             `json:"lastError,omitempty"`
	NextAttemptAt *time.Time         `json:"nextAttemptAt,omitempty"`
}

func (a *API) answerSaved(w http.ResponseWriter, r *http.Request, status int, s alert.Search) {
	w.Header().Set("ETag", etag(s.Revision))
	answer(w, status, a.showSaved(r, s, true))
}

func (a *API) showSaved(r *http.Request, s alert.Search, whole bool) shownSearch {
	shown := shownSearch{
		ID: s.ID, Name: s.Name, Description: s.Description, Query: s.Query, Range: s.Range, TimeZone: s.TimeZone,
		Owner: s.Owner, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if s.Alert == nil {
		return shown
	}
	shown.Alert = &shownAlert{
		Enabled: s.Alert.Enabled, Condition: s.Alert.Condition, Every: alert.FormatSpan(s.Alert.Every),
		State: showState(a.alerts.Status(s), whole),
	}
	if webhook := s.Alert.Webhook; webhook != nil {
		shown.Alert.Webhook = &shownWebhook{webhook.URL, webhook.HasAuthorization()}
		if callerOf(r).Role != collector.Administrator {
			shown.Alert.Webhook.URL = hostOnly(webhook.URL)
		}
	}
	return shown
}

func showState(st alert.Status, whole bool) shownState {
	shown := shownState{
		Status: st.Status, EvaluatedAt: unlessZero(st.EvaluatedAt), EvaluatedTo: unlessZero(st.EvaluatedTo),
		DurationMs: st.Took.Milliseconds(), Error: st.Error,
		FiringCount: len(st.Firing), OmittedGroups: st.Omitted, DeferredGroups: st.Deferred, PendingCount: len(st.Pending),
	}
	if !whole {
		return shown
	}
	for _, f := range st.Firing[:min(len(st.Firing), maxShown)] {
		shown.Firing = append(shown.Firing, shownFiring{showGroup(f.Group), f.Since, f.Value})
	}
	for _, p := range st.Pending[:min(len(st.Pending), maxShown)] {
		shown.Pending = append(shown.Pending, shownPending{
			p.ID, p.State, showGroup(p.Group), p.At, p.Attempts, p.LastError, unlessZero(p.Next),
		})
	}
	return shown
}

func showGroup(group []alert.Member) map[string]*string {
	shown := make(map[string]*string, len(group))
	for _, m := range group {
		shown[m.Field] = m.Value
	}
	return shown
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// hostOnly is what of an address who may only look sees: its path may hold an
// access code.
func hostOnly(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
