package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	pageRows = 50     // messages on a page
	mostRows = 1000   // messages on the one page of a search whose order is its own; rows of a table
	maxSkip  = 10_000 // as many as the API gives at once
)

// found is what a search gave, as the page shows it.
type found struct {
	Rows    []row  // messages
	Table   *table // of a query that aggregates
	Cut     string // why this is not all there is; empty if it is, or Older leads on
	Older   string // address of the next page
	Newer   string // address of the first page, on any other
	Problem *problem
}

// object is a record as the search API gives it.
type object map[string]*string

func (o object) text(name string) string {
	if value := o[name]; value != nil {
		return *value
	}
	return ""
}

// search asks the search API. An error of the API's is the one returned.
func (v *visit) search(ctx context.Context, a asked) (found, error) {
	query, err := search.ParseQuery(cmp.Or(a.Query, "*"))
	if err == nil && query.Aggregates() {
		return v.searchTable(ctx, a, query)
	}
	parameters := a.parameters()
	paged, limit := inTimeOrder(query), mostRows+1
	if paged {
		limit = a.Skip + pageRows + 1
		if a.Before != "" {
			parameters.Set("to", a.Before)
		}
	}
	objects, cut, err := v.objects(ctx, parameters, min(limit, maxSkip))
	if err != nil {
		return found{}, err
	}
	f := found{Cut: cut}
	if paged {
		f.page(a, &objects)
	} else if len(objects) > mostRows {
		objects, f.Cut = objects[:mostRows], fmt.Sprintf("These are the first %d: narrow the query or the time to see others.", mostRows)
	}
	for _, o := range objects {
		f.Rows = append(f.Rows, newRow(o, a, query))
	}
	return f, nil
}

// inTimeOrder says whether the messages come newest first, as they are stored, so
// that a later page is one of an earlier time.
func inTimeOrder(q search.Query) bool {
	return !slices.ContainsFunc(q.Stages, func(s search.Stage) bool {
		switch s.(type) {
		case search.Sort, search.Limit, search.Dedup:
			return true
		}
		return false
	})
}

// page leaves of the objects those of the page, and says where the others are.
// Messages of one time come in an order of their own that does not change, so that
// their number is enough to go on within it.
func (f *found) page(a asked, objects *[]object) {
	all := *objects
	shown := all[min(a.Skip, len(all)):]
	more := len(shown) > pageRows
	if more {
		shown = shown[:pageRows]
	}
	if a.Before != "" {
		f.Newer = a.first().at("/")
	}
	*objects = shown
	if !more && f.Cut == "" || len(shown) == 0 {
		return
	}
	last, err := time.Parse(time.RFC3339, shown[len(shown)-1].text("_time"))
	if err != nil {
		return
	}
	next := a
	next.Before, next.Skip = strconv.FormatInt(last.UnixMilli()+1, 10), 0
	// Counted from the page's own beginning, if that is within the same time.
	for _, o := range slices.Backward(all[:min(len(all), a.Skip+len(shown))]) {
		if o.text("_time") != shown[len(shown)-1].text("_time") {
			break
		}
		next.Skip++
	}
	if next.Skip+pageRows >= maxSkip {
		f.Cut = fmt.Sprintf("More than %d records have the same time: narrow the query to see the others.", maxSkip-pageRows)
		return
	}
	f.Older, f.Cut = next.at("/"), ""
}

// objects calls the search API. cut says why the answer is not whole.
func (v *visit) objects(ctx context.Context, parameters url.Values, limit int) (list []object, cut string, err error) {
	parameters.Set("limit", strconv.Itoa(limit))
	a, err := v.do(ctx, call{half: siemHalf, path: "/trailhook/v1/search", query: parameters}, nil)
	if err != nil {
		return nil, "", err
	}
	for line := range bytes.Lines(a.body) {
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			return nil, "", fmt.Errorf("read the search's answer: %w", err)
		}
		// The line that tells of an error stands alone: a record has a time, and a
		// row of a table as many values as the others.
		if reason := o.text("error"); len(o) == 1 && isBroken(reason) {
			return list, sentence(reason), nil
		}
		list = append(list, o)
	}
	if a.cut {
		cut = "The answer is larger than the page can hold."
	}
	return list, cut, nil
}

// isBroken recognises how the search API begins what it says of a result that is
// not complete.
func isBroken(reason string) bool { return strings.HasPrefix(reason, "the search broke off") }
