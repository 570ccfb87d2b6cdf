package sumo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func (s *siem) search(parameters string) (int, []map[string]string) {
	s.t.Helper()
	w := s.do("GET", "/trailhook/v1/search?"+parameters, "")
	if w.Code == 200 && w.Header().Get("Content-Type") != "application/x-ndjson" {
		s.t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
	}
	return w.Code, records(s.t, w.Body)
}

func TestTheTutorialsQueryFindsTheLine(t *testing.T) {
	s := start(t, nil)
	line := fmt.Sprintf("%s konghq.com CEF:0|KongInc|Konnect|1.0|konnect|Authz.control-planes|1|rt=%d src=127.0.0.6 action=list granted=true "+
		"org_id=o principal_id=p trace_id=3959872677347089807 user_agent=curl", time.Now().UTC().Format(time.RFC3339), time.Now().UnixMilli())
	s.send(s.addSource(), "another line\n"+line)
	status, found := s.search("query=" + url.QueryEscape("_source=Konnect Authz.control-planes"))
	if status != 200 || len(found) != 1 {
		t.Fatalf("%d, %v", status, found)
	}
	for name, want := range map[string]string{
		"_raw": line, "_source": "Konnect", "_collector": "Konnect", "_signature": "unsigned", "_parse_error": "",
		"kind": "authorization", "action": "list", "granted": "true", "trace_id": "3959872677347089807", "src": "127.0.0.6",
	} {
		if found[0][name] != want {
			t.Errorf("%s is %q, want %q", name, found[0][name], want)
		}
	}
	for _, name := range []string{"_time", "_receipttime"} {
		if _, err := time.Parse(time.RFC3339, found[0][name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASearchIsBoundedByTimeAndLimit(t *testing.T) {
	s := start(t, nil)
	now := time.Now().UTC()
	var lines strings.Builder
	for days := range 10 {
		fmt.Fprintf(&lines, `{"rt":%d,"days":"%d"}`+"\n", now.Add(-time.Duration(days)*24*time.Hour-time.Hour).UnixMilli(), days)
	}
	s.send(s.addSource(), lines.String())
	at := func(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }
	for parameters, want := range map[string]string{
		"":                                       "0",
		"from=-24h":                              "0",
		"from=-3d":                               "012",
		"from=-1w&to=-4d":                        "456",
		"from=0":                                 "0123456789",
		"from=0&to=now":                          "0123456789",
		"from=0&limit=3":                         "012",
		"from=0&query=days%3D7":                  "7",
		"from=-90m":                              "0",
		"from=-10s":                              "",
		"from=-10s&byReceiptTime=false":          "",
		"from=-1h&byReceiptTime=true&limit=9999": "10 of them",
		fmt.Sprintf("from=%d", at(2).UnixMilli()):                                                   "01",
		"from=" + url.QueryEscape(at(3).Format(time.RFC3339)) + "&to=" + at(1).Format(time.RFC3339): "12",
	} {
		status, found := s.search(parameters)
		got := ""
		for _, record := range found {
			got += record["days"]
		}
		if want == "10 of them" && len(found) == 10 {
			got = want
		}
		if status != 200 || got != want {
			t.Errorf("%q: %d, found %q, want %q", parameters, status, got, want)
		}
	}
}

func TestAMalformedSearchIsRefusedWithThePlace(t *testing.T) {
	s := start(t, nil)
	for parameters, message := range map[string]string{
		"query=" + url.QueryEscape("a\n AND ("): "2:",
		"query=" + url.QueryEscape(`"open`):     "1:",
		"limit=0":                               "limit",
		"limit=10001":                           "limit",
		"limit=x":                               "limit",
		"from=yesterday":                        "RFC 3339",
		"to=-5":                                 "RFC 3339",
		"to=-":                                  "RFC 3339",
		"from=-d":                               "RFC 3339",
		"from=--5d":                             "RFC 3339",
		"from=-99999999w":                       "RFC 3339",
		"from=99999999999999999999":             "RFC 3339",
		"byReceiptTime=perhaps":                 "byReceiptTime",
	} {
		w := s.do("GET", "/trailhook/v1/search?"+parameters, "")
		var answer struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 400 || !strings.Contains(answer.Message, message) {
			t.Errorf("%s: %d %s", parameters, w.Code, w.Body)
		}
	}
}

// breakingStore breaks a search off after some records.
type breakingStore struct {
	search.Store
	after int
}

func (b *breakingStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return search.GroupRecords(g, b.Search(ctx, g.Request))
}

func (b *breakingStore) Search(ctx context.Context, r search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		n := 0
		for record, err := range b.Store.Search(ctx, r) {
			if n == b.after {
				yield(search.Record{}, errors.New("the disk is on fire"))
				return
			}
			n++
			if !yield(record, err) {
				return
			}
		}
	}
}

func TestAResultThatIsCutSaysSo(t *testing.T) {
	breaking := &breakingStore{after: 1}
	s := start(t, func(store search.Store) search.Store { breaking.Store = store; return breaking })
	s.send(s.addSource(), "one\ntwo\nthree")
	status, found := s.search("")
	if status != 200 || len(found) != 2 || found[1]["error"] == "" || strings.Contains(found[1]["error"], "fire") {
		t.Errorf("%d, %v", status, found)
	}
	breaking.after = 0
	if w := s.do("GET", "/trailhook/v1/search", ""); w.Code != 500 || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("before the first record: %d %s", w.Code, w.Body)
	}
}

func TestEveryObjectOfAResultHasEachNameOnce(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), "{\"_raw\":\"x\",\"_signature\":\"valid\",\"a\":1,\"a\":2,\"\\u2028\":\"</script>\"}\n\xff\xfe")
	w := s.do("GET", "/trailhook/v1/search", "")
	for line := range strings.Lines(w.Body.String()) {
		names := map[string]bool{}
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.Token()
		for decoder.More() {
			token, err := decoder.Token()
			if err != nil || names[token.(string)] {
				t.Fatalf("%v, %v: %s", token, err, line)
			}
			names[token.(string)] = true
			decoder.Token()
		}
	}
	if _, found := s.search("query=_signature%3Dvalid"); len(found) != 0 {
		t.Errorf("a line verified itself: %v", found)
	}
}
