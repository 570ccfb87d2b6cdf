package storetest

import (
	"testing"

	"github.com/trailhook/trailhook/internal/search"
)

// orders holds < and > against the meaning of the language: numbers that only look
// like some, numbers beyond what engines count exactly, and what does not fit
// the column that it belongs to.
func orders(t *testing.T, open func(*testing.T) search.Store) {
	texts := []string{
		"", "0", "-0", "00", "0.0", "0.1", "0.10", "-0.1", "-0.5", "0.3", "0.30000000000001", "0.000000000000001", "1", "1.", ".1", "+1", "1e3", "6", "06", "6.5", "6.49",
		"-1", "-1.5", "-1.2", "199.9", "200", "65535", "70000", "99999999999999.9", "123456789012.345", "123456789012.344", "999999999999999", "1000000000000000",
		"-999999999999999", "18446744073709551615", "18446744073709551616", "1773489600000", "a", "A", "Ä", "ä", "zebra", "true", "TRUE", "false", "-", "--1", "1\n", "\n1", "1\x00", "\xff",
	}
	fields := []string{"action", "status", "trace_id", "rt", "granted", "other"}
	s := start(t, open)
	var records []search.Record
	for _, text := range texts {
		for _, name := range fields {
			r := line(name + " " + text)
			r.Fields = []search.Field{{Name: name, Value: text}}
			records = append(records, r)
		}
	}
	insert(t, s, 1, records...)
	for i, bound := range texts {
		for _, field := range fields {
			sign := []search.Sign{"<", "<=", ">", ">="}[i%4]
			wantCounted(t, s, search.Request{Query: search.Order{Field: field, Sign: sign, Value: bound}}, records)
			if i%3 == 0 {
				wantCounted(t, s, search.Request{Query: search.Not{Term: search.Order{Field: field, Sign: ">=", Value: bound}}}, records)
			}
		}
	}
}

// wantCounted wants the engine to count, by itself, what matches of the records.
func wantCounted(t *testing.T, s search.Store, r search.Request, records []search.Record) {
	t.Helper()
	want, got := 0, 0
	for i := range records {
		if r.Matches(&records[i]) {
			want++
		}
	}
	for group, err := range s.Groups(t.Context(), search.Grouping{Request: r}) {
		if err != nil {
			t.Fatalf("%v: %v", r.Query, err)
		}
		got += group.Count
	}
	if got != want {
		t.Errorf("%v: %d match, want %d", r.Query, got, want)
	}
}
