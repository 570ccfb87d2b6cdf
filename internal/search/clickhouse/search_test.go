package clickhouse

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

func TestAnAnswerInPagesIsTheAnswerInOne(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	insert(t, s, 1, numbered(0, 30)...)
	for _, byReceiptTime := range []bool{false, true} {
		for _, limit := range []int{0, 1, 9, 29, 31} {
			r := search.Request{ByReceiptTime: byReceiptTime, Limit: limit}
			s.pageSize = 1000
			whole := all(t, s, r)
			want := limit
			if limit == 0 || limit > 30 {
				want = 30
			}
			if len(whole) != want {
				t.Errorf("limit %d: found %d", limit, len(whole))
			}
			for _, s.pageSize = range []int{1, 10, 30} {
				if diff := cmp.Diff(whole, all(t, s, r)); diff != "" {
					t.Errorf("limit %d, pages of %d (-one +pages):\n%s", limit, s.pageSize, diff)
				}
			}
		}
	}
}

func TestAPageOfLongLinesHasFewOfThem(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	records := numbered(0, 5)
	for i := range records {
		records[i].Raw = strings.Repeat("x", 10_000)
	}
	for i := range records {
		insert(t, s, uint64(i)+1, records[i])
	}
	p := page{in: s.tables.in(), at: timeColumn(false), condition: "WHERE 1", size: 100, bytes: 25_000}
	for _, want := range []int{2, 2, 1} {
		found, more, err := p.read(t.Context(), s.reading)
		if err != nil || len(found) != want || more != (want == 2) {
			t.Errorf("a page of %d, more: %t, %v; want %d", len(found), more, err, want)
		}
	}
	wantFound(t, s, len(records))
}

func TestASearchSeesNothingThatIsStoredWhileItIsRead(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	s.pageSize = 10
	insert(t, s, 1, numbered(0, 50)...)
	found := 0
	for _, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatal(err)
		}
		if found++; found == 1 {
			insert(t, s, 2, numbered(50, 100)...)
		}
	}
	if found != 50 {
		t.Errorf("found %d, want the 50 from before", found)
	}
}

// everything is what no statement may leave anything out for.
var everything = content{odd: ^set(0), upper: ^set(0), wide: ^set(0), foreign: ^set(0), forms: ^set(0)}

func TestNoTextOfAQueryIsInTheStatement(t *testing.T) {
	const mark = "Marked' OR 1 --\\"
	text := search.Literal(mark)
	where, err := compile(search.Request{Lines: []*regexp.Regexp{regexp.MustCompile(`Marked`)}, Query: search.And{Terms: []search.Expr{
		search.Keyword{Pattern: text},
		search.Keyword{Pattern: search.Pattern{mark, mark}},
		search.Or{Terms: []search.Expr{
			search.Compare{Field: mark, Value: text},
			search.Compare{Field: "action", Value: search.Pattern{mark, mark}},
			search.Compare{Field: "status", Value: text},
			search.Compare{Field: "_raw", Value: text},
			search.Compare{Field: "_source", Value: text},
			search.Order{Field: mark, Sign: "<", Value: mark},
			search.Order{Field: "action", Sign: "<", Value: mark},
			search.Order{Field: "trace_id", Sign: ">", Value: mark},
		}},
		search.Not{Term: search.Compare{Field: mark + `"`, Value: search.Pattern{"", ""}}},
	}}}, everything)
	if err != nil || !where.exact {
		t.Fatalf("exact: %t, %v", where.exact, err)
	}
	condition := where.sql()
	if strings.Contains(strings.ToLower(condition), "marked") || strings.Contains(condition, "--") {
		t.Errorf("the condition is %s", condition)
	}
}

func TestASearchMayChangeNothing(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	insert(t, s, 1, numbered(0, 3)...)
	for _, statement := range []string{
		`DROP TABLE records`, `ALTER TABLE records DELETE WHERE 1`, `INSERT INTO intake SELECT 0, 'x', 9, 9, [], []`, `SET readonly = 0`,
		`CREATE TABLE x (a Int8) ENGINE = Log`,
	} {
		if err := s.reading.conn.Exec(readOnly(t.Context()), statement); err == nil {
			t.Errorf("the server obeys %s", statement)
		}
	}
	wantFound(t, s, 3)
}
