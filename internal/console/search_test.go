package console

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

func TestAFoundLineIsShownWithWhatMatters(t *testing.T) {
	s := start(t)
	listed := konnectLine(nil)
	s.send("Konnect", "Konnect", strings.Join([]string{
		listed,
		konnectLine(func(e *audit.Event) { e.Action, e.Granted = "delete", false }),
		konnectLine(func(e *audit.Event) {
			e.Kind, e.AuthType, e.Outcome = audit.Authentication, audit.AuthPAT, audit.OutcomeTokenExpired
		}),
		konnectLine(func(e *audit.Event) {
			e.Kind, e.Method, e.Request, e.Status = audit.Access, "POST", "/v2/control-planes", 201
		}),
	}, "\n"))
	b := s.signedIn()
	page := b.search("_source=Konnect", "-24h").Body.String()
	holds(t, page,
		"4 records", "Authz.control-planes", "list, granted", "delete, denied", "sign in, token expired", "POST /v2/control-planes, 201",
		"Ann", "127.0.0.6", `<span class="badge plain">unsigned</span>`, "The line bears no signature", listed[:20], ">_source=Konnect</textarea>",
		`<option value="-24h" selected>`, "All of this trace", `name="add" value="action=delete"`, `name="exclude" value="action!=delete"`,
		"from the source <b>Konnect</b> of the collector <b>Konnect</b>",
	)
	if strings.Contains(b.search("action=delete", "-15m").Body.String(), "list, granted") {
		t.Error("the query changes nothing")
	}
}

func TestAQueryErrorIsShownAtItsPlace(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	for query, want := range map[string]string{
		`action="open`:                  `<pre aria-hidden="true">action=<mark>&#34;open</mark></pre>`,
		"a=b\n| where count(x) = | foo": `<pre aria-hidden="true">`,
		"a=b |":                         `a=b |<mark> </mark>`,
		"a=b\n| nonsense of":            `Line 2, column 3`,
	} {
		w := b.search(query, "-24h")
		if w.Code != http.StatusOK {
			t.Errorf("%q: %d", query, w.Code)
		}
		holds(t, w.Body.String(), want, `id="query-error" class="fault" role="alert"`, `aria-invalid="true" aria-describedby="query-error"`)
	}
}

func TestAnErrorBesideTheQuerySaysWhatToTry(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.get("/?query=*&from=yesterday").Body.String(), `role="alert"`, "From &#34;yesterday&#34; is not a time", "-15m or -7d")
}

func TestAnEmptyResultSaysWhatToDoNext(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	holds(t, b.search("", "").Body.String(), "Nothing was received", "curl", `<a href="/?from=0">all time</a>`)
	holds(t, b.search("action=nothing", "-7d").Body.String(), "Nothing found", `<option value="-7d" selected>`, `<a href="/?from=-7d">everything in this time</a>`)
	holds(t, b.search("action=nothing | count by x", "-7d").Body.String(), "No rows")
}

var older = regexp.MustCompile(`href="([^"]+)" rel="next"`)

func TestOlderPagesShowEachLineOnceWhateverTheirTimes(t *testing.T) {
	s := start(t)
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	var lines []string
	const many = 3*pageRows + 7
	for i := range many {
		// Most have one time, so that pages begin and end within it.
		lines = append(lines, konnectLine(func(e *audit.Event) {
			e.Time, e.TraceID = at, uint64(1000+i)
			if i%10 == 0 {
				e.Time = at.Add(-time.Duration(i) * time.Second)
			}
		}))
	}
	s.send("Konnect", "Konnect", strings.Join(lines, "\n"))
	b := s.signedIn()
	seen := map[string]int{}
	trace := regexp.MustCompile(`value="trace_id=(\d+)"`)
	for page, pages := "/", 0; page != ""; pages++ {
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
		body := b.get(page).Body.String()
		for _, found := range trace.FindAllStringSubmatch(body, -1) {
			seen[found[1]]++
		}
		next := older.FindStringSubmatch(body)
		page = ""
		if next != nil {
			page = strings.ReplaceAll(next[1], "&amp;", "&")
			if !strings.Contains(page, "before=") {
				t.Errorf("the address %s does not hold the page", page)
			}
		}
	}
	if len(seen) != many {
		t.Errorf("%d of %d lines were shown", len(seen), many)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("trace %s was shown %d times", id, times)
		}
	}
}

func TestAnAnswerThatDoesNotFitIsCutAndSaysSo(t *testing.T) {
	s := start(t)
	var lines strings.Builder
	compressed := gzip.NewWriter(&lines)
	for i := range 9 {
		fmt.Fprintf(compressed, "huge %d %s\n", i, strings.Repeat("x", 1<<20-100))
	}
	compressed.Close()
	s.send("huge", "huge", lines.String(), "Content-Encoding", "gzip")
	b := s.signedIn()
	body := b.search("huge", "-24h").Body.String()
	if len(body) > 2*maxAnswer || strings.Count(body, "huge ") < 4 || older.FindString(body) == "" {
		t.Errorf("a page of %d bytes does not lead to what it leaves out", len(body))
	}
	holds(t, b.search("huge | sort by x", "-24h").Body.String(), "larger than the page can hold")
}

func TestAClickOnAValueChangesTheQuery(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	for _, c := range []struct{ query, add, exclude, want string }{
		{"", "action=delete", "", "action=delete"},
		{"*", "action=delete", "", "action=delete"},
		{"a=b", "", "action!=delete", "a=b action!=delete"},
		{"a=b action=delete", "action=delete", "", "a=b action=delete"},
		{"a=b OR c=d", "e=f", "", "(a=b OR c=d) e=f"},
		{"a=b | count by x", `c="d e"`, "", `a=b c="d e" | count by x`},
		{`a=b | parse "x*" as y`, `| where y = "1"`, "", `a=b | parse "x*" as y | where y = "1"`},
		{"a=(", "c=d", "", "a=("},
		{"a=b", "c=(", "", "a=b"},
	} {
		w := b.get("/?" + url.Values{"query": {c.query}, "from": {"-7d"}, "add": {c.add}, "exclude": {c.exclude}}.Encode())
		want := "/?" + url.Values{"query": {c.want}, "from": {"-7d"}}.Encode()
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%q with %q%q: %d to %s, want %s", c.query, c.add, c.exclude, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestEveryValueCanBeAddedAndFindsItsRecord(t *testing.T) {
	s := start(t)
	odd := []string{`two words`, `quo"te`, `back\slash`, `star*`, `pipe|`, `(paren)`, `a=b`, `and`, `ünïcode`, `-`, `<b>`}
	var lines []string
	for i, value := range odd {
		lines = append(lines, konnectLine(func(e *audit.Event) { e.UserAgent, e.TraceID = value, uint64(i+1) }))
	}
	s.send("Konnect", "Konnect", strings.Join(lines, "\n"))
	b := s.signedIn()
	for i, value := range odd {
		for query, made := range map[string]bool{"*": false, `* | user_agent as agent`: true} {
			name := map[bool]string{false: "user_agent", true: "agent"}[made]
			add, exclude := terms(name, value, made)
			with := b.search(refined(query, add), "-24h").Body.String()
			without := b.search(refined(query, exclude), "-24h").Body.String()
			mine := fmt.Sprintf(`value="trace_id=%d"`, i+1)
			if strings.Count(with, "data-row") != 1 || !strings.Contains(with, mine) {
				t.Errorf("%q: %q finds %d records", value, add, strings.Count(with, "data-row"))
			}
			if strings.Count(without, "data-row") != len(odd)-1 || strings.Contains(without, mine) {
				t.Errorf("%q: %q finds %d records", value, exclude, strings.Count(without, "data-row"))
			}
		}
	}
}

func TestExactTimesAreReadOnTheReadersClock(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	w := b.get("/?from=custom&query=x&since=2026-03-01T10:00&until=2026-03-01T12:00:30&timeZone=Europe/Berlin")
	want := "/?" + url.Values{"query": {"x"}, "from": {"2026-03-01T10:00"}, "to": {"2026-03-01T12:00:30"}, "timeZone": {"Europe/Berlin"}}.Encode()
	if w.Header().Get("Location") != want {
		t.Errorf("%s, want %s", w.Header().Get("Location"), want)
	}
	page := b.get(want).Body.String()
	holds(t, page, `value="2026-03-01T10:00:00" data-since`, `value="2026-03-01T12:00:30" data-until`)
	// A time that a click or a drag gave is shown on the same clock.
	holds(t, b.get("/?from=2026-03-01T09:00:00.000Z&timeZone=Europe/Berlin").Body.String(), `value="2026-03-01T10:00:00" data-since`)
}

func TestTheHistogramCountsAndItsBarsNarrowTheTime(t *testing.T) {
	s := start(t)
	now := time.Now().UTC()
	var lines []string
	for i, ago := range []time.Duration{time.Minute, time.Minute, 3 * time.Hour, 23 * time.Hour} {
		lines = append(lines, konnectLine(func(e *audit.Event) { e.Time, e.TraceID = now.Add(-ago), uint64(i+1) }))
	}
	s.send("Konnect", "Konnect", strings.Join(lines, "\n"))
	b := s.signedIn()
	for _, query := range []string{"_source=Konnect", "_source=Konnect | count by action", "_source=Konnect | sort by trace_id"} {
		page := b.search(query, "-24h").Body.String()
		bars := regexp.MustCompile(`<a href="([^"]+)" aria-label="[^"]+UTC: (\d+) records?">`).FindAllStringSubmatch(page, -1)
		total := 0
		for _, bar := range bars {
			var count int
			fmt.Sscan(bar[2], &count)
			total += count
			narrowed := b.get(strings.ReplaceAll(bar[1], "&amp;", "&")).Body.String()
			if query == "_source=Konnect" && strings.Count(narrowed, "data-row") != count {
				t.Errorf("a bar of %d leads to %d records", count, strings.Count(narrowed, "data-row"))
			}
		}
		if total != 4 || len(bars) < 3 {
			t.Errorf("%s: %d records in %d bars", query, total, len(bars))
		}
	}
	holds(t, b.search("*", "0").Body.String(), "data-histogram", "4 records")
	if strings.Contains(b.search("nothing", "-24h").Body.String(), "data-histogram") {
		t.Error("a histogram of nothing")
	}
}

func TestATableIsShownSortedAndDrawn(t *testing.T) {
	s := start(t)
	var lines []string
	for i, action := range []string{"list", "list", "list", "delete", "create", "create"} {
		lines = append(lines, konnectLine(func(e *audit.Event) { e.Action, e.TraceID = action, uint64(i+1) }))
	}
	s.send("Konnect", "Konnect", strings.Join(lines, "\n"))
	b := s.signedIn()
	table := func(address string) []string {
		var cells []string
		for _, cell := range regexp.MustCompile(`<td[^>]*>([^<]*)</td>`).FindAllStringSubmatch(b.get(address).Body.String(), -1) {
			cells = append(cells, cell[1])
		}
		return cells
	}
	address := "/?query=" + url.QueryEscape("* | count by action")
	for sort, want := range map[string]string{
		"": "create 2 delete 1 list 3", "_count": "delete 1 create 2 list 3", "-_count": "list 3 create 2 delete 1", "-action": "list 3 delete 1 create 2",
		"nothing": "create 2 delete 1 list 3",
	} {
		if got := strings.Join(table(address+"&sort="+sort), " "); got != want {
			t.Errorf("sorted by %q: %s, want %s", sort, got, want)
		}
	}
	page := b.get(address).Body.String()
	holds(t, page, "3 rows", `class="bars"`, `width="100" height="10"`, `aria-sort="none"`, `<a href="/?from=-24h&amp;query=action%3Dlist">list</a>`)
	holds(t, b.get(address+"&sort=-_count").Body.String(), `aria-sort="descending"`)
	if strings.Contains(b.get(address+"&view=table").Body.String(), `class="bars"`) {
		t.Error("the chart cannot be left out")
	}
	sliced := b.get("/?query=" + url.QueryEscape("* | timeslice 1s | count by _timeslice, action")).Body.String()
	holds(t, sliced, "<time datetime=")
}

func TestALineIsDrawnOverTime(t *testing.T) {
	s := start(t)
	now := time.Now().UTC()
	var lines []string
	for i, ago := range []time.Duration{time.Hour, 2 * time.Hour, 2 * time.Hour, 3 * time.Hour} {
		lines = append(lines, konnectLine(func(e *audit.Event) {
			e.Time, e.TraceID, e.Action = now.Add(-ago), uint64(i+1), []string{"list", "edit"}[i%2]
		}))
	}
	s.send("Konnect", "Konnect", strings.Join(lines, "\n"))
	page := s.signedIn().search("* | timeslice 1h | count by _timeslice, action", "-24h").Body.String()
	if strings.Count(page, "<polyline") != 2 {
		t.Errorf("no two lines: %s", page)
	}
	holds(t, page, "</svg>list</li>", "</svg>edit</li>", `role="img"`)
}

func TestAResultIsExportedAsAFile(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", konnectLine(nil))
	b := s.signedIn()
	w := b.get("/export?query=action%3Dlist&format=csv")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") ||
		!regexp.MustCompile(`^attachment; filename="trailhook-\d{8}-\d{6}\.csv"$`).MatchString(w.Header().Get("Content-Disposition")) ||
		strings.Count(w.Body.String(), "\n") != 2 {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = b.get("/export?query=(&format=ndjson")
	if w.Code != http.StatusBadRequest || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	holds(t, w.Body.String(), "Something in this is not right", "1:2:")
}

func TestScriptsFetchThePartsThatAreNotThereYet(t *testing.T) {
	s := start(t)
	s.send("Konnect", "Konnect", konnectLine(nil))
	b := s.signedIn()
	for path, want := range map[string]string{"/search/results?query=action%3Dlist": "data-row", "/search/histogram?query=action%3Dlist": "data-histogram"} {
		w := b.get(path, "Sec-Fetch-Mode", "cors")
		if w.Code != 200 || strings.Contains(w.Body.String(), "<html") {
			t.Errorf("%s: %d", path, w.Code)
		}
		holds(t, w.Body.String(), want)
	}
	var words []struct{ Name, Kind string }
	if err := json.Unmarshal(b.get("/search/words").Body.Bytes(), &words); err != nil || len(words) < 50 {
		t.Errorf("%d words, %v", len(words), err)
	}
}

func TestARefusedTailSaysWhyInAnEvent(t *testing.T) {
	s := start(t)
	b := s.signedIn()
	w := b.get("/tail/events?query="+url.QueryEscape("* | count"), "Sec-Fetch-Mode", "cors")
	if w.Header().Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(w.Body.String(), "event: refused\ndata: {") ||
		!strings.Contains(w.Body.String(), `"again":false`) {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	holds(t, b.get("/tail?query=a%3Db").Body.String(), `data-tail="/tail/events?query=a%3Db"`, ">a=b</textarea>", "<noscript>")
}
