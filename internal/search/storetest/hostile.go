package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

var hostile = [...]string{
	`'`, `"`, `''`, `\`, `\\`, `\'`, `%`, `_`, `100%`, `*`, `?`, `$1`, `:name`, `;`, `--`, `/*`, `.*`, `[a-z]`, `(?i)`, `\C`, `\E`,
	"\x00", "a\x00b", "a\x00c", "\xff", "a\xffb", "\xed\xa0\x80", "\ufffd", "\u2028", "\u202e", "\r\n", "\t", "NULL", "null", "true",
	"😀", "é", "e\u0301", "ß", "ẞ", "İ", "ı", "K", "ſ", "Σ", "ς", "\U0010ffff",
	`'; DROP TABLE records; --`, `' OR '1'='1`, `") OR TRUE --`, `%' ESCAPE '%`, `"; ATTACH 'x.db'; --`,
	`{"a": "b"}`, `{a=b}`, `[1, 2]`, `\x41`, `=`, `|`, `(`, `NOT`,
}

func hostileValues(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	var records []search.Record
	for i, v := range hostile {
		r := line(fmt.Sprintf("<%s> %d", v, i), field("action", v), field(v, "named"), field("other", v))
		r.Category, r.Name, r.SourceID = v, v, v
		r.Time = noon.Add(-time.Duration(i) * time.Second)
		records = append(records, r)
	}
	insert(t, s, 1, records...)
	found := find(t, s, search.Request{})
	for i := range records {
		wantSame(t, found[i:i+1], []search.Record{records[i].Normal()})
	}
	for _, v := range hostile {
		value := search.Literal(v)
		for _, e := range []search.Expr{
			search.Keyword{Pattern: value},
			search.Keyword{Pattern: search.Pattern{"<" + v, " "}},
			search.Compare{Field: "action", Value: value},
			search.Compare{Field: "other", Value: value},
			search.Compare{Field: "other", Value: search.Pattern{v, ""}},
			search.Compare{Field: "_sourceCategory", Value: value},
			search.Compare{Field: v, Value: search.Literal("named")},
			search.Compare{Field: v, Value: search.Pattern{"", ""}},
		} {
			wantMatching(t, s, e, records)
		}
	}
}

// wantMatching wants those of all records that Match picks, and one at least.
func wantMatching(t *testing.T, s search.Store, e search.Expr, all []search.Record) {
	t.Helper()
	if wantSameAsMatch(t, s, e, all) == 0 {
		t.Errorf("%v matches nothing", e)
	}
}

// wantSameAsMatch wants those of all records that Match picks, and returns how many
// those are.
func wantSameAsMatch(t *testing.T, s search.Store, e search.Expr, all []search.Record) int {
	t.Helper()
	var want []string
	for i := range all {
		if search.Match(e, &all[i]) {
			want = append(want, all[i].Raw)
		}
	}
	t.Log(e)
	wantRaw(t, find(t, s, search.Request{Query: e}), want...)
	return len(want)
}

func injection(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	insert(t, s, 1, line("precious", field("action", "list"), field("other", "x")))
	for _, text := range []string{
		`'`, `''`, `"`, `x' OR 'a'='a`, `x') OR TRUE --`, `x" OR TRUE --`, `x"]) OR TRUE --`, `') OR 1=1 /*`, `%`, `_______s`, `prec%`,
		`'; DROP TABLE records; --`, `"; DELETE FROM records; --`, `'; UPDATE intake SET position = 99; --`,
		`' UNION SELECT * FROM duckdb_secrets() --`, `'; COPY records TO '/tmp/x.csv'; --`, `'; INSTALL httpfs; LOAD httpfs; --`,
		`' || (SELECT content FROM read_text('/etc/passwd')) || '`, `'; SET enable_external_access = true; --`, `$1`, `?`, `{x: String}`,
		`.*`, `p.*s`, `[a-z]+`, `(?s).*`, `\Q`, `\x00`, "\x00' OR TRUE --",
	} {
		for _, e := range []search.Expr{
			search.Keyword{Pattern: search.Literal(text)},
			search.Keyword{Pattern: search.Pattern{text, text}},
			search.Compare{Field: "action", Value: search.Literal(text)},
			search.Compare{Field: "action", Value: search.Pattern{text, ""}},
			search.Compare{Field: "other", Value: search.Literal(text)},
			search.Compare{Field: text, Value: search.Literal(text)},
			search.Compare{Field: text, Value: search.Pattern{"", ""}},
			search.Compare{Field: text, Value: search.Pattern{"", "x", ""}},
		} {
			if found := find(t, s, search.Request{Query: e}); len(found) > 0 {
				t.Errorf("%v finds %q", e, found[0].Raw)
			}
		}
	}
	wantPosition(t, s, 1)
	wantRaw(t, findQuery(t, s, ""), "precious")
}

func rawBytes(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	var every strings.Builder
	for b := range 256 {
		every.WriteByte(byte(b))
	}
	want := []string{every.String(), "ÄÖ \xc3", "\xff", "\x00", " ", "Grüße\xa0"}
	for i, raw := range want {
		insert(t, s, uint64(i)+1, line(raw))
	}
	wantRaw(t, findQuery(t, s, ""), want...)
	wantRaw(t, findQuery(t, s, "äö"), "ÄÖ \xc3")
	wantRaw(t, findQuery(t, s, "grüße\ufffd"), "Grüße\xa0")
	wantRaw(t, findQuery(t, s, "abc*XYZ*xyz"), every.String())
	wantRaw(t, findQuery(t, s, "xyz*abc*abc"))
}

func longLine(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	var raw strings.Builder
	var fields []search.Field
	for i := range 20000 {
		name := fmt.Sprintf("field%05d", i)
		fmt.Fprintf(&raw, "%s=%s ", name, strings.Repeat("x", 41))
		fields = append(fields, field(name, "x"))
	}
	long := line(raw.String()+"the end", fields...)
	if len(long.Raw) < 1<<20 {
		t.Fatalf("the line has %d bytes, less than 1 MiB", len(long.Raw))
	}
	insert(t, s, 1, long, line("short"))
	for _, query := range []string{`"the end"`, "field00000*END", "field19999=x"} {
		wantSame(t, findQuery(t, s, query), []search.Record{long.Normal()})
	}
}

// longQueries are as wide, deep and full of wildcards as the parser lets through.
func longQueries(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	long := line(strings.Repeat("a", 1<<15))
	insert(t, s, 1, long, line("b"))
	for name, test := range map[string]struct {
		query string
		want  []string
	}{
		"keywords":             {strings.Repeat("a ", 8191), []string{long.Raw}},
		"alternatives":         {strings.Repeat("c OR ", 3275) + "b", []string{"b"}},
		"comparisons":          {strings.Repeat("a=b OR ", 2339) + "b", []string{"b"}},
		"parentheses":          {strings.Repeat("(", 100) + "b" + strings.Repeat(")", 100), []string{"b"}},
		"negations":            {strings.Repeat("NOT ", 100) + "b", []string{"b"}},
		"groups in groups":     {strings.Repeat("(b OR (b ", 50) + "b" + strings.Repeat("))", 50), []string{"b"}},
		"wildcards":            {strings.Repeat(strings.Repeat("a*", 16)+" ", 400), []string{long.Raw}},
		"wildcards and a miss": {strings.Repeat("a*", 16) + "b", nil},
		"wildcards in a value": {"_raw=" + strings.Repeat("a*", 16) + "b", nil},
		"a long word":          {strings.Repeat("a", 16384), []string{long.Raw}},
		"a long word and star": {strings.Repeat("a", 16382) + "*a", []string{long.Raw}},
	} {
		t.Run(name, func(t *testing.T) {
			var found []search.Record
			for r, err := range s.Search(t.Context(), search.Request{Query: parse(t, test.query)}) {
				if err != nil {
					t.Fatalf("search: %v", err)
				}
				r.Raw = r.Raw[:min(len(r.Raw), 100)]
				found = append(found, r)
			}
			for i := range test.want {
				test.want[i] = test.want[i][:min(len(test.want[i]), 100)]
			}
			wantRaw(t, found, test.want...)
		})
	}
}
