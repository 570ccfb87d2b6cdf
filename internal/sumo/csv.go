package sumo

import (
	"context"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"

	"github.com/trailhook/trailhook/internal/search"
)

// maxCSV is how many bytes of messages are held for their columns to be known.
const maxCSV = 64 << 20

// searchCSV answers with CSV once the whole result is there, since only then its
// columns are known, and so a failed search is never half an answer.
func (a *API) searchCSV(ctx context.Context, w http.ResponseWriter, asked search.Search) error {
	var messages []search.Record
	held := 0
	table, err := asked.Run(ctx, a.store, unlessTable(asked, func(f search.Found) error {
		if held += f.Size(); held > maxCSV {
			return search.ErrTooMuch
		}
		messages = append(messages, f.Message())
		return nil
	}))
	if err != nil && isGone(err) {
		return nil
	}
	if err != nil {
		return searchProblem(err)
	}
	if table == nil {
		messagesGrid(messages).write(w)
	} else {
		tableGrid(table).write(w)
	}
	return nil
}

// grid is what becomes CSV.
type grid struct {
	header []string
	count  int
	row    func(i int) []string
}

// write writes a line of names and one for each row, as RFC 4180 has it, though
// with line feeds alone. An error is the client's going away.
func (g grid) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	out := csv.NewWriter(w)
	defer out.Flush()
	if out.Write(g.header) != nil {
		return
	}
	for i := range g.count {
		if out.Write(g.row(i)) != nil {
			return
		}
	}
}

func tableGrid(t *search.Table) grid {
	var header []string
	for _, c := range t.Columns {
		header = append(header, c.Name)
	}
	return grid{header, len(t.Rows), func(i int) []string {
		cells := make([]string, len(header))
		for j, v := range t.Rows[i] {
			cells[j] = v.String()
		}
		return cells
	}}
}

// messagesGrid has the metadata first, and then a column for each field that any
// message has, by name.
func messagesGrid(messages []search.Record) grid {
	var metadata []string
	for _, f := range recordFields(&search.Record{}) {
		metadata = append(metadata, f.name)
	}
	names := map[string]bool{}
	for i := range messages {
		for _, f := range messages[i].Fields {
			names[f.Name] = true
		}
	}
	for _, name := range metadata {
		delete(names, name)
	}
	header := slices.Concat(metadata, slices.Sorted(maps.Keys(names)))
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	return grid{header, len(messages), func(i int) []string {
		cells := make([]string, len(header))
		for _, f := range recordFields(&messages[i]) {
			cells[at[f.name]] = f.value
		}
		return cells
	}}
}
