package sumo

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
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

// settings are Trailhook's own, under "trailhook" in a source.
type settings struct {
	RequireAccessKey bool   `json:"requireAccessKey"`
	JWKSURL          string `json:"jwksUrl"`
}

func (a *API) createSource(w http.ResponseWriter, r *http.Request) error {
	parent, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	given, err := a.readSource(w, r)
	if err != nil {
		return err
	}
	given.CollectorID = parent.ID
	created, err := a.catalog.CreateSource(r.Context(), given)
	if err != nil {
		return err
	}
	w.Header().Set("Location", a.baseURL+r.URL.Path+"/"+strconv.FormatInt(created.ID, 10))
	a.answerSource(w, http.StatusCreated, created)
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
		shown[i] = a.showSource(s)
	}
	answer(w, http.StatusOK, map[string]any{"sources": shown})
	return nil
}

func (a *API) getSource(w http.ResponseWriter, r *http.Request) error {
	s, err := a.storedSource(r)
	if err != nil {
		return err
	}
	a.answerSource(w, http.StatusOK, s)
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
	given, err := a.readSource(w, r)
	if err != nil {
		return err
	}
	given.ID, given.CollectorID, given.Revision = stored.ID, stored.CollectorID, stored.Revision
	updated, err := a.catalog.UpdateSource(r.Context(), given)
	if err != nil {
		return err
	}
	a.answerSource(w, http.StatusOK, updated)
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

func (a *API) readSource(w http.ResponseWriter, r *http.Request) (collector.Source, error) {
	var body struct {
		Source members `json:"source"`
	}
	var s collector.Source
	if err := readBody(w, r, &body); err != nil {
		return s, err
	}
	if body.Source == nil {
		return s, badRequest(`the body must be {"source": {…}}`)
	}
	var own settings
	kind := "HTTP"
	err := body.Source.takeAll(map[string]any{
		"sourceType": &kind, "name": &s.Name, "category": &s.Category, "hostName": &s.Host, "fields": &s.Fields, "trailhook": &own,
	})
	if err != nil {
		return s, err
	}
	s.RequireAccessKey, s.JWKSURL = own.RequireAccessKey, own.JWKSURL
	s.Echo = body.Source.echoed(sourceEcho())
	return s, a.checkSource(kind, s)
}

// checkSource refuses what would otherwise be promised and not done.
func (a *API) checkSource(kind string, s collector.Source) error {
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
	if s.JWKSURL != "" {
		if err := outbound.ValidateURL(s.JWKSURL, a.allowHTTPKeys); err != nil {
			return badRequest("trailhook.jwksUrl %v", err)
		}
	}
	return nil
}

func (a *API) answerSource(w http.ResponseWriter, status int, s collector.Source) {
	w.Header().Set("ETag", etag(s.Revision))
	answer(w, status, map[string]any{"source": a.showSource(s)})
}

func (a *API) showSource(s collector.Source) map[string]any {
	base := a.baseURL + "/receiver/v1/http/"
	shown := showEcho(s.Echo)
	shown["id"] = s.ID
	shown["name"] = s.Name
	shown["category"] = s.Category
	shown["hostName"] = s.Host
	shown["fields"] = fieldsOrEmpty(s.Fields)
	shown["sourceType"] = "HTTP"
	shown["alive"] = true
	shown["url"] = base + s.Code
	shown["baseUrl"] = base
	shown["token"] = s.Code
	shown["trailhook"] = settings{RequireAccessKey: s.RequireAccessKey, JWKSURL: s.JWKSURL}
	return shown
}
