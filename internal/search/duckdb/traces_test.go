package duckdb

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func TestTheFilterForgetsNoTraceAndMistakesFew(t *testing.T) {
	f := newTraces(traceBytes)
	if _, ok := f.part(1); ok {
		t.Error("it knows something before it is filled")
	}
	f.done()
	const n = 3*sectionLines - 1
	for i := range int64(n) {
		f.add(i, uint64(i)*3)
	}
	mistaken := 0
	for i := range int64(n) {
		p, ok := f.part(uint64(i) * 3)
		if !ok || i < p.from || i > p.to {
			t.Fatalf("trace %d is in %v, %t", i, p, ok)
		}
		if p.to-p.from >= sectionLines {
			mistaken++
		}
		if p, _ := f.part(uint64(i)*3 + 1); p.from <= p.to {
			mistaken++
		}
	}
	if mistaken > n/100 {
		t.Errorf("of %d traces it takes %d for others", n, mistaken)
	}
}

func TestBeyondItsBoundTheFilterGivesUpTheOldest(t *testing.T) {
	f := newTraces(2 * 2 * sectionLines)
	f.done()
	for at := range int64(5) {
		f.add(at*sectionLines, uint64(at))
	}
	for trace, want := range map[uint64]part{
		0: {0, 3*sectionLines - 1}, 3: {0, 4*sectionLines - 1}, 4: {0, 5*sectionLines - 1}, 5: {0, 3*sectionLines - 1},
	} {
		if p, ok := f.part(trace); p != want || !ok {
			t.Errorf("trace %d is in %v, want %v", trace, p, want)
		}
	}
	f.add(0, 9) // as when it is filled while lines come in
	if len(f.sections) != 2 {
		t.Errorf("%d sections", len(f.sections))
	}
}

func TestATraceIsFoundWhateverTheFilterKnows(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, folder)
	defer func() { s.Close() }()
	position := uint64(0)
	insert := func(traces ...string) {
		t.Helper()
		position++
		var records []search.Record
		for i, trace := range traces {
			raw := fmt.Sprint(position, i)
			records = append(records, search.Record{
				Time: time.UnixMilli(int64(i)), Receipt: time.UnixMilli(int64(i)), SourceID: "1", Raw: raw, Identity: identityOf(raw),
				Fields: []search.Field{{Name: "trace_id", Value: trace}},
			})
		}
		if _, err := s.Insert(t.Context(), records, position); err != nil {
			t.Fatal(err)
		}
	}
	want := func(trace string, count int) {
		t.Helper()
		r := search.Request{Query: search.And{Terms: []search.Expr{search.All{}, search.Compare{Field: "trace_id", Value: search.Literal(trace)}}}}
		if found := all(t, s, r); len(found) != count {
			t.Errorf("%s: found %d, want %d", trace, len(found), count)
		}
	}
	wantAll := func() {
		t.Helper()
		want("18446744073709551615", 2)
		want("7", 1)
		want("007", 1)
		want("abc", 1)
		want("ABC", 1)
		want("8", 0)
	}
	insert("7", "007", "18446744073709551615", "abc", "")
	insert("1", "2", "18446744073709551615")
	wantAll()
	s.filling.Wait()
	wantAll()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, folder)
	wantAll()
	s.filling.Wait()
	wantAll()
	if p, ok := s.traces.part(8); !ok || p.from <= p.to {
		t.Errorf("the filter takes a trace that is not there to be in %v, %t", p, ok)
	}
}
