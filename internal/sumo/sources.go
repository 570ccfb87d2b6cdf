package sumo

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
)

// sourceEcho are the settings of a source that change nothing here and are
// given back as they came: times are read from every line as far as it has
// them, and a line is always a record.
func sourceEcho() []string {
	return []string{
		"description", "timeZone", "automaticDateParsing", "multilineProcessingEnabled", "useAutolineMatching",
		"forceTimeZone", "messagePerRequest", "contentType", "encoding", "cutoffTimestamp", "cutoffRelativeTime",
		"defaultDateFormats", "filters", "manualPrefixRegexp", "hashAlgorithm",
	}
}

func (a *API) createSource(w http.ResponseWriter, r *http.Request) error {
	parent, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	given, err := a.readSource(w, r, collector.Source{CollectorID: parent.ID})
	if err != nil {
		return err
	}
	created, err := a.catalog.CreateSource(r.Context(), given)
	if err != nil {
		return err
	}
	w.Header().Set("Location", a.baseURL+r.URL.Path+"/"+strconv.FormatInt(created.ID, 10))
	a.answerSource(w, r, http.StatusCreated, created)
	return nil
}

func (a *API) listSources(w http.ResponseWriter, r *http.Request) error {
	parent, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	list, err := page(r, a.catalog.Sources(parent.ID))
	if err != nil {
		return err
	}
	shown := make([]any, len(list))
	for i, s := range list {
		shown[i] = a.showSource(r, s)
	}
	answer(w, http.StatusOK, map[string]any{"sources": shown})
	return nil
}

func (a *API) getSource(w http.ResponseWriter, r *http.Request) error {
	s, err := a.storedSource(r)
	if err != nil {
		return err
	}
	a.answerSource(w, r, http.StatusOK, s)
	return nil
}

func (a *API) updateSource(w http.ResponseWriter, r *http.Request) error {
	stored, err := a.storedSource(r)
	if err != nil {
		return err
	}
	if err := checkMatch(r, stored.Revision); err != nil {
		return err
	}
	given, err := a.readSource(w, r, stored)
	if err != nil {
		return err
	}
	updated, err := a.catalog.UpdateSource(r.Context(), given)
	if err != nil {
		return err
	}
	a.answerSource(w, r, http.StatusOK, updated)
	return nil
}

func (a *API) deleteSource(w http.ResponseWriter, r *http.Request) error {
	stored, err := a.storedSource(r)
	if err != nil {
		return err
	}
	if err := checkMatch(r, stored.Revision); err != nil {
		return err
	}
	if err := a.catalog.DeleteSource(r.Context(), stored.ID, stored.Revision); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// storedSource finds the source of the path, which must be one of the path's
// collector.
func (a *API) storedSource(r *http.Request) (collector.Source, error) {
	s, err := a.catalog.Source(pathID(r, "sid"))
	if err == nil && s.CollectorID != pathID(r, "id") {
		err = broker.ErrNotFound
	}
	return s, err
}

// readSource reads the source that is to take the place of one that is stored,
// or of one that has no id yet.
func (a *API) readSource(w http.ResponseWriter, r *http.Request, stored collector.Source) (collector.Source, error) {
	var body struct {
		Source members `json:"source"`
	}
	s := collector.Source{ID: stored.ID, CollectorID: stored.CollectorID, Revision: stored.Revision}
	if err := readBody(w, r, &body); err != nil {
		return s, err
	}
	if body.Source == nil {
		return s, badRequest(`the body must be {"source": {…}}`)
	}
	var own json.RawMessage
	kind := "HTTP"
	err := body.Source.takeAll(map[string]any{
		"sourceType": &kind, "name": &s.Name, "category": &s.Category, "hostName": &s.Host, "fields": &s.Fields, "trailhook": &own,
	})
	if err != nil {
		return s, err
	}
	s.Echo = body.Source.echoed(sourceEcho())
	if err := checkSource(kind, s); err != nil {
		return s, err
	}
	return s, a.readSettings(r.Context(), own, stored, &s)
}

// checkSource refuses what would otherwise be promised and not done.
func checkSource(kind string, s collector.Source) error {
	if kind != "HTTP" {
		return badRequest("sourceType %q is not supported: only HTTP is", kind)
	}
	if string(s.Echo["messagePerRequest"]) == "true" {
		return badRequest("messagePerRequest is not supported: every line of a request is a record")
	}
	var filters []json.RawMessage
	if text, ok := s.Echo["filters"]; ok && (json.Unmarshal(text, &filters) != nil || len(filters) > 0) {
		return badRequest("filters are not supported: every line is kept")
	}
	return nil
}

func (a *API) answerSource(w http.ResponseWriter, r *http.Request, status int, s collector.Source) {
	w.Header().Set("ETag", etag(s.Revision))
	answer(w, status, map[string]any{"source": a.showSource(r, s)})
}

// showSource shows a source as the caller may see it: who may only look does not
// learn how to send.
func (a *API) showSource(r *http.Request, s collector.Source) map[string]any {
	manages := callerOf(r).Role == collector.Administrator
	base := a.baseURL + "/receiver/v1/http/"
	shown := showEcho(s.Echo)
	shown["id"] = s.ID
	shown["name"] = s.Name
	shown["category"] = s.Category
	shown["hostName"] = s.Host
	shown["fields"] = fieldsOrEmpty(s.Fields)
	shown["sourceType"] = "HTTP"
	shown["alive"] = true
	if manages {
		shown["url"] = base + s.Code
		shown["baseUrl"] = base
		shown["token"] = s.Code
	}
	shown["trailhook"] = a.showSettings(s, manages)
	return shown
}
