package parquet

import (
	"database/sql/driver"
	"math"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// tableColumns are the columns of a table by their names in the query. A column of
// numbers is one of whole numbers if they all are.
func tableColumns(t *search.Table) []column {
	columns := make([]column, len(t.Columns))
	taken := map[string]bool{}
	for i, c := range t.Columns {
		columns[i] = column{name: nameOnce(c.Name, taken), kind: texts}
		if c.Kind() == search.KindNumber {
			columns[i].kind = wholes
			for _, row := range t.Rows {
				if !isWhole(row[i]) {
					columns[i].kind = numbers
					break
				}
			}
		}
	}
	return columns
}

// nameOnce makes a name that the engine takes and that no column has: it does not
// tell capitals from small letters.
func nameOnce(name string, taken map[string]bool) string {
	name = strings.ReplaceAll(search.Text(name), "\x00", "\ufffd")
	if name == "" {
		name = "_"
	}
	once := name
	for n := 2; taken[strings.ToLower(once)]; n++ {
		once = name + "_" + strconv.Itoa(n)
	}
	taken[strings.ToLower(once)] = true
	return once
}

// isWhole says whether a number is one that both kinds of column hold exactly.
func isWhole(v search.Value) bool {
	x, ok := v.Number()
	return !ok || x == math.Trunc(x) && math.Abs(x) <= 1<<53
}

func tableRow(columns []column, row []search.Value) []driver.Value {
	values := make([]driver.Value, len(row))
	for i, v := range row {
		x, _ := v.Number()
		switch {
		case v.Kind() == search.KindNull:
		case columns[i].kind == wholes:
			values[i] = int64(x)
		case columns[i].kind == numbers:
			values[i] = x
		default:
			values[i] = search.Text(v.String())
		}
	}
	return values
}
