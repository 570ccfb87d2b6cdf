package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

func inOrderOfStoring(t *testing.T, open func(*testing.T) search.Store) {
	ctx := context.Background()
	s := start(t, open)
	last := func() int64 {
		t.Helper()
		ordinal, err := s.Last(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return ordinal
	}
	if last() != 0 {
		t.Errorf("an empty store's last record is %d", last())
	}
	var want []string
	for batch := range 10 {
		var records []search.Record
		for i := range 50 {
			record := line(fmt.Sprintf("line %d of batch %d \xff", i, batch))
			record.Time = noon.Add(-time.Duration(batch) * time.Hour) // the order of time is another
			if i%2 == 1 {
				record.SourceID = "2"
			} else {
				want = append(want, record.Raw)
			}
			records = append(records, record)
		}
		insert(t, s, uint64(batch+1), records...)
	}
	var got []string
	var after int64
	for {
		page, err := s.Stored(ctx, "1", after, 7)
		if err != nil || len(page) > 7 {
			t.Fatalf("%d records, %v", len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, one := range page {
			if one.Ordinal <= after {
				t.Fatalf("ordinal %d after %d", one.Ordinal, after)
			}
			after = one.Ordinal
			got = append(got, one.Raw)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if last() < after {
		t.Errorf("the last record is %d, but there is one with %d", last(), after)
	}
	before := last()
	long := strings.Repeat("x", search.StoredBytes/4)
	insert(t, s, 100, line(long+"1"), line(long+"2"), line(long+"3"), line(long+"4"), line(long+"5"), line(long+"6"))
	if page, err := s.Stored(ctx, "1", before, 6); err != nil || len(page) == 0 || len(page) == 6 {
		t.Errorf("long lines: %d in one page, %v", len(page), err)
	}
	if page, err := s.Stored(ctx, "no such source", 0, 6); err != nil || len(page) != 0 {
		t.Errorf("an unknown source: %d records, %v", len(page), err)
	}
}
