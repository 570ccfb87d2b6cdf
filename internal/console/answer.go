package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// answer is what the search API said.
type answer struct {
	status  int
	rows    []row
	cut     string
	problem string
}

// row is one record, as the table shows it.
type row struct {
	Time      string // to the second, UTC
	Machine   string // the same for machines, RFC 3339
	Name      string
	Action    string // what was done or tried, and how it ended
	Principal string
	Address   string
	Verdict   string
	Badge     string // the verdict as a CSS class
	Source    string
	Problem   string // why the line could not be parsed
	Raw       string
}

func readAnswer(response *capture) (answer, error) {
	a := answer{status: response.status}
	if response.status != http.StatusOK {
		var problem struct{ Message string }
		if err := json.Unmarshal(response.body.Bytes(), &problem); err != nil {
			return a, fmt.Errorf("status %d: %w", response.status, err)
		}
		a.problem = problem.Message
		return a, nil
	}
	for line := range bytes.Lines(response.body.Bytes()) {
		var record map[string]string
		if err := json.Unmarshal(line, &record); err != nil {
			return a, err
		}
		if _, is := record["_time"]; !is { // only the line that tells of an error has no time, and rows of tables
			a.cut = cmp.Or(record["error"], "This page shows lines, and the query makes a table: ask trailhook search, or the API.")
			return a, nil
		}
		a.rows = append(a.rows, newRow(record))
	}
	switch {
	case response.full:
		a.cut = "More was found than the page can hold: narrow the query or the time."
	case len(a.rows) == limit:
		a.cut = fmt.Sprintf("These are the newest %d: narrow the query or the time to see others.", limit)
	}
	return a, nil
}

func newRow(record map[string]string) row {
	r := row{
		Machine:   record["_time"],
		Time:      record["_time"],
		Name:      record["name"],
		Action:    action(record),
		Principal: first(record, "principal_name", "principal_id", "suser"),
		Address:   record["src"],
		Verdict:   record["_signature"],
		Badge:     badge(record["_signature"]),
		Source:    record["_source"],
		Problem:   record["_parse_error"],
		Raw:       record["_raw"],
	}
	if at, err := time.Parse(time.RFC3339, r.Machine); err == nil {
		r.Time = at.UTC().Format("2006-01-02 15:04:05")
	}
	if r.Name == "" {
		r.Name = shorten(r.Raw)
	}
	return r
}

// action tells what was done or tried, and how it ended, for each kind of
// audit event; of other lines, what their "act" says.
func action(record map[string]string) string {
	switch record["kind"] {
	case "authorization":
		if record["granted"] == "true" {
			return record["action"] + ", granted"
		}
		return record["action"] + ", denied"
	case "authentication":
		outcome := strings.TrimPrefix(record["name"], "AUTHENTICATION_OUTCOME_")
		return "sign in, " + strings.ToLower(strings.ReplaceAll(outcome, "_", " "))
	case "access":
		return record["act"] + " " + record["request"] + ", " + record["status"]
	}
	return record["act"]
}

// badge maps the verdicts to classes, so that no text of a record becomes one.
func badge(verdict string) string {
	switch verdict {
	case "valid", "invalid", "unsigned":
		return verdict
	default:
		return "unknown"
	}
}

func first(record map[string]string, names ...string) string {
	for _, name := range names {
		if record[name] != "" {
			return record[name]
		}
	}
	return ""
}

// shorten gives the beginning of a line that has no name.
func shorten(line string) string {
	const most = 80
	runes := []rune(line[:min(len(line), 4*most)])
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most]) + "…"
}
