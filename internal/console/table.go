package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// table is the answer to a query that aggregates.
type table struct {
	Columns []tableColumn
	Rows    [][]cell
	Total   int // rows, whether they are shown or not
	Chart   *chart
	Shows   bool   // the chart is not left out
	Switch  string // address of the same with the chart, or without
}

type tableColumn struct {
	Name    string
	Number  bool
	Slice   bool   // it has times
	Sorted  string // ascending, descending or none: aria-sort's words
	Address string // of the table sorted by it
}

type cell struct {
	Text   string
	Null   bool
	Number bool
	Time   time.Time // of a slice
	sorts  search.Value
}

// searchTable asks for the rows of a table.
func (v *visit) searchTable(ctx context.Context, a asked, query search.Query) (found, error) {
	objects, cut, err := v.objects(ctx, a.parameters(), maxSkip)
	if err != nil {
		return found{}, err
	}
	t := newTable(query, objects, a)
	t.sort(a.Sort)
	f := found{Table: t, Cut: cut}
	if t.Total = len(t.Rows); t.Total > mostRows {
		t.Rows = t.Rows[:mostRows]
		f.Cut = fmt.Sprintf("These are the first %s of %s rows: export them to have all, or narrow the query.", countText(mostRows), countText(t.Total))
	}
	return f, nil
}

func newTable(query search.Query, objects []object, a asked) *table {
	t := &table{Shows: a.View != "table"}
	sliced := sliceNames(query)
	for _, c := range query.Columns() {
		t.Columns = append(t.Columns, newTableColumn(c, sliced[c.Name], a))
	}
	for _, o := range objects {
		cells := make([]cell, len(t.Columns))
		for i, c := range t.Columns {
			cells[i] = newCell(o[c.Name], c)
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Chart = newChart(t, a)
	other := a
	if other.View = "table"; a.View == "table" {
		other.View = ""
	}
	t.Switch = other.at("/")
	return t
}

func newTableColumn(c search.Column, slice bool, a asked) tableColumn {
	shown := tableColumn{Name: c.Name, Number: c.Kind() == search.KindNumber, Slice: slice, Sorted: "none"}
	by := a
	by.Sort = "-" + c.Name
	switch a.Sort {
	case "-" + c.Name:
		shown.Sorted, by.Sort = "descending", c.Name
	case c.Name:
		shown.Sorted = "ascending"
	}
	shown.Address = by.at("/")
	return shown
}

// sliceNames are the columns that timeslice has set.
func sliceNames(q search.Query) map[string]bool {
	names := map[string]bool{}
	for _, stage := range q.Stages {
		if slice, ok := stage.(search.Timeslice); ok {
			names[slice.Name] = true
		}
	}
	return names
}

func newCell(value *string, c tableColumn) cell {
	if value == nil {
		return cell{Null: true}
	}
	shown := cell{Text: *value, Number: c.Number, sorts: search.TextValue(*value)}
	if !c.Number {
		return shown
	}
	if ms, err := strconv.ParseInt(*value, 10, 64); err == nil && c.Slice {
		shown.Time = time.UnixMilli(ms)
	} else if err == nil {
		shown.Text = countText(ms)
	}
	return shown
}

// sort orders the rows by a column of the address; any other leaves them as the
// query has them.
func (t *table) sort(by string) {
	name, down := strings.CutPrefix(by, "-")
	at := slices.IndexFunc(t.Columns, func(c tableColumn) bool { return c.Name == name })
	if by == "" || at < 0 {
		return
	}
	slices.SortStableFunc(t.Rows, func(a, b []cell) int {
		order := compare(a[at], b[at])
		if down {
			return -order
		}
		return order
	})
}

// compare orders as the language does: null, then numbers, then texts.
func compare(a, b cell) int {
	x, aNumber := a.sorts.Number()
	y, bNumber := b.sorts.Number()
	switch {
	case a.Null || b.Null:
		return rank(!a.Null) - rank(!b.Null)
	case aNumber && bNumber:
		return cmp.Compare(x, y)
	case aNumber != bNumber:
		return rank(bNumber) - rank(aNumber)
	}
	return strings.Compare(a.sorts.String(), b.sorts.String())
}

func rank(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
