package search_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

var nine = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// record makes a record of fields, a name and a value in turn.
func record(raw string, fields ...string) search.Record {
	r := search.Record{Time: nine, Receipt: nine.Add(time.Second), Raw: raw, Source: "S"}
	for i := 0; i < len(fields); i += 2 {
		r.Fields = append(r.Fields, search.Field{Name: fields[i], Value: fields[i+1]})
	}
	return r
}

func sequence(records []search.Record) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func evaluate(t testing.TB, query string, records ...search.Record) search.Answer {
	t.Helper()
	a, err := search.Evaluate(parseQuery(t, query), sequence(records), search.Setting{Now: nine})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return a
}

// written writes an answer: rows by semicolons, values by commas, null as ø.
func written(a search.Answer) string {
	var rows []string
	if a.Table == nil {
		for _, m := range a.Messages {
			var fields []string
			for _, f := range m.Fields {
				fields = append(fields, f.Name+"="+f.Value)
			}
			rows = append(rows, strings.Join(fields, ","))
		}
		return strings.Join(rows, "; ")
	}
	for _, values := range a.Table.Rows {
		var cells []string
		for _, v := range values {
			if v.Kind() == search.KindNull {
				cells = append(cells, "ø")
			} else {
				cells = append(cells, v.String())
			}
		}
		rows = append(rows, strings.Join(cells, ","))
	}
	return strings.Join(rows, "; ")
}

// Each expression is evaluated for a record with s=abc, n=10, d=2.5, e="" and t=true.
func TestExpressionsGiveWhatTheLanguageSays(t *testing.T) {
	r := record("Line ä", "s", "abc", "n", "10", "d", "2.5", "e", "", "t", "true", "id", "12345678901234567", "u", "ÄÖ")
	for _, test := range []struct{ expression, want string }{
		{"n = 10", "true"}, {"n = 10.0", "true"}, {`n = "010"`, "true"}, {`n < "9"`, "false"}, {`n < "9a"`, "true"}, {"n < s", "true"},
		{`s < "abd"`, "true"}, {`s < "ABC"`, "false"}, {`s = "ABC"`, "false"}, {"e < n", "false"}, {"e > n", "true"},
		{"missing = 1", "false"}, {"missing != 1", "true"}, {"missing = missing", "false"}, {"missing = null", "false"}, {"missing < 1", "false"}, {"missing >= 1", "false"},
		{"!(missing < 1)", "true"}, {"not missing", "true"}, {"t", "true"}, {"t and s", "false"}, {"t or s", "true"}, {`t = true`, "true"},
		{"id = 12345678901234568", ""}, {`id = "12345678901234568"`, "false"}, {`id = "12345678901234567"`, "true"},
		{"n + d", "12.5"}, {"n - d * 2", "5"}, {"n / 3", "3.33333333333"}, {"n / 0", "ø"}, {"n % 3", "1"}, {"-n % 3", "-1"}, {"n % 0", "ø"}, {"0.1 + 0.2", "0.3"},
		{"s + 1", "ø"}, {"missing + 1", "ø"}, {"-s", "ø"}, {"0 * -1", "0"}, {"n * 100000000000000", "1000000000000000"},
		{"n * 100000000000000 * 1000", "1e+18"}, {"1 / 3000000", "3.33333333333e-07"}, {"n - 10.5", "-0.5"},
		{"n in (9, 10)", "true"}, {`s in ("ABC")`, "false"}, {"missing in (1)", "false"}, {"missing not in (1)", "true"}, {"d in (2.50)", "true"},
		{`s matches "a*"`, "true"}, {`s matches "b*"`, "false"}, {`s matches "A*"`, "false"}, {`s matches "*"`, "true"}, {`s matches "abc"`, "true"}, {`e matches ""`, "true"},
		{`missing matches "*"`, "false"}, {`n matches "1*"`, "true"}, {`n / 4 matches "2.5"`, "true"}, {`s matches "a*a"`, "false"},
		{"s matches /b/", "true"}, {"s matches /^b/", "false"}, {"s matches /(?i)B/", "true"}, {"missing matches /.*/", "false"}, {"_raw matches /ä$/", "true"},
		{"_source", "S"}, {"_SOURCE", "S"}, {"_sourceHost", "ø"}, {"_messageTime", "1772355600000"}, {"_receiptTime - _messageTime", "1000"}, {"now()", "1772355600000"},
		{"isNull(missing)", "true"}, {"isNull(e)", "false"}, {"isNull(n / 0)", "true"}, {"isEmpty(e)", "true"}, {"isEmpty(missing)", "true"}, {`isEmpty(" ")`, "false"},
		{"isBlank(\" \t\n\")", "true"}, {"isBlank(s)", "false"}, {"isNumeric(n)", "true"}, {"isNumeric(d)", "true"}, {"isNumeric(s)", "false"}, {"isNumeric(missing)", "false"},
		{`isNumeric("1e5")`, "false"}, {`isNumeric("+1")`, "false"}, {`isNumeric(".5")`, "false"}, {`isNumeric("5.")`, "false"}, {`isNumeric("-5")`, "true"}, {`isNumeric("--5")`, "false"},
		{`isNumeric("")`, "false"}, {`isNumeric("-")`, "false"}, {`isNumeric(" 5")`, "false"}, {"isNumeric(id)", "false"}, {`isNumeric("Inf")`, "false"}, {`isNumeric("0x10")`, "false"},
		{`if(n > 5, "big", "small")`, "big"}, {"if(missing > 5, 1, 2)", "2"}, {"if(t, n / 4, s)", "2.5"}, {"if(t, null, 1)", "ø"},
		{`contains(s, "bc")`, "true"}, {`contains(s, "BC")`, "false"}, {`contains(s, "")`, "true"}, {"contains(missing, \"\")", "false"}, {"contains(s, missing)", "false"}, {"contains(n + 0, 1)", "true"},
		{"concat(s, n + 1, missing)", "abc11"}, {"concat(missing)", ""}, {"length(u)", "2"}, {"length(e)", "0"}, {"length(missing)", "ø"}, {"length(12.50)", "4"},
		{"substring(s, 1)", "bc"}, {"substring(s, 0, 1)", "a"}, {"substring(s, 2, 1)", ""}, {"substring(s, 5)", ""}, {"substring(s, -1, 2)", "ab"}, {"substring(u, 1)", "Ö"},
		{"substring(s, missing)", "ø"}, {`substring(s, "x")`, "ø"}, {"substring(s, 0, 100000)", "abc"}, {"substring(s, 1.9)", "bc"},
		{"toLowerCase(u)", "äö"}, {"toUpperCase(s)", "ABC"}, {"toUpperCase(missing)", "ø"}, {"trim(\" a\t\")", "a"}, {"trim(missing)", "ø"},
		{`replace(s, "b", "")`, "ac"}, {`replace(s, "", "x")`, "abc"}, {`replace(s, "B", "x")`, "abc"}, {"replace(s, missing, s)", "ø"},
		{"num(d)", "2.5"}, {"num(s)", "ø"}, {`num("00.50")`, "0.5"}, {"abs(-d)", "2.5"}, {"ceil(d)", "3"}, {"floor(-d)", "-3"}, {"round(d)", "3"}, {"round(-d)", "-3"}, {"round(s)", "ø"},
		{"null", "ø"}, {`"x"`, "x"}, {"TRUE", "true"},
	} {
		q, err := search.ParseQuery("* | " + test.expression + " as x | count by x | fields x")
		if err != nil {
			if test.want != "" {
				t.Errorf("%s: %v", test.expression, err)
			}
			continue
		}
		a, err := search.Evaluate(q, sequence([]search.Record{r}), search.Setting{Now: nine})
		if got := written(a); err != nil || got != test.want {
			t.Errorf("%s: got %s, want %s, %v", test.expression, got, test.want, err)
		}
	}
}

func TestStagesDoWhatTheLanguageSays(t *testing.T) {
	records := []search.Record{
		record("k=1,j=2", "a", "x", "n", "2"),
		record("k=1;", "a", "y", "n", "10"),
		record("j=3,", "a", "x", "n", "z"),
		record(`{"a": {"b c": [1, {"d": "\u00e4"}], "n": null, "t": true, "f": 1.50}, "a": 2}`, "n", ""),
	}
	for _, test := range []struct{ query, want string }{
		{`* | parse "k=*," as a`, "a=1,n=2"},
		{`* | parse "k=*" as v | fields v`, "v=1,j=2; v=1;"},
		{`* | parse "*=*," as l, r | fields l, r`, "l=k,r=1; l=j,r=3"},
		{`* | parse "K=*" as v`, ""},
		{`* | parse field=a "*" as b | fields b`, "b=x; b=y; b=x"},
		{`* | parse "k=*," as v nodrop | fields v`, "v=1; ; ; "},
		{`* | parse "k=*;" as a nodrop | parse "j=*," as b | fields a, b`, "a=1; a=x,b=3"},
		{`* | parse "k=*;" as v nodrop | limit 4 | parse "j=*," as w | fields v, w`, "w=3"},
		{`* | parse "k=*;" as v nodrop | parse "j=*," as v | parse "j=*" as w | fields v, w`, "v=3,w=3,"},
		{`* | 5 as v | parse "k=*;" as v nodrop | count v`, "1,1; 5,3"},
		{`* | parse regex "(?<l>[kj])=(?<d>\d)(?<rest>;)?" | fields l, d, rest`, "d=1,l=k,rest=; d=1,l=k,rest=;; d=3,l=j,rest="},
		{`* | parse regex field=a "(?<v>y)" nodrop | fields v`, "; v=y; ; "},
		{`* | json "a.t", "a['b c'][1].d", "a.f", "a['b c']" as t, d, f, l | fields t, d, f, l`, `d=ä,f=1.50,l=[1,{"d":"\u00e4"}],t=true`},
		{`* | json "a.n"`, ""},
		{`* | json "a.t", "a.n" as t, m nodrop | fields t, m`, "; ; ; t=true"},
		{`* | json "a[0]"`, ""},
		{`* | json "a['b c'].x"`, ""},
		{`* | where isNull(a)`, "n="},
		{`* | n + 1 as n | fields n`, "n=3; n=11; ; "},
		{`* | fields - a`, "n=2; n=10; n=z; n="},
		{`* | fields a | where isNull(n) and _source = "S" | limit 1`, "a=x"},
		{`* | sort by n asc | fields n`, "n=2; n=10; n=; n=z"},
		{`* | sort by a, n | fields a, n`, "a=y,n=10; a=x,n=z; a=x,n=2; n="},
		{`* | dedup by a | fields n`, "n=2; n=10; n="},
		{`* | dedup 2 by a | fields n`, "n=2; n=10; n=z; n="},
		{`* | limit 2 | fields n`, "n=2; n=10"},
		{`* | count`, "4"},
		{`x=y | count`, "0"},
		{`x=y | count by a`, ""},
		{`x=y | count, sum(n), avg(n), min(n), max(n), pct(n, 50), count_distinct(n)`, "0,ø,ø,ø,ø,ø,0"},
		{`* | count by a`, "ø,1; x,2; y,1"},
		{`* | count, count(a) as c, count_distinct(a), sum(n), avg(n), min(n), max(n), pct(n, 50), pct(n, 51), pct(n, 0)`, "4,3,2,12,6,2,10,2,10,2"},
		{`* | count by a, n`, "ø,,1; x,2,1; x,z,1; y,10,1"},
		{`* | count by a | count`, "3"},
		{`* | count by a | _count * 2 as twice | _count + 0.5 as _count | where twice > 2`, "x,2.5,4"},
		{`* | count by a | sort by _count`, "x,2; ø,1; y,1"},
		{`* | count by a | sort by _count, a`, "x,2; y,1; ø,1"},
		{`* | top 2 a by max(n)`, "y,10; x,2"},
		{`* | count by a | dedup by _count`, "ø,1; x,2"},
		{`* | count by a | parse field=a "*" as b | fields b`, "x; y"},
		{`* | count by _source, missing`, "S,ø,4"},
		{`* | limit 1 | limit 5 | count`, "1"},
	} {
		if got := written(evaluate(t, test.query, records...)); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.query, got, test.want)
		}
	}
}

func TestTheFilterOrdersByNumberAndByText(t *testing.T) {
	r := record("", "n", "10", "s", "Abc", "src", "10.0.0.7", "e", "")
	for _, test := range []struct {
		query string
		want  bool
	}{
		{"n>9", true}, {"n>=10.0", true}, {"n<=010", true}, {"n<10", false}, {"n<-1", false}, {"n > 9", true}, {`n>"9"`, true}, {"n<9a", true},
		{"s>abb", true}, {"s<ABD", true}, {"s>=ABC", true}, {"s>5", true}, {"s<5", false}, {"src>10.0.0.6", true}, {"e<a", true}, {"e>5", true},
		{"missing<5", false}, {"missing>=5", false}, {"NOT missing<5", true}, {"n>5 n<20", true}, {"n>50 OR s<b", true}, {"_source>=s", true}, {"_sourceHost<z", false},
	} {
		if got := len(evaluate(t, test.query, r).Messages) == 1; got != test.want {
			t.Errorf("%s: got %t", test.query, got)
		}
	}
}

func TestValuesAreGroupedByTheirText(t *testing.T) {
	records := []search.Record{record("", "n", "1"), record("", "n", "1.0"), record("", "n", "01"), record("", "n", "1"), record("", "n", "N"), record("")}
	if got, want := written(evaluate(t, "* | count by n", records...)), "ø,1; 01,1; 1,2; 1.0,1; N,1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := written(evaluate(t, "* | n + 0 as n | count by n", records...)), "ø,2; 1,4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSlicesFollowTheClockOfTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation(time.DateTime, text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, test := range []struct{ slice, at, want string }{
		{"1d", "2026-02-03 00:00:00", "2026-02-03 00:00:00"},
		{"1d", "2026-02-03 23:59:59", "2026-02-03 00:00:00"},
		{"1d", "2026-07-03 12:00:00", "2026-07-03 00:00:00"},
		{"6h", "2026-07-03 12:00:01", "2026-07-03 12:00:00"},
		{"5m", "2026-07-03 12:09:59", "2026-07-03 12:05:00"},
		{"1w", "2026-07-05 12:00:00", "2026-06-29 00:00:00"}, // Sunday, Monday
		{"1w", "2026-06-29 00:00:00", "2026-06-29 00:00:00"},
		{"1d", "1969-12-31 12:00:00", "1969-12-31 00:00:00"},
		{"1d", "2026-03-29 12:00:00", "2026-03-28 23:00:00"}, // the clock was set forward that night
	} {
		slice := parseQuery(t, "* | timeslice "+test.slice).Stages[0].(search.Timeslice)
		if got := time.UnixMilli(slice.Start(at(test.at), berlin)); !got.Equal(at(test.want)) {
			t.Errorf("%s at %s: got %s, want %s", test.slice, test.at, got.In(berlin), test.want)
		}
	}
}

func TestBucketsAreOfTheLeastRoundWidthThatSuffices(t *testing.T) {
	for _, test := range []struct {
		buckets int
		search  time.Duration
		want    time.Duration
	}{
		{60, time.Hour, time.Minute}, {59, time.Hour, 5 * time.Minute}, {150, time.Hour, 30 * time.Second},
		{1, time.Second, time.Second}, {24, 24 * time.Hour, time.Hour}, {1, 30 * 24 * time.Hour, 8 * 7 * 24 * time.Hour}, {10, 0, time.Second},
	} {
		sized, err := search.Timeslice{Buckets: test.buckets}.Range(nine, nine.Add(test.search))
		if err != nil || sized.Width != test.want || sized.Buckets != 0 {
			t.Errorf("%d buckets of %v: got %v, %v, want %v", test.buckets, test.search, sized.Width, err, test.want)
		}
	}
	if _, err := search.Evaluate(parseQuery(t, "* | timeslice 5 buckets"), sequence(nil), search.Setting{}); err == nil {
		t.Error("no error without a range of time")
	}
}

func TestAnEvaluationHoldsNoMoreThanItMay(t *testing.T) {
	endless := func(yield func(search.Record, error) bool) {
		for i := 0; ; i++ {
			if !yield(record(strings.Repeat("x", 1000), "n", fmt.Sprint(i)), nil) {
				return
			}
		}
	}
	for _, query := range []string{
		"*", "* | sort by n", "* | count by n", "* | count_distinct(n)", "* | pct(n, 50)", "* | dedup by n | where n < 0", "* | count by n | sort by n",
		"* | concat(_raw, _raw, _raw, _raw) as x | concat(x, x, x, x) as x",
	} {
		_, err := search.Evaluate(parseQuery(t, query), endless, search.Setting{MaxBytes: 1 << 20})
		if !errors.Is(err, search.ErrTooMuch) {
			t.Errorf("%s: got %v", query, err)
		}
	}
	a, err := search.Evaluate(parseQuery(t, "* | where n >= 5000 | limit 2 | count"), endless, search.Setting{MaxBytes: 1 << 20})
	if err != nil || written(a) != "2" {
		t.Errorf("a limit does not end an endless search: %v, %v", a, err)
	}
}

// A text that doubles at every stage would not stay a text for long.
func TestTextsDoNotGrowWithoutBounds(t *testing.T) {
	for _, stage := range []string{` | concat(x, x) as x`, ` | replace(x, "0", "00") as x`} {
		query := "* | _raw as x" + strings.Repeat(stage, 45) + " | where length(x) > 1048576 | count"
		if got := written(evaluate(t, query, record("0"))); got != "0" {
			t.Errorf("%s: a text of more than a mebibyte", stage)
		}
	}
}

func TestAnErrorOfTheRecordsIsTheAnswer(t *testing.T) {
	broken := errors.New("the disk is gone")
	failing := func(yield func(search.Record, error) bool) {
		if yield(record("a", "n", "1"), nil) {
			yield(search.Record{}, broken)
		}
	}
	for _, query := range []string{
		"*", "* | sort by n", "* | count", "* | dedup by n", "* | limit 5", "* | where n = 1", "* | count by n | top 1 n by _count",
	} {
		if _, err := search.Evaluate(parseQuery(t, query), failing, search.Setting{}); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", query, err)
		}
	}
}

func TestATailGivesOneMessageAtATime(t *testing.T) {
	tail, err := search.NewTail(parseQuery(t, `status>=400 | parse "user=*" as user | where user != "bot" | fields user`), search.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		record search.Record
		want   []search.Field
	}{
		{record("user=ann", "status", "403"), []search.Field{{Name: "user", Value: "ann"}}},
		{record("user=ann", "status", "200"), nil},
		{record("user=bot", "status", "403"), nil},
		{record("nobody", "status", "403"), nil},
	} {
		got, ok := tail.Next(test.record)
		if ok != (test.want != nil) {
			t.Errorf("%v: got %t", test.record, ok)
		}
		if diff := cmp.Diff(test.want, got.Fields); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.record, diff)
		}
	}
	for _, query := range []string{"* | count", "* | sort by a", "* | limit 5", "* | dedup", "* | top 5 a", "* | timeslice 5 buckets"} {
		if _, err := search.NewTail(parseQuery(t, query), search.Setting{}); err == nil {
			t.Errorf("%s: no error", query)
		}
	}
}

func TestRE2LeavesNothingToAnEnginesSettings(t *testing.T) {
	for pattern, want := range map[search.Regexp]string{
		`a.b`:               `(?-s:a.b)`,
		`(?s)a.b`:           `(?s:a.b)`,
		`^a$`:               `(?-m:\Aa$)`,
		`(?<user>[a-z]+)\d`: `(?P<user>[a-z]+)[0-9]`,
		`(?i)ab`:            `(?i:AB)`,
	} {
		if got := pattern.RE2(); got != want {
			t.Errorf("%s: got %s, want %s", pattern, got, want)
		}
	}
}
