package sumo

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/search"
)

// savedSearch is a saved search as clients send it. Of what answers have beside,
// nothing changes anything: a client may send back what it was given.
type savedSearch struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Query       string      `json:"query"`
	Range       string      `json:"range"`
	TimeZone    string      `json:"timeZone"`
	Alert       *savedAlert `json:"alert"`

	ID        json.RawMessage `json:"id"`
	Owner     json.RawMessage `json:"owner"`
	CreatedAt json.RawMessage `json:"createdAt"`
	UpdatedAt json.RawMessage `json:"updatedAt"`
}

type savedAlert struct {
	Enabled   bool          `json:"enabled"`
	Condition string        `json:"condition"`
	Every     string        `json:"every"`
	Webhook   *savedWebhook `json:"webhook"`

	State json.RawMessage `json:"state"`
}

type savedWebhook struct {
	URL           string  `json:"url"`
	Authorization *string `json:"authorization"` // never in answers

	HasAuthorization json.RawMessage `json:"hasAuthorization"`
}

// setting is what the client asks for.
func (s savedSearch) setting() alert.Setting {
	given := alert.Setting{Name: s.Name, Description: s.Description, Query: s.Query, Range: s.Range, TimeZone: s.TimeZone}
	if s.Alert == nil {
		return given
	}
	given.Alert = &alert.AlertSetting{Enabled: s.Alert.Enabled, Condition: s.Alert.Condition, Every: s.Alert.Every}
	if webhook := s.Alert.Webhook; webhook != nil {
		given.Alert.Webhook = &alert.WebhookSetting{URL: webhook.URL, Authorization: webhook.Authorization}
	}
	return given
}

// readSaved reads a saved search. It is ours alone: what is not known is a mistake.
func readSaved(w http.ResponseWriter, r *http.Request) (alert.Setting, error) {
	var text json.RawMessage
	if err := readBody(w, r, &text); err != nil {
		return alert.Setting{}, err
	}
	var given savedSearch
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return alert.Setting{}, badRequest("the body is not the JSON that is expected: %v", err)
	}
	if zone, ok := shortZones()[given.TimeZone]; ok {
		given.TimeZone = zone
	}
	return given.setting(), nil
}

func (a *API) createSearch(w http.ResponseWriter, r *http.Request) error {
	given, err := readSaved(w, r)
	if err != nil {
		return err
	}
	created, err := a.alerts.Create(r.Context(), given, callerOf(r).ID)
	if err != nil {
		return err
	}
	w.Header().Set("Location", a.baseURL+r.URL.Path+"/"+created.ID)
	a.answerSaved(w, r, http.StatusCreated, created)
	return nil
}

func (a *API) listSearches(w http.ResponseWriter, r *http.Request) error {
	list, err := page(r, a.alerts.Searches())
	if err != nil {
		return err
	}
	shown := make([]shownSearch, len(list))
	for i, s := range list {
		shown[i] = a.showSaved(r, s, false)
	}
	answer(w, http.StatusOK, map[string]any{"data": shown})
	return nil
}

func (a *API) getSearch(w http.ResponseWriter, r *http.Request) error {
	s, err := a.alerts.Search(r.PathValue("id"))
	if err != nil {
		return err
	}
	a.answerSaved(w, r, http.StatusOK, s)
	return nil
}

func (a *API) updateSearch(w http.ResponseWriter, r *http.Request) error {
	s, err := a.alerts.Search(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := checkMatch(r, s.Revision); err != nil {
		return err
	}
	given, err := readSaved(w, r)
	if err != nil {
		return err
	}
	updated, err := a.alerts.Update(r.Context(), s, given)
	if err != nil {
		return err
	}
	a.answerSaved(w, r, http.StatusOK, updated)
	return nil
}

func (a *API) deleteSearch(w http.ResponseWriter, r *http.Request) error {
	s, err := a.alerts.Search(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := checkMatch(r, s.Revision); err != nil {
		return err
	}
	if err := a.alerts.Delete(r.Context(), s.ID, s.Revision); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// testSearch posts a test notification. That the webhook does not take it is no
// failure of the call.
func (a *API) testSearch(w http.ResponseWriter, r *http.Request) error {
	s, err := a.alerts.Search(r.PathValue("id"))
	if err != nil {
		return err
	}
	tried, err := a.alerts.Test(r.Context(), s)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{
		"delivered": tried.Delivered, "status": tried.Status, "message": tried.Message, "durationMs": tried.Took.Milliseconds(),
	})
	return nil
}

// withSaved puts the saved search that a request names in place of its query.
func (a *API) withSaved(r *http.Request) (*http.Request, error) {
	asked := r.URL.Query()
	if !asked.Has("saved") {
		return r, nil
	}
	if asked.Has("query") {
		return nil, badRequest("saved and query exclude each other")
	}
	s, err := a.alerts.Search(asked.Get("saved"))
	if err != nil {
		return nil, err
	}
	recordQuery(r, s.Query)
	asked.Set("query", s.Query)
	for name, saved := range map[string]string{"from": s.Range, "timeZone": s.TimeZone} {
		if !asked.Has(name) {
			asked.Set(name, saved)
		}
	}
	changed := *r
	changed.URL = &url.URL{Path: r.URL.Path, RawQuery: asked.Encode()}
	return &changed, nil
}

// alertProblem answers the errors of saved searches; nil for any other.
func alertProblem(err error) *problem {
	if wrong, ok := errors.AsType[*alert.ConditionError](err); ok {
		return &problem{http.StatusBadRequest, "invalid_condition", wrong.Error()}
	}
	if wrong, ok := errors.AsType[*search.SyntaxError](err); ok {
		return &problem{http.StatusBadRequest, "invalid_query", wrong.Error()}
	}
	switch {
	case errors.Is(err, alert.ErrInvalid), errors.Is(err, alert.ErrNameTaken):
		return &problem{http.StatusBadRequest, "invalid_request", err.Error()}
	case errors.Is(err, alert.ErrTooMany):
		return &problem{http.StatusConflict, "too_many_searches", err.Error()}
	}
	return nil
}
