package sumo

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// shownField is a column of a search job's results. The types are those of Sumo
// Logic: long, int, double, string.
type shownField struct {
	Name     string `json:"name"`
	Type     string `json:"fieldType"`
	KeyField bool   `json:"keyField"`
}

// shownRow is a message or a row of a table; every value is a string.
type shownRow struct {
	Map map[string]string `json:"map"`
}

// getSearchJobMessages answers with a page of messages, and with the fields that
// any of these has: Sumo Logic's own first, by its names, in lower case.
func (a *API) getSearchJobMessages(w http.ResponseWriter, r *http.Request) error {
	job, err := a.searchJob(r)
	if err != nil {
		return err
	}
	offset, limit, err := jobPage(r)
	if err != nil {
		return err
	}
	shown, rows := []shownField{}, []shownRow{}
	known := map[string]bool{}
	for _, message := range job.Messages(offset, limit) {
		fields := messageFields(&message)
		row := shownRow{Map: make(map[string]string, len(fields))}
		for _, f := range fields {
			row.Map[f.name] = f.value
			if !known[f.name] {
				known[f.name] = true
				shown = append(shown, shownField{Name: f.name, Type: messageFieldType(f.name)})
			}
		}
		rows = append(rows, row)
	}
	answer(w, http.StatusOK, map[string]any{"fields": shown, "messages": rows})
	return nil
}

// messageFields are what Sumo Logic tells of a message, with times in
// milliseconds, then what the collector found out, and then the message's fields.
func messageFields(r *search.Record) []field {
	fields := []field{
		{"_messageid", messageID(r)},
		{"_messagetime", strconv.FormatInt(r.Time.UnixMilli(), 10)},
		{"_receipttime", strconv.FormatInt(r.Receipt.UnixMilli(), 10)},
		{"_sourceid", r.SourceID},
		{"_collector", r.Collector},
		{"_source", r.Source},
		{"_sourcecategory", r.Category},
		{"_sourcehost", r.Host},
		{"_sourcename", r.Name},
		{"_size", strconv.Itoa(len(r.Raw))},
		{"_raw", r.Raw},
		{"_signature", r.Signature},
		{"_keyid", r.KeyID},
		{"_parse_error", r.ParseError},
		{"_time_note", r.TimeNote},
	}
	return appendFields(fields, r)
}

// messageID is a number that is always the same for a message, and almost
// certainly another for any other.
func messageID(r *search.Record) string {
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(r.Identity[:8])), 10)
}

func messageFieldType(name string) string {
	switch name {
	case "_messageid", "_messagetime", "_receipttime", "_sourceid", "_size":
		return "long"
	}
	return "string"
}

// getSearchJobRecords answers with a page of the table of a query that
// aggregates. Null is the empty string.
func (a *API) getSearchJobRecords(w http.ResponseWriter, r *http.Request) error {
	job, err := a.searchJob(r)
	if err != nil {
		return err
	}
	offset, limit, err := jobPage(r)
	if err != nil {
		return err
	}
	shown, rows := tableFields(job.Search.Query), []shownRow{}
	for _, values := range job.Rows(offset, limit) {
		row := shownRow{Map: make(map[string]string, len(values))}
		for i, v := range values {
			row.Map[shown[i].Name] = v.String()
		}
		rows = append(rows, row)
	}
	answer(w, http.StatusOK, map[string]any{"fields": shown, "records": rows})
	return nil
}

// tableFields are the columns of a query's table; those that it groups by are its
// key.
func tableFields(q search.Query) []shownField {
	keys, counts := map[string]bool{}, map[string]bool{}
	for _, stage := range q.Stages {
		aggregate, ok := stage.(search.Aggregate)
		if !ok {
			continue
		}
		clear(keys)
		clear(counts)
		for _, c := range aggregate.By {
			keys[c.Name] = true
		}
		for _, f := range aggregate.Functions {
			counts[f.Name] = strings.HasPrefix(f.Function, "count")
		}
	}
	shown := []shownField{}
	for _, c := range q.Columns() {
		kind := "string"
		switch {
		case counts[c.Name]:
			kind = "int"
		case c.Kind() == search.KindNumber:
			kind = "double"
		}
		shown = append(shown, shownField{Name: resultName(c.Name), Type: kind, KeyField: keys[c.Name]})
	}
	return shown
}

// resultName writes metadata as Sumo Logic's results have it, in lower case.
func resultName(name string) string {
	if _, ok := search.Metadata(name); ok {
		return strings.ToLower(name)
	}
	return name
}
