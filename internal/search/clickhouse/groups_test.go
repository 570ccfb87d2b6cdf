package clickhouse

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

// written is what groups say, in an order.
func written(t *testing.T, s *Store, g search.Grouping) (all []string) {
	t.Helper()
	for group, err := range s.Groups(t.Context(), g) {
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(group.Count)
		for _, v := range group.Values {
			text += fmt.Sprintf(" %s %q", v.Kind(), v.String())
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestGroupsTellNoValueFromAnEmptyOne(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	records := numbered(0, 8)
	for i, value := range []string{"", "x", "", "007", "7", "\xff", "", ""} {
		for _, name := range []string{"action", "status", "other"} {
			if i < 6 {
				records[i].Fields = append(records[i].Fields, search.Field{Name: name, Value: value})
			}
		}
	}
	insert(t, s, 1, records...)
	for _, field := range []string{"action", "status", "other"} {
		got := written(t, s, search.Grouping{Fields: []string{field}})
		want := []string{`1 text "007"`, `1 text "7"`, `1 text "x"`, `1 text "�"`, `2 null ""`, `2 text ""`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
}

func TestTooManyGroupsAreNotGiven(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	records := numbered(0, 30)
	for i := range records {
		records[i].Fields = []search.Field{{Name: "action", Value: fmt.Sprint(i)}}
	}
	insert(t, s, 1, records...)
	for limit, enough := range map[int]bool{29: false, 30: true} {
		s.maxGroups = limit
		var last error
		count := 0
		for _, err := range s.Groups(t.Context(), search.Grouping{Fields: []string{"action"}}) {
			last = err
			count++
		}
		if enough && (last != nil || count != 30) || !enough && !errors.Is(last, search.ErrNotGrouped) {
			t.Errorf("limit %d: %d groups, %v", limit, count, last)
		}
	}
	for _, err := range s.Groups(t.Context(), search.Grouping{Fields: []string{"_RAW"}}) {
		if !errors.Is(err, search.ErrNotGrouped) {
			t.Errorf("lines are grouped: %v", err)
		}
	}
}

// What expires and what was not stored is in no group.
func TestGroupsSeeWhatSearchesDo(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	insert(t, s, 1, numbered(0, 20)...)
	s.attempted += 10
	if _, err := s.write(t.Context(), numbered(20, 30), s.current().last); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		for group, err := range s.Groups(t.Context(), search.Grouping{Step: time.Second}) {
			if err != nil {
				t.Fatal(err)
			}
			n += group.Count
		}
		return n
	}
	if n := count(); n != 20 {
		t.Errorf("counted %d, want 20", n)
	}
	x := &expired{"1", noon}
	if err := s.views.hide(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 10 {
		t.Errorf("counted %d, want the 10 that do not expire", n)
	}
}
