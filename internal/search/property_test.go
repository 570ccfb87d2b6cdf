package search_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

func oneOf(texts ...string) *rapid.Generator[string] { return rapid.SampledFrom(texts) }

// expressions generates expressions over the fields a, b and n, and the column c.
func expressions(depth int) *rapid.Generator[string] {
	leaves := rapid.OneOf(
		oneOf("a", "b", "n", `%"odd name"`, "_source", "_messageTime", "null", "true", "0", "1", "2.5", "100", `"x"`, `""`, `"1"`, `"01"`, `"-2"`, `"\"\\"`, "now()"),
	)
	if depth == 0 {
		return leaves
	}
	return rapid.Custom(func(t *rapid.T) string {
		form := oneOf("%s", "(%s)", "%s + %s", "%s - %s", "%s * %s", "%s / %s", "%s %% %s", "-%s", "%s = %s", "%s != %s", "%s < %s", "%s >= %s",
			"%s and %s", "%s or %s and %s", "!%s", "not %s", `%s matches "x*"`, `%s matches /^[x\/]|1/`, `%s in (1, "x", -2)`, `%s not in ("")`,
			"isNull(%s)", "isEmpty(%s)", "isNumeric(%s)", "if(%s, %s, %s)", "contains(%s, %s)", "concat(%s, %s)", "length(%s)", "substring(%s, %s, %s)",
			"toUpperCase(%s)", "trim(%s)", "replace(%s, %s, %s)", "num(%s)", "abs(%s)", "round(%s)",
		).Draw(t, "form")
		var parts []any
		for range strings.Count(form, "%s") {
			parts = append(parts, "("+expressions(depth-1).Draw(t, "part")+")")
		}
		return fmt.Sprintf(form, parts...)
	})
}

func messageStages() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		e := expressions(2).Draw(t, "expression")
		return oneOf(
			"where "+e, e+" as b", e+" as n", e+` as %"odd name"`, `parse "x*" as a nodrop`, `parse field=b "*1" as b`, `parse regex "(?<a>\d+)" nodrop`,
			`parse regex field=a "(?<n>[x1])"`, `json field=a "x[0].y" as n nodrop`, "timeslice 1m as n", "fields a, n", "fields - b",
		).Draw(t, "stage")
	})
}

func rowStages() *rapid.Generator[string] {
	return oneOf("sort by a", "sort by n asc, b", "limit 3", "dedup by a", "dedup 2 by a, n")
}

func endings() *rapid.Generator[string] {
	return oneOf("fields a", "count", "count by a", "count, sum(n), avg(n) by a, b", "min(n), max(n), pct(n, 33.3, 50)", "count_distinct(a) by n | sort by n",
		"top 2 a", "top 2 a, b by sum(n) as s | where s > 1", "count by a | _count / 2 as half | fields - _count", "count a | count_distinct(_count)",
	)
}

// wholeQueries generates queries that have a meaning.
func wholeQueries() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := []string{oneOf("*", "x", "a=x", "NOT a=1", "n>=1", "n<2 OR b=*", "a in (x, 1)").Draw(t, "filter")}
		parts = append(parts, rapid.SliceOfN(rapid.OneOf(messageStages(), rowStages()), 0, 4).Draw(t, "stages")...)
		return strings.Join(append(parts, endings().Draw(t, "ending")), " | ")
	})
}

func smallRecords() *rapid.Generator[[]search.Record] {
	values := oneOf("", "x", "X", "xy", "1", "01", "1.0", "-2", "2.5", "10", "ä", `{"x": [{"y": 5}]}`, "123456789012345678")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) search.Record {
		r := search.Record{
			Time: nine.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "age")) * time.Second), Source: oneOf("x", "S").Draw(t, "source"), Raw: values.Draw(t, "raw"),
		}
		for _, name := range []string{"a", "b", "n", "odd name"} {
			if rapid.Bool().Draw(t, "has "+name) {
				r.Fields = append(r.Fields, search.Field{Name: name, Value: values.Draw(t, name)})
			}
		}
		return r
	}), 0, 12)
}

func answer(t *rapid.T, query string, records []search.Record) search.Answer {
	q, err := search.ParseQuery(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	a, err := search.Evaluate(q, sequence(records), search.Setting{Now: nine})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return a
}

// same wants two queries to have one answer.
func same(t *rapid.T, records []search.Record, one, other string) {
	if a, b := answer(t, one, records), answer(t, other, records); !reflect.DeepEqual(a, b) {
		t.Fatalf("%s:\n%s\n%s:\n%s", one, written(a), other, written(b))
	}
}

func TestAWholeQueryMeansTheSameWrittenAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := wholeQueries().Draw(t, "query")
		q, err := search.ParseQuery(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		again, err := search.ParseQuery(q.String())
		if err != nil || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s, written as %s, is another tree: %v", query, q, err)
		}
		same(t, smallRecords().Draw(t, "records"), query, q.String())
	})
}

// What Kind says of an expression and of a column is what values are.
func TestKindsAreAsForetold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := wholeQueries().Draw(t, "query")
		if rapid.Bool().Draw(t, "as text") {
			query = "* | " + expressions(3).Draw(t, "expression") + " as a | count by a"
		}
		a := answer(t, query, smallRecords().Draw(t, "records"))
		if a.Table == nil {
			return
		}
		for _, values := range a.Table.Rows {
			for i, v := range values {
				if v.Kind() != search.KindNull && v.Kind() != a.Table.Columns[i].Kind() {
					t.Fatalf("%s: %s is a %s in the column %s of kind %s", query, v, v.Kind(), a.Table.Columns[i], a.Table.Columns[i].Kind())
				}
			}
		}
	})
}

func TestLawsOfTheLanguage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := smallRecords().Draw(t, "records")
		x, y := expressions(2).Draw(t, "x"), expressions(2).Draw(t, "y")
		law := rapid.SampledFrom([][2]string{
			{"* | where !(!(%x))", "* | where %x"},
			{"* | where !((%x) and (%y))", "* | where !(%x) or !(%y)"},
			{"* | where (%x) and (%y)", "* | where %x | where %y"},
			{"* | where (%x) = (%y)", "* | where (%y) == (%x)"},
			{"* | where (%x) != (%y)", "* | where !((%x) = (%y))"},
			{"* | where (%x) <= (%y)", "* | where (%x) < (%y) or (%x) = (%y)"},
			{"* | where (%x) > (%y)", "* | where (%y) < (%x)"},
			{"* | where if(%x, %y, false)", "* | where (%x) and (%y)"},
			{"* | where isNull((%x) + 0)", "* | where !isNumeric(%x)"},
			{"* | %x as z | count by z | count", "* | %x as z | dedup by z | count"},
			{"* | %x as z | count_distinct(z)", "* | %x as z | where !isNull(z) | dedup by z | count as _count_distinct"},
			{"* | %x as z | count by z | sum(_count) as _count", "* | count | _count * 1 as _count"},
			{"* | %x as z | max(z)", "* | %x as z | pct(z, 100) as _max"},
			{"* | %x as z | top 3 z", "* | %x as z | count by z | sort by _count | limit 3"},
			{"* | %x as y | %y as z | sort by y | sort by z asc", "* | %x as y | %y as z | sort by z asc, y"},
			{"a=* NOT b=x", "* | where !isNull(a) and !(toLowerCase(b) matches \"x\")"},
			{"n>=1", "* | where toLowerCase(n) >= 1"},
			{"a in (x, 1)", `* | where toLowerCase(a) matches "x" or a matches "1"`},
		}).Draw(t, "law")
		if len(records) == 0 && strings.Contains(law[0], "sum(") {
			return // the sum of nothing is null
		}
		fill := strings.NewReplacer("%x", x, "%y", y)
		same(t, records, fill.Replace(law[0]), fill.Replace(law[1]))
	})
}

func TestATailAnswersAsAnEvaluationDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := strings.Join(append([]string{"n>=1 OR a=*"}, rapid.SliceOfN(messageStages(), 0, 4).Draw(t, "stages")...), " | ")
		records := smallRecords().Draw(t, "records")
		q, err := search.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		tail, err := search.NewTail(q, search.Setting{Now: nine})
		if err != nil {
			t.Fatal(err)
		}
		var got []search.Record
		for _, r := range records {
			if m, ok := tail.Next(r); ok {
				got = append(got, m)
			}
		}
		if want := answer(t, query, records).Messages; !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %v, want %v", query, got, want)
		}
	})
}

func TestAnAnchorFindsWhatItsRegularExpressionDoes(t *testing.T) {
	texts := rapid.StringOfN(rapid.RuneFrom([]rune("ab.")), 0, 10, -1)
	pieces := rapid.StringOfN(rapid.RuneFrom([]rune("ab.")), 1, 2, -1)
	ends := rapid.StringOfN(rapid.RuneFrom([]rune("ab.")), 0, 2, -1)
	rapid.Check(t, func(t *rapid.T) {
		first, middle, last, text := ends.Draw(t, "first"), pieces.Draw(t, "middle"), ends.Draw(t, "last"), texts.Draw(t, "text")
		end := regexp.QuoteMeta(last)
		if last == "" {
			end = "$"
		}
		want := regexp.MustCompile(regexp.QuoteMeta(first) + "(.*?)" + regexp.QuoteMeta(middle) + "(.*?)" + end).FindStringSubmatch(text)
		a := answer(t, `* | parse "`+first+"*"+middle+"*"+last+`" as x, y`, []search.Record{record(text)})
		if len(a.Messages) == 0 || want == nil {
			if len(a.Messages) != 0 || want != nil {
				t.Fatalf("got %v, want %q", a.Messages, want)
			}
			return
		}
		if got := a.Messages[0].Fields; got[0].Value != want[1] || got[1].Value != want[2] {
			t.Fatalf("got %v, want %q", got, want[1:])
		}
	})
}

func TestAPercentileIsTheLeastThatEnoughDoNotExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 30).Draw(t, "numbers")
		percent := rapid.IntRange(0, 100_000).Draw(t, "percent")
		slices.Sort(numbers)
		got := numbers[search.Percent(percent).Rank(len(numbers))-1]
		enough := func(x int) bool {
			under, _ := slices.BinarySearch(numbers, x+1)
			return under*100_000 >= percent*len(numbers)
		}
		i := slices.IndexFunc(numbers, enough)
		if got != numbers[i] {
			t.Fatalf("percentile %v of %v: got %d, want %d", search.Percent(percent), numbers, got, numbers[i])
		}
	})
}

// The order of values is one that a sort can rely on.
func TestValuesAreInOneOrder(t *testing.T) {
	values := oneOf("", "1", "01", "1.0", "-1", "-", "9", "10", "9a", "1a", "x", "X", "1234567890123456", "2.5")
	rapid.Check(t, func(t *rapid.T) {
		var records []search.Record
		for _, v := range rapid.SliceOfN(values, 0, 20).Draw(t, "values") {
			records = append(records, record("", "v", v))
		}
		a := answer(t, "* | count by v", records)
		for i, low := range a.Table.Rows {
			for _, high := range a.Table.Rows[i+1:] {
				e := fmt.Sprintf("* | where %q <= %q | count", low[0], high[0])
				if written(answer(t, e, []search.Record{record("")})) != "1" {
					t.Fatalf("%s comes before %s and is not less or equal", low[0], high[0])
				}
			}
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"* | count by a | sort by _count | limit 5", `a<=5 b in (c, "d") | where x matches /a\/b/ and !y or z - -1 > 2`, `* | parse "a*b*" as x, %"y z" nodrop`,
		`* | parse regex field=a "(?<b>\d+)"`, `* | json "a['b'][0]" as c`, "* | timeslice 5 buckets | pct(a, 1, 99.9), avg(b) as c by _timeslice, d | top 3 c by _count",
		`* | if(isNull(a), 1, "b") as c | fields - c | dedup 2 by a`, `* | where "\`, "| |", `* | %"count" as x`, "* | count as count | count by count",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := search.ParseQuery(query)
		if err != nil {
			syntax, ok := err.(*search.SyntaxError)
			if !ok || syntax.Offset < 0 || syntax.Offset > len(query) || syntax.Line < 1 || syntax.Column < 1 || syntax.Message == "" {
				t.Fatalf("%q: not a syntax error with a place: %v", query, err)
			}
			return
		}
		written := q.String()
		if len(written) > 16<<10 {
			return // parentheses and escapes may make it longer than what is read
		}
		again, err := search.ParseQuery(written)
		if syntax, ok := err.(*search.SyntaxError); ok && strings.HasPrefix(syntax.Message, "more than") {
			return // parentheses that were not there
		}
		if err != nil || !reflect.DeepEqual(q, again) {
			t.Fatalf("%q, written as %q, is another tree or none: %v", query, written, err)
		}
		r := search.Record{Time: nine, Raw: query, Source: query, Fields: []search.Field{{Name: "a", Value: query}}}
		setting := search.Setting{Now: nine, From: nine, To: nine.Add(time.Hour), MaxBytes: 1 << 20}
		_, _ = search.Evaluate(q, sequence([]search.Record{r, r}), setting)
	})
}
