package sumo

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/parquet"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
	// defaultFrom is how far a search goes back that says nothing about it. A
	// day, not Sumo Logic's 15 minutes: who tries it first finds something.
	defaultFrom = "-24h"

	// searchTime is how long a search may take whose caller waits for the answer.
	// It ends before the connection does, so that the caller hears why.
	searchTime = 100 * time.Second
)

var (
	errSearchTime = errors.New("the search took longer than " + searchTime.String() + ": narrow its filter or its time, or make it a search job")
	errGone       = errors.New("the client went away")
)

// search answers GET /trailhook/v1/search?query=&from=&to=&timeZone=&limit=&byReceiptTime=&format=
// with a stream of JSON objects, one a line: messages, newest first unless the
// query sorts them, or the rows of its table. Values are strings, and null in a
// table where there is none. from is included, to is not; without to there is no
// end, for clocks differ. An error after the stream began ends it with a line
// {"error": …}: a result without one is whole, up to its limit.
//
// With another format it is CSV or a Parquet file: see format. With saved= the
// query is that of the saved search, and so are from and timeZone unless they are
// given.
func (a *API) search(w http.ResponseWriter, r *http.Request) error {
	r, err := a.withSaved(r)
	if err != nil {
		return err
	}
	as, err := formatOf(r)
	if err != nil {
		return err
	}
	asked, err := parseSearch(r, as, time.Now())
	if err != nil {
		return err
	}
	// The limit for sending a request would otherwise end it, though it was sent.
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	end, err := a.beginSearch(r.Context(), as.kind())
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer end()
	if as == asParquet {
		return a.export(w, r, asked)
	}
	ctx, stop := context.WithTimeoutCause(r.Context(), searchTime, errSearchTime)
	defer stop()
	if as == asCSV {
		return a.searchCSV(ctx, w, asked)
	}
	return a.searchLines(ctx, w, asked)
}

// beginSearch returns when it is the search's turn, or with the refusal of one
// for which there is no room.
func (a *API) beginSearch(ctx context.Context, kind searchKind) (end func(), err error) {
	queues := []*turns{a.searches}
	if kind == exportSearch {
		queues = []*turns{a.exports, a.searches} // who waits for an export's turn keeps no search waiting
	}
	var releases []func()
	release := func() {
		for _, r := range slices.Backward(releases) {
			r()
		}
	}
	for _, queue := range queues {
		r, err := queue.take(ctx)
		if err != nil {
			release()
			if !isGone(err) {
				a.metrics.refuse(kind)
			}
			return nil, err
		}
		releases = append(releases, r)
	}
	ended := a.metrics.begin(kind)
	return func() { release(); ended() }, nil
}

func (a *API) searchLines(ctx context.Context, w http.ResponseWriter, asked search.Search) error {
	out := &lineWriter{w: w}
	table, err := asked.Run(ctx, a.store, unlessTable(asked, func(f search.Found) error {
		message := f.Message()
		return out.write(recordFields(&message))
	}))
	if err == nil && table != nil {
		err = out.table(table)
	}
	switch {
	case err == nil:
		out.begin()
		return nil
	case isGone(err):
		return nil
	case !out.begun:
		return searchProblem(err)
	}
	told := problemOf(searchProblem(err)).message
	if problemOf(searchProblem(err)).status >= http.StatusInternalServerError {
		id := newErrorID()
		a.logger.Error("a search broke off", "id", id, "error", err)
		told = "see the server's log for " + id
	}
	out.write([]field{{"error", "the search broke off, the result is not complete: " + told}})
	return nil
}

// unlessTable leaves messages alone where the answer is a table.
func unlessTable(asked search.Search, each func(search.Found) error) func(search.Found) error {
	if asked.Query.Aggregates() {
		return nil
	}
	return each
}

// isGone says whether a search ended because its caller did.
func isGone(err error) bool { return errors.Is(err, errGone) || errors.Is(err, context.Canceled) }

// searchProblem gives an error the answer that its cause deserves.
func searchProblem(err error) error {
	switch {
	case errors.Is(err, search.ErrTooMuch):
		return &problem{http.StatusBadRequest, "search_too_large", search.ErrTooMuch.Error()}
	case errors.Is(err, errSearchTime):
		return &problem{http.StatusBadRequest, "search_too_long", errSearchTime.Error()}
	}
	return err
}

func parseSearch(r *http.Request, as format, now time.Time) (search.Search, error) {
	s := search.Search{Setting: search.Setting{Now: now, To: now}, OpenEnd: true}
	query := r.URL.Query()
	var err error
	if s.Query, err = parseQuery(query.Get("query")); err != nil {
		return s, err
	}
	limit, most := defaultLimit, maxLimit
	switch {
	case as == asParquet:
		limit, most = 0, parquet.MaxRows // all, or an error if there are more
	case s.Query.Aggregates():
		limit = maxLimit // a table that is cut says something else
	}
	if s.Limit, err = queryNumber(r, "limit", limit, 1, most); err != nil {
		return s, err
	}
	if s.Setting.Zone, err = parseZone(query.Get("timeZone")); err != nil {
		return s, err
	}
	from := query.Get("from")
	if from == "" {
		from = defaultFrom
	}
	if s.Setting.From, err = parseTime(from, now, s.Setting.Zone); err != nil {
		return s, badRequest("from %q %v", from, err)
	}
	if to := query.Get("to"); to != "" {
		s.OpenEnd = false
		if s.Setting.To, err = parseTime(to, now, s.Setting.Zone); err != nil {
			return s, badRequest("to %q %v", to, err)
		}
	}
	if text := query.Get("byReceiptTime"); text != "" {
		if s.Setting.ByReceiptTime, err = strconv.ParseBool(text); err != nil {
			return s, badRequest("byReceiptTime must be true or false")
		}
	}
	return s, nil
}

// parseQuery reads a query of the language. What is wrong with it is told with
// the place, as LINE:COLUMN: at the beginning of the message and as numbers.
func parseQuery(text string) (search.Query, error) {
	query, err := search.ParseQuery(text)
	if wrong, ok := errors.AsType[*search.SyntaxError](err); ok {
		return query, &queryProblem{&problem{http.StatusBadRequest, "invalid_query", wrong.Error()}, wrong.Line, wrong.Column}
	}
	return query, err
}

// queryProblem is what is wrong at a place of a query: both counted from 1, the
// column in characters.
type queryProblem struct {
	*problem
	line, column int
}

func (p *queryProblem) Unwrap() error { return p.problem }

type field struct{ name, value string }

// recordFields gives the metadata first, then what was parsed and what stages set.
// Of a name that comes twice the first counts, so that nothing passes for metadata.
func recordFields(r *search.Record) []field {
	fields := []field{
		{"_time", r.Time.Format(millis)},
		{"_receipttime", r.Receipt.Format(millis)},
		{"_collector", r.Collector},
		{"_source", r.Source},
		{"_sourceCategory", r.Category},
		{"_sourceHost", r.Host},
		{"_sourceName", r.Name},
		{"_signature", r.Signature},
		{"_keyid", r.KeyID},
		{"_parse_error", r.ParseError},
		{"_time_note", r.TimeNote},
		{"_raw", r.Raw},
	}
	return appendFields(fields, r)
}

func appendFields(fields []field, r *search.Record) []field {
	metadata := fields
	for _, f := range r.Fields {
		if !slices.ContainsFunc(metadata, func(m field) bool { return m.name == f.Name }) {
			fields = append(fields, field{f.Name, f.Value})
		}
	}
	return fields
}

const millis = "2006-01-02T15:04:05.000Z07:00"
