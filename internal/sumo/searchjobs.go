package sumo

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/jobs"
	"github.com/trailhook/trailhook/internal/search"
)

// instant is a time of a search job's body: a text, or a number of milliseconds.
type instant string

// UnmarshalJSON implements [json.Unmarshaler].
func (i *instant) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*i = instant(s)
		return nil
	}
	var ms int64
	if err := json.Unmarshal(text, &ms); err != nil {
		return errNoTime
	}
	*i = instant(text)
	return nil
}

// createSearchJob answers POST /api/v1/search/jobs. Settings of Sumo Logic's that
// change nothing here, such as autoParsingMode, are taken and left alone.
func (a *API) createSearchJob(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Query         string  `json:"query"`
		From          instant `json:"from"`
		To            instant `json:"to"`
		TimeZone      string  `json:"timeZone"`
		ByReceiptTime bool    `json:"byReceiptTime"`
	}
	if err := readBody(w, r, &given); err != nil {
		return err
	}
	recordQuery(r, given.Query)
	now := time.Now()
	asked := search.Search{Setting: search.Setting{Now: now, ByReceiptTime: given.ByReceiptTime}}
	var err error
	if asked.Query, err = parseQuery(given.Query); err != nil {
		return err
	}
	if asked.Setting.Zone, err = parseZone(given.TimeZone); err != nil {
		return err
	}
	if asked.Setting.From, err = parseTime(string(given.From), now, asked.Setting.Zone); err != nil {
		return badRequest("from %q %v", given.From, err)
	}
	if asked.Setting.To, err = parseTime(string(given.To), now, asked.Setting.Zone); err != nil {
		return badRequest("to %q %v", given.To, err)
	}
	if !asked.Setting.From.Before(asked.Setting.To) {
		return badRequest("from must be before to")
	}
	job, err := a.jobs.Start(ownerOf(r), asked)
	if err != nil {
		return a.jobProblem(err)
	}
	link := a.baseURL + "/api/v1/search/jobs/" + job.ID
	w.Header().Set("Location", link)
	answer(w, http.StatusAccepted, map[string]any{"id": job.ID, "link": map[string]string{"rel": "self", "href": link}})
	return nil
}

func (a *API) jobProblem(err error) error {
	switch {
	case errors.Is(err, jobs.ErrTooMany):
		a.metrics.refuse(jobSearch)
		return &problem{http.StatusTooManyRequests, "too_many_search_jobs", jobs.ErrTooMany.Error()}
	case errors.Is(err, jobs.ErrClosed):
		return &problem{http.StatusServiceUnavailable, "unavailable", jobs.ErrClosed.Error()}
	}
	return err
}

// ownerOf is the access id of the caller, who is authenticated.
func ownerOf(r *http.Request) string { return callerOf(r).ID }

// searchJob finds the job of the path: for its owner and for administrators, as a
// result may hold what others may not see.
func (a *API) searchJob(r *http.Request) (*jobs.Job, error) {
	job, ok := a.jobs.Job(strings.ToUpper(r.PathValue("id")))
	if !ok || job.Owner != ownerOf(r) && callerOf(r).Role != collector.Administrator {
		return nil, broker.ErrNotFound
	}
	return job, nil
}

// bucket is a part of a histogram, as Sumo Logic shows it: times in milliseconds.
type bucket struct {
	Length int64 `json:"length"`
	Count  int   `json:"count"`
	Start  int64 `json:"startTimestamp"`
}

// getSearchJob answers with the state. Warnings and errors stay in it, other than
// Sumo Logic's, which tells each once: a poll that is lost loses nothing.
func (a *API) getSearchJob(w http.ResponseWriter, r *http.Request) error {
	job, err := a.searchJob(r)
	if err != nil {
		return err
	}
	status := job.Status()
	histogram := []bucket{}
	for _, b := range status.Histogram {
		histogram = append(histogram, bucket{b.Length.Milliseconds(), b.Count, b.Start.UnixMilli()})
	}
	answer(w, http.StatusOK, map[string]any{
		"state":            status.State,
		"messageCount":     status.Messages,
		"recordCount":      status.Records,
		"histogramBuckets": histogram,
		"pendingErrors":    orEmpty(status.Errors),
		"pendingWarnings":  orEmpty(status.Warnings),
	})
	return nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// deleteSearchJob cancels the job and drops its results. Its state can be seen
// until it is forgotten, so that who else waits for it learns that it is over.
func (a *API) deleteSearchJob(w http.ResponseWriter, r *http.Request) error {
	job, err := a.searchJob(r)
	if err != nil {
		return err
	}
	job.Cancel()
	answer(w, http.StatusOK, map[string]string{"id": job.ID})
	return nil
}

// jobPage reads offset and limit of a page of results.
func jobPage(r *http.Request) (offset, limit int, err error) {
	if offset, err = queryNumber(r, "offset", 0, 0, 1<<31); err != nil {
		return 0, 0, err
	}
	limit, err = queryNumber(r, "limit", maxLimit, 1, maxLimit)
	return offset, limit, err
}
