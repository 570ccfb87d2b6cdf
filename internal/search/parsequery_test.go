package search_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func parseQuery(t testing.TB, query string) search.Query {
	t.Helper()
	q, err := search.ParseQuery(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return q
}

func TestParseQueryWritesWhatItRead(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"", "*"},
		{" | count", "* | count"},
		{"a b|count", "a b | count"},
		{"status>=400 a<b", "status>=400 a<b"},
		{"status in (200)", "status=200"},
		{"status IN (200, 2*, \"a,b\")", `status=200 OR status=2* OR status="a,b"`},
		{"status NOT in (200,201) x", "NOT (status=200 OR status=201) x"},
		{"in out", "in out"},
		{"a,b", `"a,b"`},
		{`f<"x y"`, `f<"x y"`},
		{"* | where a = 1 and b == 2 or not c <> 3", "* | where ((a = 1) and (b = 2)) or (!(c != 3))"},
		{"* | WHERE a && b || !c", "* | where (a and b) or (!c)"},
		{"* | where 1 + 2 * 3 - -4 % x > 5 / y", "* | where ((1 + (2 * 3)) - ((-4) % x)) > (5 / y)"},
		{"* | where (a + b) * c = d", "* | where ((a + b) * c) = d"},
		{`* | where a matches "x*y" and b not matches /a\/b\d/`, `* | where (a matches "x*y") and (!(b matches /a\/b\d/))`},
		{`* | where a in (1, -2, "x") and b not in ("y")`, `* | where (a in (1, -2, "x")) and (!(b in ("y")))`},
		{"* | where isnull(a) or TRUE or null", `* | where isNull(a) or "true" or null`},
		{`* | where %"odd name" = %"and"`, `* | where %"odd name" = %"and"`},
		{"* | where _SOURCE = \"x\" and _MESSAGETIME > 5", `* | where (_source = "x") and (_messageTime > 5)`},
		{"* | where length(\n\tconcat(a, b)) > 3", "* | where length(concat(a, b)) > 3"},
		{"* | a / 1000 as seconds", "* | a / 1000 as seconds"},
		{"* | if(a > 5, 1, null) as b", "* | if(a > 5, 1, null) as b"},
		{"* | 0.10 as x", "* | 0.1 as x"},
		{`* | parse "a=*,b=*" as a, b`, `* | parse "a=*,b=*" as a, b`},
		{`* | parse field=url "*?" as path nodrop`, `* | parse field=url "*?" as path nodrop`},
		{`* | parse "\"tier\": *," as tier`, `* | parse "\"tier\": *," as tier`},
		{`* | extract "(?<ip>\d+)"`, `* | parse regex "(?<ip>\\d+)"`},
		{`* | parse regex field=url "/(?P<first>[^/]+)" nodrop`, `* | parse regex field=url "/(?P<first>[^/]+)" nodrop`},
		{`* | json "$.user['odd key'][3].name"`, `* | json "user['odd key'][3].name" as %"user['odd key'][3].name"`},
		{`* | json field=x "a", "b.c" as d, e nodrop`, `* | json field=x "a", "b.c" as d, e nodrop`},
		{"* | timeslice by 1h", "* | timeslice 1h as _timeslice"},
		{"* | timeslice 2w as t", "* | timeslice 2w as t"},
		{"* | timeslice 5400s", "* | timeslice 90m as _timeslice"},
		{"* | timeslice 150 buckets", "* | timeslice 150 buckets as _timeslice"},
		{"* | count(*) group by a", "* | count by a"},
		{"* | count a, b", "* | count by a, b"},
		{"* | count as hits by _SourceHost", "* | count as hits by _sourceHost"},
		{"* | COUNT(a), sum(b) as total, pct(c, 50, 99.9) by d", "* | count(a), sum(b) as total, pct(c, 50), pct(c, 99.9) by d"},
		{"* | count as count | where count > 5 | sort by count", `* | count as %"count" | where %"count" > 5 | sort by %"count"`},
		{"* | count by a | sum(_count) by a", "* | count by a | sum(_count) by a"},
		{"* | sort a, +b, -c, d asc, e desc", "* | sort by a, b asc, c, d asc, e"},
		{"* | order by a", "* | sort by a"},
		{"* | top 5 a, b", "* | count by a, b | sort by _count | limit 5"},
		{"* | top 5 a by count", "* | count by a | sort by _count | limit 5"},
		{"* | top 5 a by sum(b) as s", "* | sum(b) as s by a | sort by s | limit 5"},
		{"* | count a | top 2 a by count", "* | count by a | sort by _count | limit 2"},
		{"* | count a | top 2 a by _count", "* | count by a | sort by _count | limit 2"},
		{"* | limit 10", "* | limit 10"},
		{"* | fields a, _raw", "* | fields a, _raw"},
		{"* | fields - a", "* | fields - a"},
		{"* | dedup", "* | dedup 1 by _raw"},
		{"* | dedup 3 by a, b", "* | dedup 3 by a, b"},
	} {
		q := parseQuery(t, test.query)
		if q.String() != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.query, q, test.want)
		}
		if again := parseQuery(t, q.String()); !reflect.DeepEqual(q, again) {
			t.Errorf("%s, written as %s, is another tree:\n%#v\n%#v", test.query, q, q, again)
		}
	}
}

func TestParseQuerySaysWhereAndWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"a | ", "1:5: expected a stage (where, parse, json, count, sum, timeslice, sort, top, limit, fields, dedup …), found the end of the query"},
		{"a || count", "1:4: expected a stage (where, parse, json, count, sum, timeslice, sort, top, limit, fields, dedup …), found |"},
		{"a | frobnicate x", "1:5: expected a stage (where, parse, json, count, sum, timeslice, sort, top, limit, fields, dedup …), or a value with as and a name after it, found frobnicate"},
		{"a | 1 + b", "1:10: expected as and a name, or a stage's word before it all (where, parse, json, count, …), found the end of the query"},
		{"a | count | frobnicate x", "1:13: expected a stage (where, parse, json, count, sum, timeslice, sort, top, limit, fields, dedup …), or a column of the table (_count), found frobnicate"},
		{"a | frobnicate(x) as y", "1:5: expected the name of a function, found frobnicate"},
		{"a\n  | where status >", "2:19: expected a value: a field, a number, a text in quotes or a function, found the end of the query"},
		{"a | where b = 'c'", `1:15: '\'' means nothing after a pipe (a text stands in quotes, an odd name in %"…")`},
		{"a | where (b", "1:13: expected a closing parenthesis, found the end of the query"},
		{"a | where b = c = d", "1:17: expected a | or the end of the query, found ="},
		{"a | where b matches c", "1:21: expected a text with wildcards in quotes, or a regular expression between slashes, found c"},
		{"a | where b matches /(/", "1:21: no regular expression as RE2 has them: missing closing ): ("},
		{`a | where b matches /a(?=b)/`, "1:21: no regular expression as RE2 has them: invalid or unsupported Perl syntax: (?="},
		{`a | where b matches /\1/`, `1:21: no regular expression as RE2 has them: invalid escape sequence: \1`},
		{`a | where b matches /x`, "1:21: a regular expression that is not closed by a /"},
		{"a | where b in ()", "1:17: expected a number, or a text in quotes, found )"},
		{"a | where b not 5", "1:17: expected in or matches after not, found 5"},
		{"a | where length(b, c) > 1", "1:11: 2 arguments of length, which is used as length(X)"},
		{"a | where 1234567890123456 > 1", "1:11: a number of more than 15 digits"},
		{"a | b as c, d", "1:14: one name goes with one expression, and here are 2 names before this"},
		{"a | b as _source", "1:10: _source is what the collector knows of a message: choose another name"},
		{"a | b as _MessageTime", "1:10: _MessageTime is what the collector knows of a message: choose another name"},
		{`a | parse "x" as y`, "1:11: a text without a *, which stands for what to extract"},
		{`a | parse "x**y" as y, z`, "1:11: two wildcards without a text between them"},
		{`a | parse "x*y" as y, z`, "1:11: 2 names for 1 wildcards"},
		{`a | parse "x*y*" as y, y`, "1:11: y is named twice"},
		{`a | parse x`, "1:11: expected a text in quotes with a * for each field, or regex, found x"},
		{`a | parse regex "(a)(?<b>c)"`, "1:17: a group without a name: write (?<name>…) to extract what it matches, or (?:…) to group only"},
		{`a | parse regex "abc"`, "1:17: a regular expression without a named group: write (?<name>…) around what to extract"},
		{`a | parse regex "(?<_raw>a)"`, "1:17: a group named _raw, which is what the collector knows of a message: choose another name"},
		{`a | json "a b"`, `1:10: no path to a JSON value at "a b": write a.b[0], and ['…'] around a key that has special characters`},
		{`a | json "a[x]"`, "1:10: no index in a path: write [0], or ['key']"},
		{`a | json auto`, "1:10: expected a path to a JSON value, in quotes, found auto"},
		{"a | timeslice 5", "1:16: expected s, m, h, d, w or buckets after the number, found the end of the query"},
		{"a | timeslice 0m", "1:15: expected a whole number from 1 to 1000000000, found 0"},
		{"a | timeslice 1000000w", "1:15: a slice of more than ten years"},
		{"a | count | timeslice 5m", "1:23: timeslice on a table: put it before the stage that aggregates"},
		{"a | sum by b", "1:9: expected ( and a field after sum, found by"},
		{"a | pct(b)", "1:10: expected a comma and a percent, found )"},
		{"a | pct(b, 101)", "1:12: expected a percent from 0 to 100, with three decimals at most, found 101"},
		{"a | pct(b, 1, 2) as c", "1:18: one name for 2 percentiles: write a pct for each"},
		{"a | sum(b), sum(c)", "1:5: two columns of one name, _sum: give one of them another with as"},
		{"a | count by b, b", "1:17: b is named twice"},
		{"a | count by b | where c > 1", "1:24: expected a column of the table (b, _count), found c"},
		{"a | count by b | sort by status", "1:26: expected a column of the table (b, _count), found status"},
		{`a | count by b | parse "x*" as y`, "1:24: a table has no lines: write field= and one of its columns before the text"},
		{"a | count by b | dedup", "1:23: expected by and columns of the table, found the end of the query"},
		{"a | count by b | top 5 b", "1:25: expected by and a column of the table, found the end of the query"},
		{"a | top b", "1:9: expected a whole number from 1 to 1000000000, found b"},
		{"a | limit 1.5", "1:11: expected a whole number from 1 to 1000000000, found 1.5"},
		{"a | fields - _raw", "1:14: _raw stays on every message: only fields can be taken away"},
		{"a | count by and", `1:14: expected the name of a field (an odd one in %"…"), found and`},
		{`a | where %"" = 1`, "1:11: an empty name"},
		{"a | where b = \"\xff\"", "1:15: text that is not UTF-8"},
		{"a in (b", "1:8: expected a comma or a closing parenthesis, found the end of the query"},
		{"a in ()", "1:7: expected a value, found )"},
		{"a* in (b)", "1:1: a* is no name of a field: a name is letters, digits, _ . and -, or stands in quotes"},
		{"a<b*", "1:3: a * in a value after <: wildcards go with = and !="},
		{"a<>b", "1:3: expected a value after < (quote one that has special characters), found >"},
		{"a|" + strings.Repeat("limit 1|", 50) + "count", "1:402: more than 50 stages"},
		{"a|where " + strings.Repeat("(", 101), "1:109: more than 100 parentheses and NOTs within one another"},
		{"a|where " + strings.Repeat("!", 101), "1:109: more than 100 parentheses and NOTs within one another"},
		{"a|where " + strings.Repeat("-", 101), "1:109: more than 100 parentheses and NOTs within one another"},
		{"a|where " + strings.Repeat("abs(", 101), "1:412: more than 100 parentheses and NOTs within one another"},
		{"a|where 1" + strings.Repeat("+1", 201), "1:410: more than 200 signs of arithmetic in a stage"},
		{"a|where b matches /" + strings.Repeat("a", 1001) + "/", "1:19: a regular expression of 1001 bytes: the limit is 1000"},
		{"a|where b matches /" + strings.Repeat("a{1000}", 3) + "/", "1:19: a regular expression that repeats too much"},
	} {
		q, err := search.ParseQuery(test.query)
		var syntax *search.SyntaxError
		if !errors.As(err, &syntax) || q.Filter != nil || q.Stages != nil {
			t.Errorf("%.60q: got %v and no syntax error: %v", test.query, q, err)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("%.60q:\n got %s\nwant %s", test.query, err, test.want)
		}
	}
}

func TestASyntaxErrorTellsItsPartsApart(t *testing.T) {
	_, err := search.ParseQuery("ä\n | limit x")
	var syntax *search.SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatal(err)
	}
	want := search.SyntaxError{
		Offset: 12, Line: 2, Column: 10, Found: "x", Expected: "a whole number from 1 to 1000000000",
		Message: "expected a whole number from 1 to 1000000000, found x",
	}
	if *syntax != want {
		t.Errorf("got %+v", *syntax)
	}
}

func TestColumnsAreKnownBeforeAQueryRuns(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"* | count by a | where a = 1", "a text, _count number"},
		{"* | timeslice 1h | count by _timeslice, _source", "_timeslice number, _source text, _count number"},
		{"* | b / 2 as a | sum(a) as s by a | fields s, a", "s number, a number"},
		{"* | b / 2 as a | concat(a, 1) as a | count a", "a text, _count number"},
		{`* | b / 2 as a | parse "*" as a | count a`, "a text, _count number"},
		{"* | b / 2 as a | fields - a | count a", "a text, _count number"},
		{"* | count a | if(a = 1, _count, null) as c | if(a = 1, _count, a) as d | fields - _count", "a text, c number, d text"},
		{"* | count a | null as _count", "a text, _count text"},
		{"* | where a = 1", ""},
	} {
		q := parseQuery(t, test.query)
		var got []string
		for _, c := range q.Columns() {
			got = append(got, c.Name+" "+c.Kind().String())
		}
		if strings.Join(got, ", ") != test.want || q.Aggregates() != (test.want != "") {
			t.Errorf("%s: got %v", test.query, got)
		}
	}
}

// What anybody may send costs little, whatever it is.
func TestHostileQueriesAreReadQuickly(t *testing.T) {
	for name, query := range map[string]string{
		"parentheses":         strings.Repeat("(", 16<<10),
		"a megabyte":          strings.Repeat("a", 1<<20),
		"a megabyte of pipes": strings.Repeat("|", 1<<20),
		"words":               strings.Repeat("a ", 8<<10),
		"negations":           strings.Repeat("not ", 4<<10),
		"in":                  strings.Repeat("in ", 5<<10),
		"not in":              strings.Repeat("a not in", 2<<10),
		"spaces":              "a" + strings.Repeat(" ", 16<<10-1),
		"stars":               strings.Repeat("*", 16<<10),
		"quotes":              strings.Repeat(`"`, 16<<10),
		"backslashes":         `"` + strings.Repeat(`\`, 16<<10-1),
		"invalid text":        strings.Repeat("\xff", 16<<10),
		"zeros":               strings.Repeat("\x00", 16<<10),
		"conditions":          "|where a" + strings.Repeat(" or a", 3<<10),
		"comparisons":         "|where a" + strings.Repeat("=a", 8<<10-9),
		"list":                "|where a in (1" + strings.Repeat(",1", 8<<10-20) + ")",
		"filter list":         "a in (1" + strings.Repeat(",1", 8<<10-20) + ")",
		"names":               "|fields a" + strings.Repeat(",a", 8<<10-20),
		"aggregates":          "|count" + strings.Repeat(",count", 2<<10),
		"percents":            "|pct(a,1" + strings.Repeat(",1", 8<<10-20) + ")",
		"digits":              "|where " + strings.Repeat("9", 16<<10-10) + ">1",
		"points":              "|where 1" + strings.Repeat(".1", 1<<10) + ">1",
		"stages":              strings.Repeat("|limit 1", 2<<10),
		"slashes":             "|where a matches /" + strings.Repeat(`\/`, 8<<10-20) + "/",
		"expression":          "|where a matches /" + strings.Repeat(`(?:\pL{999})`, 80) + "/",
		"nested repetition":   "|where a matches /((((a{9}){9}){9}){9}){9}/",
		"alternatives":        "|where a matches /" + strings.Repeat("(a|b|", 190) + strings.Repeat(")", 190) + "/",
		"paths":               `|json "a"` + strings.Repeat(`,"a"`, 3<<10),
		"path":                `|json "` + strings.Repeat("[0]", 5<<10) + `"`,
		"open path":           `|json "['` + strings.Repeat("a", 8<<10) + `"`,
		"calls":               "|where concat(" + strings.Repeat("a,", 5<<10) + "a)",
	} {
		start := time.Now()
		q, err := search.ParseQuery(query)
		if err == nil {
			_ = q.String()
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		var syntax *search.SyntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Errorf("%s: no syntax error: %v", name, err)
		}
	}
}
