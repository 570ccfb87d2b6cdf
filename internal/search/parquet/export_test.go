package parquet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

var nine = time.Date(2026, 3, 1, 9, 0, 0, 123e6, time.UTC)

// given is a store that finds these records, and then fails if it has an error.
type given struct {
	search.Store
	records []search.Record
	err     error
}

func (s given) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return search.GroupRecords(g, s.Search(ctx, g.Request))
}

func (g given) Search(context.Context, search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		for _, r := range g.records {
			if !yield(r.Normal(), nil) {
				return
			}
		}
		if g.err != nil {
			yield(search.Record{}, g.err)
		}
	}
}

func ask(t *testing.T, query string) search.Search {
	t.Helper()
	q, err := search.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return search.Search{Query: q, Setting: search.Setting{Now: nine}}
}

func folder(t *testing.T) *Folder {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "it's a folder"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// isEmpty checks that no export left anything.
func (d *Folder) isEmpty(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(d.path)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// read gives the rows of a file, as text, and the names of its columns with their
// types.
func read(t *testing.T, f *File, selected string) (columns []string, rows [][]string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), `SELECT `+selected+` FROM read_parquet(`+literal(f.Name())+`)`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	types, err := found.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range types {
		columns = append(columns, c.Name()+" "+c.DatabaseTypeName())
	}
	for found.Next() {
		row, targets := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := found.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = fmt.Sprint(v)
		}
		rows = append(rows, texts)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return columns, rows
}

func TestAnExportHasEveryMessageWithItsTypesByteForByte(t *testing.T) {
	field := func(name, value string) search.Field { return search.Field{Name: name, Value: value} }
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	records := []search.Record{
		{Time: nine, Receipt: nine.Add(time.Second), Source: "Konnect", Signature: "valid", Raw: "a line", Fields: []search.Field{
			field("status", "403"), field("granted", "false"), field("trace_id", "9223372036854775807"), field("rt", "1772355600123"),
			field("action", "list"), field("x", "y"), field("\x00", "\x00"),
		}},
		{Time: nine, Receipt: nine, Raw: string(all), Fields: []search.Field{
			field("status", "007"), field("granted", "TRUE"), field("trace_id", "18446744073709551615"), field("severity", "-1"), field("action", ""),
			field("_raw", "forged"), field("Action", "'; DROP TABLE found --"), field("quote\"'", "ä\n\t"),
		}},
		{Time: time.UnixMilli(0), Receipt: nine, Raw: ""},
	}
	d := folder(t)
	f, err := d.Export(t.Context(), given{records: records}, ask(t, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows != 3 {
		t.Errorf("%d rows", f.Rows)
	}
	columns, rows := read(t, f, `_time, _receipttime, _source, _signature, _raw, hex(_raw_bytes), status, granted, trace_id, rt, severity, action, hex(map_keys(fields)::VARCHAR), fields`)
	wantTypes := []string{"_time TIMESTAMP", "_receipttime TIMESTAMP", "status BIGINT", "granted BOOLEAN", "trace_id BIGINT", "action VARCHAR", "fields MAP(VARCHAR, VARCHAR)"}
	for _, want := range wantTypes {
		if !slices.Contains(columns, want) {
			t.Errorf("no column %s among %s", want, columns)
		}
	}
	hex := func(s string) string { return fmt.Sprintf("%X", s) }
	const null = "<nil>"
	want := [][]string{
		{"2026-03-01 09:00:00.123 +0000 UTC", "2026-03-01 09:00:01.123 +0000 UTC", "Konnect", "valid", "a line", null, "403", "false", "9223372036854775807", "1772355600123", null, "list"},
		{"2026-03-01 09:00:00.123 +0000 UTC", "2026-03-01 09:00:00.123 +0000 UTC", null, null, search.Text(string(all)), hex(string(all)), null, null, null, null, "-1", ""},
		{"1970-01-01 00:00:00 +0000 UTC", "2026-03-01 09:00:00.123 +0000 UTC", null, null, "", null, null, null, null, null, null, null},
	}
	var got [][]string
	for _, row := range rows {
		got = append(got, row[:12])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, pairs := range []string{"\x00: \x00, x: y", "Action: '; DROP TABLE found --, granted: TRUE, quote\"': ä\n\t, status: 007, trace_id: 18446744073709551615", ""} {
		if got := rows[i][13]; got != "OrderedMap{"+pairs+"}" {
			t.Errorf("fields of message %d: %q", i, got)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	d.isEmpty(t)
}

func TestAnExportOfATableHasItsColumnsByKind(t *testing.T) {
	var records []search.Record
	for i := range 5 {
		records = append(records, search.Record{Time: nine, Receipt: nine, Fields: []search.Field{{Name: "n", Value: fmt.Sprint(i * i)}, {Name: "a", Value: fmt.Sprint("x", i%2)}}})
	}
	records = append(records, search.Record{Time: nine, Receipt: nine})
	d := folder(t)
	f, err := d.Export(t.Context(), given{records: records}, ask(t, `* | count as c, avg(n) as C, max(n) as %"it\"s" by a | sort by a asc`))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	columns, rows := read(t, f, `*`)
	slices.Sort(columns)
	if diff := cmp.Diff([]string{"C_2 DOUBLE", "a VARCHAR", "c BIGINT", `it"s BIGINT`}, columns); diff != "" {
		t.Error(diff)
	}
	if len(rows) != 3 {
		t.Errorf("%v", rows)
	}
	_, rows = read(t, f, `a, c, C_2, "it""s"`)
	if diff := cmp.Diff([][]string{{"<nil>", "1", "<nil>", "<nil>"}, {"x0", "3", "6.666666666666667", "16"}, {"x1", "2", "5", "9"}}, rows); diff != "" {
		t.Error(diff)
	}
}

func TestAnExportKeepsTheOrderOfManyRows(t *testing.T) {
	const count = 2*maxRowGroup + 17
	records := make([]search.Record, count)
	for i := range records {
		records[i] = search.Record{Time: nine, Receipt: nine, Raw: fmt.Sprint(count - i)}
	}
	f, err := folder(t).Export(t.Context(), given{records: records}, ask(t, "*"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, rows := read(t, f, `count(*), count(*) FILTER (_raw::BIGINT = `+fmt.Sprint(count)+` - file_row_number)`)
	if diff := cmp.Diff([][]string{{fmt.Sprint(count), fmt.Sprint(count)}}, rows); diff != "" {
		t.Error(diff)
	}
}

func TestAnExportOfNothingIsAFileWithoutRows(t *testing.T) {
	for _, query := range []string{"*", "* | count by a"} {
		f, err := folder(t).Export(t.Context(), given{}, ask(t, query))
		if err != nil {
			t.Fatal(err)
		}
		if _, rows := read(t, f, "count(*)"); rows[0][0] != "0" || f.Rows != 0 {
			t.Errorf("%s: %v", query, rows)
		}
		f.Close()
	}
}

func TestAnExportThatCannotBeLeavesNothing(t *testing.T) {
	broken, gone := errors.New("the disk is on fire"), errors.New("the caller went away")
	left, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	records := []search.Record{{Time: nine, Receipt: nine, Raw: "one"}, {Time: nine, Receipt: nine, Raw: strings.Repeat("x", 10_000)}}
	for _, test := range []struct {
		name  string
		ctx   context.Context
		store given
		rows  int
		bytes int
		query string
		want  error
	}{
		{"broken off", t.Context(), given{records: records, err: broken}, 10, maxBytes, "*", broken},
		{"a table, broken off", t.Context(), given{records: records, err: broken}, 10, maxBytes, "* | count", broken},
		{"too many messages", t.Context(), given{records: records}, 1, maxBytes, "*", ErrTooManyRows},
		{"too many rows", t.Context(), given{records: records}, 1, maxBytes, "* | count by _raw", ErrTooManyRows},
		{"too large", t.Context(), given{records: records}, 10, 10_000, "*", ErrTooLarge},
		{"cancelled", left, given{records: records}, 10, maxBytes, "*", gone},
	} {
		d := folder(t)
		d.maxRows, d.maxBytes = test.rows, test.bytes
		if f, err := d.Export(test.ctx, test.store, ask(t, test.query)); !errors.Is(err, test.want) || f != nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		d.isEmpty(t)
	}
}

func TestLongLinesAreExportedOrSaidToBeTooLong(t *testing.T) {
	for _, test := range []struct {
		count, length int
		want          error
	}{
		{2100, 5 << 10, nil}, // with an eighth of the memory, an eighth of what is promised
		{40, 1 << 20, ErrTooLarge},
	} {
		line := strings.Repeat("0123456789abcdef", test.length/16)
		d, records := folder(t), make([]search.Record, test.count)
		d.memory = "64MiB"
		for i := range records {
			records[i] = search.Record{Time: nine, Receipt: nine, Raw: fmt.Sprint(i) + line}
		}
		f, err := d.Export(t.Context(), given{records: records}, ask(t, "*"))
		if !errors.Is(err, test.want) {
			t.Errorf("%d lines of %d bytes: %v, want %v", test.count, test.length, err, test.want)
		}
		if err == nil {
			if _, rows := read(t, f, "count(DISTINCT _raw)"); rows[0][0] != fmt.Sprint(test.count) {
				t.Errorf("%d lines of %d bytes: %v", test.count, test.length, rows)
			}
			f.Close()
		}
		d.isEmpty(t)
	}
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	d := folder(t)
	if err := os.WriteFile(filepath.Join(d.path, "export-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.path); err != nil {
		t.Fatal(err)
	}
	d.isEmpty(t)
}
