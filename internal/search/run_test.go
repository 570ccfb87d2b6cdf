package search_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

// plainStore is a store that filters as the language says and knows no order by
// size, as engines need not.
type plainStore struct {
	search.Store
	records []search.Record  // newest first
	asked   *search.Grouping // the last; nil if nobody wants to know
}

func (s plainStore) Search(_ context.Context, r search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		count := 0
		for _, record := range s.records {
			if !r.Matches(&record) {
				continue
			}
			if !yield(record.Normal(), nil) {
				return
			}
			if count++; count == r.Limit {
				return
			}
		}
	}
}

func (s plainStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	if s.asked != nil {
		*s.asked = g
	}
	return func(yield func(search.Group, error) bool) {
		var groups []search.Group
		for group, err := range search.GroupRecords(g, s.Search(ctx, g.Request)) {
			if err != nil {
				yield(search.Group{}, err)
				return
			}
			groups = append(groups, group)
		}
		for _, group := range groups {
			greater := 0
			for _, other := range groups {
				if other.Count > group.Count {
					greater++
				}
			}
			if (g.Most == 0 || greater < g.Most) && !yield(group, nil) {
				return
			}
		}
	}
}

func TestGroupsThatTheAnswerCannotHaveAreNotAskedFor(t *testing.T) {
	store := plainStore{asked: new(search.Grouping)}
	for _, n := range []string{"1", "2", "2", "3", "3", "4", "4", "4"} {
		store.records = append(store.records, record("line", "n", n, "m", "x"+n))
	}
	for _, test := range []struct {
		query string
		limit int
		most  int
		want  string
	}{
		{"* | top 2 n", 0, 2, "n,_count; 4,3; 2,2"},
		{"* | top 2 n, m", 0, 2, "n,m,_count; 4,x4,3; 2,x2,2"},
		{"* | count by n | sort by _count, n | limit 2 | fields n", 0, 2, "n; 4; 3"},
		{"* | count as a, count as b by n | sort by b | fields n | limit 1", 0, 0, "n; 4"},
		{"* | count as a, count as b by n | sort by b | limit 1", 0, 1, "n,a,b; 4,3,3"},
		{"* | count by n | sort by _count", 1, 1, "n,_count; 4,3"},
		{"* | count by n | sort by _count asc | limit 1", 0, 0, "n,_count; 1,1"},
		{"* | count by n | sort by n | limit 1", 0, 0, "n,_count; 4,3"},
		{"* | count(m) by n | sort by _count | limit 1", 0, 0, "n,_count; 4,3"},
		{"* | count, sum(n) by n | sort by _count | limit 1 | fields _sum", 0, 0, "_sum; 12"},
		{"* | where n < 4 | top 1 n", 0, 0, "n,_count; 2,2"},
		{"* | count | sort by _count | limit 1", 0, 0, "_count; 8"},
	} {
		table, err := search.Search{Query: parseQuery(t, test.query), Limit: test.limit}.Run(t.Context(), store, nil)
		if err != nil {
			t.Errorf("%s: %v", test.query, err)
			continue
		}
		if got := withHeader(search.Answer{Table: table}); got != test.want || store.asked.Most != test.most {
			t.Errorf("%s: %q of the %d greatest, want %q of %d", test.query, got, store.asked.Most, test.want, test.most)
		}
	}
}

// answered runs a search and puts what it gave into an answer.
func answered(s search.Search, store search.Store) (a search.Answer, each []search.Record, err error) {
	a.Table, err = s.Run(context.Background(), store, func(f search.Found) error {
		each = append(each, f.Message())
		return nil
	})
	if a.Table == nil {
		a.Messages = each
	}
	return a, each, err
}

func TestARunAnswersAsAnEvaluationDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := smallRecords().Draw(t, "records")
		query, err := search.ParseQuery(wholeQueries().Draw(t, "query"))
		if err != nil {
			t.Fatal(err)
		}
		setting := search.Setting{Now: nine, From: nine.Add(-time.Hour), To: nine.Add(time.Hour)}
		want, wantErr := search.Evaluate(query, sequence(records), setting)
		got, _, err := answered(search.Search{Query: query, Setting: setting}, plainStore{records: records})
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s: %v, want %v", query, err, wantErr)
		}
		if written(got) != written(want) {
			t.Errorf("%s: got %s, want %s", query, written(got), written(want))
		}
		if !query.Aggregates() {
			return
		}
		table, err := search.Search{Query: query, Setting: setting}.Run(t.Context(), plainStore{records: records}, nil)
		if err != nil || written(search.Answer{Table: table}) != written(want) {
			t.Errorf("%s, without messages: got %s, %v, want %s", query, written(search.Answer{Table: table}), err, written(want))
		}
	})
}

func TestARunIsBounded(t *testing.T) {
	var store plainStore
	for i := range 10 {
		r := record("line", "n", string(rune('0'+i)))
		r.Time = nine.Add(-time.Duration(i) * time.Minute)
		store.records = append(store.records, r)
	}
	for _, test := range []struct {
		query    string
		from, to time.Time
		open     bool
		limit    int
		want     string
	}{
		{"*", time.Time{}, time.Time{}, false, 2, "n=0; n=1"},
		{"n>=3 n<7", time.Time{}, time.Time{}, false, 2, "n=3; n=4"},
		{"NOT n<8", time.Time{}, time.Time{}, false, 0, "n=8; n=9"},
		{"n=2 OR n>8", time.Time{}, time.Time{}, false, 0, "n=2; n=9"},
		{"*", nine.Add(-2 * time.Minute), nine, false, 0, "n=1; n=2"},
		{"*", nine.Add(-time.Minute), nine.Add(-time.Minute), true, 0, "n=0; n=1"},
		{"* | sort by n | fields n", time.Time{}, time.Time{}, false, 2, "n=9; n=8"},
		{"* | count by n | fields n", time.Time{}, time.Time{}, false, 2, "n; 0; 1"},
		{"* | count", nine.Add(-5 * time.Minute), nine, false, 2, "_count; 5"},
	} {
		s := search.Search{
			Query: parseQuery(t, test.query), OpenEnd: test.open, Limit: test.limit,
			Setting: search.Setting{Now: nine, From: test.from, To: test.to},
		}
		got, _, err := answered(s, store)
		if err != nil || withHeader(got) != test.want {
			t.Errorf("%s: %q, %v, want %q", test.query, withHeader(got), err, test.want)
		}
	}
}

// withHeader is written with the names of a table's columns in front.
func withHeader(a search.Answer) string {
	if a.Table == nil {
		return written(a)
	}
	header := ""
	for i, c := range a.Table.Columns {
		if i > 0 {
			header += ","
		}
		header += c.Name
	}
	return header + "; " + written(a)
}

func TestATablesMessagesAreThoseThatItIsMadeFrom(t *testing.T) {
	store := plainStore{records: []search.Record{record("a", "n", "1"), record("b", "n", "2"), record("c", "n", "3")}}
	got, each, err := answered(search.Search{Query: parseQuery(t, "* | where n > 1 | count by n | where _count > 5")}, store)
	if err != nil {
		t.Fatal(err)
	}
	var raws []string
	for _, r := range each {
		raws = append(raws, r.Raw)
	}
	if diff := cmp.Diff([]string{"b", "c"}, raws); diff != "" || len(got.Table.Rows) != 0 {
		t.Errorf("%s%d rows", diff, len(got.Table.Rows))
	}
}

func TestARunEndsWithItsContextAndItsCaller(t *testing.T) {
	store := plainStore{records: []search.Record{record("a"), record("b"), record("c")}}
	enough := errors.New("enough")
	for _, query := range []string{"*", "* | count"} {
		s := search.Search{Query: parseQuery(t, query)}
		seen := 0
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := s.Run(ctx, store, func(search.Found) error { seen++; cancel(enough); return nil })
		if !errors.Is(err, enough) || seen != 1 {
			t.Errorf("%s, cancelled: %v after %d", query, err, seen)
		}
		seen = 0
		_, err = s.Run(t.Context(), store, func(search.Found) error { seen++; return enough })
		if !errors.Is(err, enough) || seen != 1 {
			t.Errorf("%s, enough: %v after %d", query, err, seen)
		}
	}
}

func TestSlicesOfAnyRangeHaveAWidth(t *testing.T) {
	first, last := time.UnixMilli(0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		buckets  int
		from, to time.Time
		least    time.Duration
	}{
		{60, first, nine, 7 * 24 * time.Hour},
		{60, first, last, 7 * 24 * time.Hour},
		{1, time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), last, 7 * 24 * time.Hour},
		{1_000_000_000, first, last, 10 * time.Second},
		{60, nine, nine, time.Second},
		{60, last, first, time.Second},
	} {
		sized, err := search.Timeslice{Buckets: test.buckets}.Range(test.from, test.to)
		if err != nil || sized.Width < test.least {
			t.Errorf("%d buckets from %s to %s: %s, %v", test.buckets, test.from, test.to, sized.Width, err)
		}
	}
}
