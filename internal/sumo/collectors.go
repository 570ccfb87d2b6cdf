package sumo

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/trailhook/trailhook/internal/collector"
)

// collectorEcho are the settings of a collector that change nothing here and
// are given back as they came.
func collectorEcho() []string { return []string{"description", "timeZone", "ephemeral"} }

func (a *API) createCollector(w http.ResponseWriter, r *http.Request) error {
	given, err := readCollector(w, r)
	if err != nil {
		return err
	}
	created, err := a.catalog.CreateCollector(r.Context(), given)
	if err != nil {
		return err
	}
	w.Header().Set("Location", a.baseURL+"/api/v1/collectors/"+strconv.FormatInt(created.ID, 10))
	answerCollector(w, http.StatusCreated, created)
	return nil
}

func (a *API) listCollectors(w http.ResponseWriter, r *http.Request) error {
	list, err := page(r, a.catalog.Collectors())
	if err != nil {
		return err
	}
	shown := make([]any, len(list))
	for i, c := range list {
		shown[i] = showCollector(c)
	}
	answer(w, http.StatusOK, map[string]any{"collectors": shown})
	return nil
}

func (a *API) getCollector(w http.ResponseWriter, r *http.Request) error {
	c, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	answerCollector(w, http.StatusOK, c)
	return nil
}

// updateCollector replaces the settings, as PUT at Sumo Logic does: what is
// left out is unset.
func (a *API) updateCollector(w http.ResponseWriter, r *http.Request) error {
	stored, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	if err := checkMatch(r, stored.Revision); err != nil {
		return err
	}
	given, err := readCollector(w, r)
	if err != nil {
		return err
	}
	given.ID, given.CreatedAt, given.Revision = stored.ID, stored.CreatedAt, stored.Revision
	updated, err := a.catalog.UpdateCollector(r.Context(), given)
	if err != nil {
		return err
	}
	answerCollector(w, http.StatusOK, updated)
	return nil
}

func (a *API) deleteCollector(w http.ResponseWriter, r *http.Request) error {
	stored, err := a.catalog.Collector(pathID(r, "id"))
	if err != nil {
		return err
	}
	if err := checkMatch(r, stored.Revision); err != nil {
		return err
	}
	if err := a.catalog.DeleteCollector(r.Context(), stored.ID, stored.Revision); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func readCollector(w http.ResponseWriter, r *http.Request) (collector.Collector, error) {
	var body struct {
		Collector members `json:"collector"`
	}
	var c collector.Collector
	if err := readBody(w, r, &body); err != nil {
		return c, err
	}
	if body.Collector == nil {
		return c, badRequest(`the body must be {"collector": {…}}`)
	}
	kind := "Hosted"
	err := body.Collector.takeAll(map[string]any{
		"collectorType": &kind, "name": &c.Name, "category": &c.Category, "fields": &c.Fields,
	})
	if err != nil {
		return c, err
	}
	if kind != "Hosted" {
		return c, badRequest("collectorType %q is not supported: only Hosted is, since nothing is installed on other machines", kind)
	}
	c.Echo = body.Collector.echoed(collectorEcho())
	return c, nil
}

func answerCollector(w http.ResponseWriter, status int, c collector.Collector) {
	w.Header().Set("ETag", etag(c.Revision))
	answer(w, status, map[string]any{"collector": showCollector(c)})
}

func showCollector(c collector.Collector) map[string]any {
	shown := showEcho(c.Echo)
	shown["id"] = c.ID
	shown["name"] = c.Name
	shown["category"] = c.Category
	shown["collectorType"] = "Hosted"
	shown["alive"] = true
	shown["fields"] = fieldsOrEmpty(c.Fields)
	shown["links"] = []map[string]string{{
		"rel": "sources", "href": "/api/v1/collectors/" + strconv.FormatInt(c.ID, 10) + "/sources",
	}}
	return shown
}

func showEcho(echo map[string]json.RawMessage) map[string]any {
	shown := map[string]any{}
	for name, value := range echo {
		shown[name] = value
	}
	return shown
}

func fieldsOrEmpty(fields map[string]string) map[string]string {
	if fields == nil {
		return map[string]string{}
	}
	return fields
}
