package storetest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

// stages generates what stands behind the filter of a query for a table.
func stages() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		field := func() string {
			return rapid.SampledFrom([]string{
				"action", "status", "granted", "trace_id", "rt", "severity", "user_agent", "other", `%"odd name"`, "_source", "_sourceHost", "_signature", "name",
			}).Draw(t, "field")
		}
		perMessage := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{
				"where status >= 200", `where granted = "true" or action matches "a*"`, "where isNull(" + field() + ")", "where !isEmpty(" + field() + ")",
				`concat(` + field() + `, "-", ` + field() + `) as x`, "status + severity as x", `parse field=user_agent "a*" as x nodrop`, `parse regex field=action "(?<x>[ab])"`,
				"fields action, x, status", "timeslice 1s as x", "timeslice 1s", `where _raw matches "*a*"`, `where _raw matches /a.*b|plain.*sig/`, `where _raw matches /(?s)K.|^\W?[^a-z]*$|_.+=.?\b/ and status >= 200`, `where !(_raw matches /\n/)`, `where _raw matches /(?i)ſ|k|[^\n]ä/`, "where _messageTime > 0", "limit 4", "dedup by action",
			}).Draw(t, "stage")
		})
		all := rapid.SliceOfN(perMessage, 0, 2).Draw(t, "stages")
		all = append(all, rapid.SampledFrom([]string{
			"count", "count by " + field(), "count by " + field() + ", x", "count, sum(status), avg(status) by " + field(), "count_distinct(" + field() + ")", "count(" + field() + ") by x",
			"min(status), max(rt), pct(status, 0, 33.3, 50, 100) by " + field(), "top 3 " + field(), "count by " + field() + ", x | sort by _count | limit 2", "count as n, count by " + field() + " | sort by n desc, _count | limit 1", "count as n by trace_id | count by n", "count by x, _timeslice", "pct(severity, 90)",
		}).Draw(t, "table"))
		return "* | " + strings.Join(all, " | ")
	})
}

// answersAsEvaluate holds the tables of a store against the language's own meaning
// over the same records, whether the store groups them or not.
func answersAsEvaluate(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	checks := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		checks++
		mine := fmt.Sprintf("check %d", checks)
		batch := rapid.SliceOfN(rapid.OneOf(records(), auditLines()), 0, 12).Draw(t, "records")
		for i := range batch {
			batch[i].Collector = mine
			batch[i].SourceID += mine
		}
		if _, err := s.Insert(t.Context(), batch, checks); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			query, err := search.ParseQuery(stages().Draw(t, "query"))
			if err != nil {
				t.Fatal(err)
			}
			r := requests().Draw(t, "request")
			query.Filter = search.And{Terms: []search.Expr{search.Compare{Field: "_collector", Value: search.Literal(mine)}, r.Query}}
			wantTable(t, s, query, search.Setting{Now: noon, From: r.From, To: r.To, ByReceiptTime: r.ByReceiptTime})
		}
	})
}

// wantTable wants of a search the table that the language says, given what the
// store finds.
func wantTable(t fataler, s search.Store, query search.Query, setting search.Setting) {
	t.Helper()
	found := s.Search(context.Background(), search.Request{Query: query.Filter, From: setting.From, To: setting.To, ByReceiptTime: setting.ByReceiptTime})
	want, err := search.Evaluate(query, found, setting)
	if err != nil {
		t.Fatalf("%s: evaluate: %v", query, err)
	}
	got, err := search.Search{Query: query, Setting: setting}.Run(context.Background(), s, nil)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if diff := cmp.Diff(writtenTable(want.Table), writtenTable(got)); diff != "" {
		t.Fatalf("%s: the table differs (-want +got):\n%s", query, diff)
	}
}

func writtenTable(t *search.Table) (rows []string) {
	for _, values := range t.Rows {
		var row []string
		for _, v := range values {
			row = append(row, fmt.Sprintf("%s %q", v.Kind(), v.String()))
		}
		rows = append(rows, strings.Join(row, ", "))
	}
	return rows
}

// groupingStore fails where it is asked for records.
type groupingStore struct{ search.Store }

func (groupingStore) Search(context.Context, search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		yield(search.Record{}, fmt.Errorf("a table was made from records, not from groups"))
	}
}

// tablesOfGroups holds that tables are made from groups where they can be, also of
// times before 1970 and in zones whose clocks are set forward and back.
func tablesOfGroups(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	var records []search.Record
	for i := range 200 {
		r := line(fmt.Sprintf("line %d word", i), field("action", []string{"list", "edit", ""}[i%3]), field("status", fmt.Sprint(200+i%7)), field("other", fmt.Sprint(i%4)))
		if i%5 == 0 {
			r.Fields = append(r.Fields[:1:1], field("status", "none"))
		}
		r.Time = noon.Add(time.Duration(i) * 97 * time.Minute)
		if i%4 == 0 {
			r.Time = time.UnixMilli(int64(i-100) * 1_234_567)
		}
		r.Receipt = r.Time.Add(time.Duration(i) * time.Minute)
		records = append(records, r)
	}
	insert(t, s, 1, records...)
	lordHowe, err := time.LoadLocation("Australia/Lord_Howe")
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"* | count", "nothing | count", "word status>=203 | count by action", "action=list NOT status=none | count by status, other", "status<204 | count by status | sort by _count",
		"* | timeslice 1h | count by _timeslice", "* | timeslice 1d | count by _timeslice, action", "* | timeslice 1w | count by _timeslice", "* | top 2 other", "* | count by status, other | sort by _count, other | limit 3", "* | count by other, _source | sort by _count asc | limit 1",
		"* | where status > 202 | count", `* | where _raw matches /line 1.*w/ and action = "list" | count by other`, "* | concat(action, other) as both | count by both", `* | parse field=status "20*" as last | pct(last, 50, 90), sum(last), avg(last) by action`,
		"* | count_distinct(other), count(other), min(status), max(status)", "_source=Konnect | count by _source, _sourceHost",
	} {
		q, err := search.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for _, zone := range []*time.Location{nil, lordHowe, time.FixedZone("", -12600)} {
			for _, byReceipt := range []bool{false, true} {
				setting := search.Setting{Now: noon, Zone: zone, ByReceiptTime: byReceipt}
				wantTable(t, s, q, setting)
				if _, err := (search.Search{Query: q, Setting: setting}).Run(t.Context(), groupingStore{s}, nil); err != nil {
					t.Errorf("%s: %v", query, err)
				}
				setting.From, setting.To = noon.Add(time.Minute), noon.Add(100*time.Hour)
				wantTable(t, s, q, setting)
			}
		}
	}
}
