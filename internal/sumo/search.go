package sumo

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
	// defaultFrom is how far a search goes back that says nothing about it. A
	// day, not Sumo Logic's 15 minutes: who tries it first finds something.
	defaultFrom = "-24h"
)

// search answers GET /trailhook/v1/search?query=&from=&to=&limit=&byReceiptTime=
// with a stream of JSON objects, one a line, newest first. from is included,
// to is not; without to there is no end, for clocks differ. An error after the
// stream began ends it with a line {"error": …}: a result without one is whole.
func (a *API) search(w http.ResponseWriter, r *http.Request) error {
	request, err := parseSearch(r, time.Now())
	if err != nil {
		return err
	}
	out := &lineWriter{w: w}
	for record, err := range a.store.Search(r.Context(), request) {
		if err != nil && !out.begun {
			return err
		}
		if err != nil {
			id := newErrorID()
			a.logger.Error("a search broke off", "id", id, "error", err)
			out.write([]field{{"error", "the search broke off, the result is not complete: see the server's log for " + id}})
			return nil
		}
		if out.write(recordFields(&record)) != nil {
			return nil // the client went away
		}
	}
	out.begin()
	return nil
}

func parseSearch(r *http.Request, now time.Time) (search.Request, error) {
	var request search.Request
	query := r.URL.Query()
	var err error
	if request.Query, err = search.Parse(query.Get("query")); err != nil {
		if wrong, ok := errors.AsType[*search.SyntaxError](err); ok {
			return request, &problem{http.StatusBadRequest, "invalid_query", wrong.Error()}
		}
		return request, badRequest("query: %v", err)
	}
	if request.Limit, err = queryNumber(r, "limit", defaultLimit, 1, maxLimit); err != nil {
		return request, err
	}
	from := query.Get("from")
	if from == "" {
		from = defaultFrom
	}
	if request.From, err = parseTime(from, now); err != nil {
		return request, badRequest("from %q %v", from, err)
	}
	if to := query.Get("to"); to != "" {
		if request.To, err = parseTime(to, now); err != nil {
			return request, badRequest("to %q %v", to, err)
		}
	}
	if text := query.Get("byReceiptTime"); text != "" {
		if request.ByReceiptTime, err = strconv.ParseBool(text); err != nil {
			return request, badRequest("byReceiptTime must be true or false")
		}
	}
	return request, nil
}

// parseTime reads RFC 3339, milliseconds since the epoch, "now", or a time
// before now, such as -15m or -7d (units s, m, h, d, w).
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if back, ok := strings.CutPrefix(text, "-"); ok {
		return parseBack(back, now)
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms < 1<<52 {
		return time.UnixMilli(ms).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errNoTime
	}
	return at, nil
}

var errNoTime = errors.New("is not a time: give RFC 3339, milliseconds since the epoch, now, or a time before now such as -15m or -7d")

func parseBack(text string, now time.Time) (time.Time, error) {
	const most = 100 * 366 * 24 * time.Hour
	if text == "" {
		return time.Time{}, errNoTime
	}
	unit, ok := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || time.Duration(n) > most/unit {
		return time.Time{}, errNoTime
	}
	return now.Add(-time.Duration(n) * unit), nil
}

type field struct{ name, value string }

// recordFields gives the metadata first, then what was parsed. No parsed field
// begins with an underscore, so none can pass for metadata.
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
	for _, f := range r.Fields {
		if !strings.HasPrefix(f.Name, "_") {
			fields = append(fields, field{f.Name, f.Value})
		}
	}
	return fields
}

const millis = "2006-01-02T15:04:05.000Z07:00"

// lineWriter writes JSON objects, one a line.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
	line  bytes.Buffer
}

// begin sends the headers; from then on the status is 200.
func (o *lineWriter) begin() {
	if !o.begun {
		o.w.Header().Set("Content-Type", "application/x-ndjson")
		o.begun = true
		o.w.WriteHeader(http.StatusOK)
	}
}

// write sends one object. Bytes of a raw line that are not UTF-8 become U+FFFD:
// JSON has no other way.
func (o *lineWriter) write(fields []field) error {
	o.begin()
	o.line.Reset()
	for i, f := range fields {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		o.line.WriteByte(separator)
		o.text(f.name)
		o.line.WriteByte(':')
		o.text(f.value)
	}
	o.line.WriteString("}\n")
	_, err := o.w.Write(o.line.Bytes())
	return err
}

func (o *lineWriter) text(s string) {
	encoder := json.NewEncoder(&o.line)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)                 // a string always encodes
	o.line.Truncate(o.line.Len() - 1) // the newline that Encode adds
}
