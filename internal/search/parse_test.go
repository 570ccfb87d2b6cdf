package search_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/storetest"
)

func keyword(pieces ...string) search.Expr { return search.Keyword{Pattern: pieces} }

func compare(field string, pieces ...string) search.Expr {
	return search.Compare{Field: field, Value: pieces}
}

func and(terms ...search.Expr) search.Expr { return search.And{Terms: terms} }
func or(terms ...search.Expr) search.Expr  { return search.Or{Terms: terms} }
func not(term search.Expr) search.Expr     { return search.Not{Term: term} }

func TestParseReadsTheLanguage(t *testing.T) {
	a, b, c := keyword("a"), keyword("b"), keyword("c")
	for _, test := range []struct {
		query string
		want  search.Expr
	}{
		{"", search.All{}},
		{" \t\r\n", search.All{}},
		{"*", search.All{}},
		{"**", search.All{}},
		{"a", a},
		{"a b", and(a, b)},
		{"a AND b", and(a, b)},
		{"a and b Or c", or(and(a, b), c)},
		{"a OR b c", or(a, and(b, c))},
		{"NOT a b", and(not(a), b)},
		{"a NOT b", and(a, not(b))},
		{"NOT NOT a", not(not(a))},
		{"NOT (a OR b)", not(or(a, b))},
		{"(a b) c", and(and(a, b), c)},
		{"((a))", a},
		{"(a)(b)", and(a, b)},
		{"*a*", keyword("", "a", "")},
		{"a*b", keyword("a", "b")},
		{`"a b"`, keyword("a b")},
		{`"a*b"`, keyword("a*b")},
		{`"AND"`, keyword("AND")},
		{`"say \"hi\""`, keyword(`say "hi"`)},
		{`"C:\new\\x"`, keyword(`C:\new\x`)},
		{`C:\new`, keyword(`C:\new`)},
		{`"a b"*"c d"*`, keyword("a b", "c d", "")},
		{"-a !b c? d's", and(keyword("-a"), keyword("!b"), keyword("c?"), keyword("d's"))},
		{"15:39 /v2/x #1 a@b %", and(keyword("15:39"), keyword("/v2/x"), keyword("#1"), keyword("a@b"), keyword("%"))},
		{"_source=Konnect", compare("_source", "Konnect")},
		{"action = list", compare("action", "list")},
		{"a!=b", not(compare("a", "b"))},
		{"a != b", not(compare("a", "b"))},
		{"NOT a!=b", not(not(compare("a", "b")))},
		{"a=*", compare("a", "", "")},
		{"a!=*", not(compare("a", "", ""))},
		{`a=""`, compare("a", "")},
		{`a="b c"`, compare("a", "b c")},
		{`a="b=c|d"`, compare("a", "b=c|d")},
		{"src=10.0.*", compare("src", "10.0.", "")},
		{`"odd name"=x`, compare("odd name", "x")},
		{`"not"=x`, compare("not", "x")},
		{"a=not b", and(compare("a", "not"), b)},
		{"größe=ß", compare("größe", "ß")},
		{"a=1(b)", and(compare("a", "1"), b)},
		{"ORDER NOTE ANDES", and(keyword("ORDER"), keyword("NOTE"), keyword("ANDES"))},
		{"_source=Konnect action=list NOT granted=true", and(
			compare("_source", "Konnect"), compare("action", "list"), not(compare("granted", "true")))},
	} {
		got, err := search.Parse(test.query)
		if err != nil {
			t.Errorf("%q: %v", test.query, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.query, diff)
		}
	}
}

func TestParseSaysWhereAndWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"action=list user=", "1:18: expected a value after = (quote one that has special characters), found the end of the query"},
		{"a!=)", "1:4: expected a value after != (quote one that has special characters), found )"},
		{"a AND", "1:6: expected a keyword or a field, found the end of the query"},
		{"a OR OR b", "1:6: expected a keyword or a field, found OR"},
		{"AND a", "1:1: expected a keyword or a field, found AND"},
		{"NOT", "1:4: expected a keyword or a field, found the end of the query"},
		{"(a", "1:3: expected a closing parenthesis, found the end of the query"},
		{"()", "1:2: expected a keyword or a field, found )"},
		{"a) b", "1:2: expected the end of the query, found )"},
		{"=a", "1:1: expected a keyword or a field, found ="},
		{"a=b=c", "1:4: expected a space, AND, OR or the end of the query after a value (quote a value that has a = in it), found ="},
		{"a | count", "1:3: pipes are not understood here (quote the | to search for it)"},
		{"über\n  \"x", "2:3: a quote that is not closed"},
		{"äöü (", "1:6: expected a keyword or a field, found the end of the query"},
		{`""`, "1:1: an empty phrase (a * by itself matches everything)"},
		{`a"b"`, `1:2: a quote inside a word: put a space before it, or quote the whole and write \" for a quote`},
		{`"a"b`, "1:4: text right after a closing quote: put a space or a * between them"},
		{`"a""b"`, "1:4: text right after a closing quote: put a space or a * between them"},
		{"a*=b", "1:1: a* is no name of a field: a name is letters, digits, _ . and -, or stands in quotes"},
		{strings.Repeat("(", 101), "1:101: more than 100 parentheses and NOTs within one another"},
		{strings.Repeat("NOT ", 101) + "a", "1:401: more than 100 parentheses and NOTs within one another"},
		{strings.Repeat("*", 17), "1:17: more than 16 wildcards in a word"},
		{strings.Repeat("a", 16385), "1:1: a query of 16385 bytes: the limit is 16384"},
	} {
		e, err := search.Parse(test.query)
		var syntax *search.SyntaxError
		if !errors.As(err, &syntax) || e != nil {
			t.Errorf("%.60q: got %v and no syntax error: %v", test.query, e, err)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("%.60q:\n got %s\nwant %s", test.query, err, test.want)
		}
	}
}

func TestParseReadsWhatStringWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := storetest.Queries().Draw(t, "query")
		got, err := search.Parse(e.String())
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", e, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "*", "_source=Konnect action=list NOT granted=true", `("a b"*c OR d!="x\"y") AND e=*`, "a |", "((((", "NOT NOT a",
		`"\`, "a=b=c", "\xff", "ſ=K", `*"*"*`, "x\u0085y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		e, err := search.Parse(query)
		if err != nil {
			var syntax *search.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 1 || syntax.Message == "" {
				t.Fatalf("%q: not a syntax error with a place: %v", query, err)
			}
			return
		}
		written := e.String()
		if len(written) > 16<<10 {
			return // spaces and escapes may make it longer than what is read
		}
		again, err := search.Parse(written)
		if err != nil {
			t.Fatalf("%q, written as %q: %v", query, written, err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("%q, written as %q (-want +got):\n%s", query, written, diff)
		}
		r := search.Record{Raw: query, Source: query, Fields: []search.Field{{Name: query, Value: query}}}
		if search.Match(e, &r) == search.Match(search.Not{Term: e}, &r) {
			t.Fatalf("%q: the record matches both the query and its negation, or neither", query)
		}
	})
}
