package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func formatsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// linesOf gives the lines of the page's blocks of text.
func linesOf(page string) (lines []string) {
	for _, block := range regexp.MustCompile("(?s)```text\n(.*?)\n```").FindAllStringSubmatch(page, -1) {
		lines = append(lines, strings.Split(block[1], "\n")...)
	}
	return lines
}

func TestTheLinesOfThePageAreTheOnesThatTheCodecsWrite(t *testing.T) {
	signer, keys := audit.NewSigner(testKey()), testKeys(t)
	page := formatsPage(t)
	written := map[string]bool{}
	for _, line := range linesOf(page) {
		if verdict, _ := keys.Verify([]byte(line)); verdict != audit.Valid {
			if isPull(line) { // whose signature is a member of another name
				written["pull"] = true
				continue
			}
			t.Errorf("%v: %s", verdict, line)
			continue
		}
		decoded, err := audit.Decode([]byte(line))
		if err != nil {
			t.Error(err)
			continue
		}
		if again := string(signer.AppendLine(nil, decoded.Format, &decoded.Event)); again != line {
			t.Errorf("the page has\n%s\nthe encoder writes\n%s", line, again)
		}
		written[string(decoded.Format)], written[decoded.Event.Kind.String()] = true, true
	}
	for _, want := range []string{"cef", "json", "cps", "pull", "authentication", "authorization", "access"} {
		if !written[want] {
			t.Errorf("the page shows no line of %s", want)
		}
	}
	if !strings.Contains(page, string(keys.JWKS())) {
		t.Errorf("the page lacks the key set of its lines: %s", keys.JWKS())
	}
}

// isPull says whether the line is that of the golden file.
func isPull(line string) bool {
	golden, err := os.ReadFile("testdata/golden/authorization.pull")
	return err == nil && strings.TrimSuffix(string(golden), "\n") == line
}

// tableOf gives the rows of the page's table whose head begins with these cells,
// cell by cell, without back quotes.
func tableOf(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	_, table, found := strings.Cut(page, "\n| "+head)
	if !found {
		t.Fatalf("there is no table %q", head)
	}
	for _, row := range strings.Split(table, "\n")[2:] {
		if !strings.HasPrefix(row, "|") {
			break
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(row, "| "), "`", ""), " | ")
		rows = append(rows, cells)
	}
	return rows
}

// namesOf gives the names in a line, in its order where that is told.
func namesOf(t *testing.T, line []byte, f audit.Format) (names []string) {
	t.Helper()
	if f == audit.CEF {
		parsed, err := audit.ParseCEF(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, extension := range parsed.Extensions {
			names = append(names, extension.Name)
		}
		return names
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatal(err)
	}
	if f == audit.CPS {
		return namesOf(t, object["event"], audit.JSON)
	}
	for name := range object {
		names = append(names, name)
	}
	return names
}

func TestThePageTellsOfEveryFieldThatIsWrittenAndOfNoOther(t *testing.T) {
	kinds := map[string]string{}
	for _, row := range tableOf(t, formatsPage(t), "field | type | of") {
		kinds[row[0]] = row[2]
	}
	signer, seen := audit.NewSigner(testKey()), map[string]bool{}
	for _, s := range samples() {
		for _, f := range formats {
			for _, name := range namesOf(t, signer.AppendLine(nil, f, &s.event), f) {
				if of := kinds[name]; of != "all" && !strings.Contains(of, s.event.Kind.String()) {
					t.Errorf("%s.%s has %s, which the page tells to be of %q", s.name, f, name, of)
				}
				seen[name] = true
			}
		}
	}
	for name := range kinds {
		if !seen[name] {
			t.Errorf("the page tells of %s, which no line has", name)
		}
	}
}

func TestThePageHasTheOrderOfExtensions(t *testing.T) {
	order := map[string][]string{}
	for _, row := range tableOf(t, formatsPage(t), "kind | order") {
		order[row[0]] = strings.Fields(row[1])
	}
	signer, seen := audit.NewSigner(testKey()), map[string]map[string]bool{}
	for _, s := range samples() {
		kind, at := s.event.Kind.String(), -1
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		for _, name := range namesOf(t, signer.AppendLine(nil, audit.CEF, &s.event), audit.CEF) {
			next := slices.Index(order[kind], name)
			if next <= at {
				t.Errorf("%s: %s stands at another place than the page says", s.name, name)
			}
			at, seen[kind][name] = next, true
		}
	}
	for kind, names := range order {
		if len(seen[kind]) != len(names) {
			t.Errorf("%s: the page has %v, lines have %v", kind, names, seen[kind])
		}
	}
}

func TestThePageHasTheSeveritiesOfOutcomes(t *testing.T) {
	rows := tableOf(t, formatsPage(t), "outcome | severity")
	for _, row := range rows {
		event := audit.Event{Kind: audit.Authentication, Outcome: audit.Outcome(row[0])}
		if fmt.Sprint(event.Severity()) != row[1] {
			t.Errorf("%s: the page has %s, the line %d", row[0], row[1], event.Severity())
		}
	}
	if len(rows) != 7 {
		t.Errorf("the page has %d outcomes", len(rows))
	}
}
