package search

import (
	"flag"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the language's reference anew")

const referenceFile = "../../docs/search-language.md"

func TestTheReferenceIsUpToDate(t *testing.T) {
	if *update {
		if err := os.WriteFile(referenceFile, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), Reference()); diff != "" {
		t.Errorf("make it anew with go test ./internal/search -update (-written +made):\n%s", diff)
	}
}

func TestEveryExampleOfTheReferenceHolds(t *testing.T) {
	for name, all := range examples() {
		for _, e := range all {
			q, err := ParseQuery(e.query)
			if err != nil {
				t.Errorf("%s: %s: %v", name, e.query, err)
				continue
			}
			answer, err := Evaluate(q, sequence(exampleRecords()), Setting{Now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Errorf("%s: %s: %v", name, e.query, err)
				continue
			}
			if diff := cmp.Diff(e.answer, lines(answer, e.shows)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, e.query, diff)
			}
		}
	}
}

func TestEveryWordOfTheLanguageHasAnExample(t *testing.T) {
	names := []string{"as", "aggregate"}
	for _, w := range stageWords() {
		names = append(names, w.name)
	}
	for _, w := range aggregates() {
		names = append(names, w.name)
	}
	for _, w := range functions(time.Time{}) {
		names = append(names, w.name)
	}
	for _, f := range slices.Concat(filterForms(), expressionForms()) {
		names = append(names, f.syntax)
	}
	all := examples()
	for _, n := range names {
		if len(all[n]) == 0 {
			t.Errorf("%s has no example", n)
		}
		delete(all, n)
	}
	for n := range all {
		t.Errorf("there is an example of %s, which the reference does not show", n)
	}
}

func sequence(records []Record) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// lines writes an answer a line a row, as the reference shows it.
func lines(a Answer, shows string) (lines []string) {
	if a.Table != nil {
		var header []string
		for _, c := range a.Table.Columns {
			header = append(header, c.Name)
		}
		lines = append(lines, strings.Join(header, " | "))
		for _, values := range a.Table.Rows {
			lines = append(lines, joined(values))
		}
		return lines
	}
	if shows == "" {
		shows = "id"
	}
	for _, m := range a.Messages {
		var values []Value
		for name := range strings.SplitSeq(shows, ", ") {
			values = append(values, (&row{record: &m}).value(name))
		}
		lines = append(lines, joined(values))
	}
	return lines
}

func joined(values []Value) string {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = v.String()
	}
	return strings.Join(cells, " | ")
}
