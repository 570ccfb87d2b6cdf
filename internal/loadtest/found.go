package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// foundLine is a line, or a row of a table, as the SIEM shows it.
type foundLine struct {
	UserAgent string `json:"user_agent"`
	TraceID   string `json:"trace_id"`
	Kind      string `json:"kind"`
	Signature string `json:"_signature"`
	Count     string `json:"_count"`
	Timeslice string `json:"_timeslice"` // milliseconds of the Unix epoch
	Error     string `json:"error"`
}

func (f foundLine) count() uint64 {
	count, _ := strconv.ParseUint(f.Count, 10, 64) // of a line there is none
	return count
}

// identity is which request or event of the run it is of: see [run.mark].
func (f foundLine) identity() (sort string, number uint64, ok bool) {
	words := strings.Fields(f.UserAgent)
	if len(words) < 2 {
		return "", 0, false
	}
	sort = words[1]
	if sort == "event" {
		trace, err := strconv.ParseUint(f.TraceID, 10, 64)
		return sort, trace - 1, err == nil && trace > 0
	}
	if len(words) < 3 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(words[2], 10, 64)
	return sort, number, err == nil
}

// name is what a probe's event is expected by.
func (f foundLine) name() string {
	sort, number, _ := f.identity()
	return probeName(sort, number)
}

// search gives the rows of an answer to do.
func (r *run) search(ctx context.Context, query string, from, to time.Time, do func(foundLine)) error {
	parameters := url.Values{"query": {query}, "limit": {strconv.Itoa(mostRows)},
		"from": {strconv.FormatInt(from.UnixMilli(), 10)}, "to": {strconv.FormatInt(to.UnixMilli(), 10)}}
	request, err := r.siem.request(ctx, http.MethodGet, "/trailhook/v1/search?"+parameters.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := exchange(r.siem.http, request)
	if err != nil {
		return fmt.Errorf("--siem %s: %w", r.Target.SIEM, err)
	}
	for text := range bytes.Lines(answer) {
		var line foundLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("--siem %s: the answer is not what a Trailhook server gives: %w", r.Target.SIEM, err)
		}
		if line.Error != "" {
			return fmt.Errorf("--siem %s: the search failed: %s", r.Target.SIEM, line.Error)
		}
		do(line)
	}
	return nil
}
