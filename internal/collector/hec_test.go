package collector

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

// hec posts to Splunk's event collector with the source's code as the token.
func (y *system) hec(path, body string, header ...string) (status int, answer string) {
	header = append([]string{"Authorization", "Splunk " + y.source.Code}, header...)
	w := y.do(http.MethodPost, "/services/collector"+path, []byte(body), header...)
	return w.Code, w.Body.String()
}

const hecTaken = `{"text":"Success","code":0}`

func TestSplunkEventsAreTakenHoweverTheyStandBesideEachOther(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"one", `{"event":"a1"}`, []string{`{"event":"a1"}`}},
		{"one after the other", `{"event":"b1"}{"event":"b2"}`, []string{`{"event":"b1"}`, `{"event":"b2"}`}},
		{"on lines", "{\"event\":\"c1\"}\r\n{\"event\":\"c2\"}\n\n", []string{`{"event":"c1"}`, `{"event":"c2"}`}},
		{"in an array", `[ {"event":"d1"}, {"event":"d2"} ]`, []string{`{"event":"d1"}`, `{"event":"d2"}`}},
		{"with spaces that stay", `{ "event" : "e1" }`, []string{`{ "event" : "e1" }`}},
		{"over several lines", "{\n  \"event\": {\n    \"f\": \"1\\n2\"\n  }\n}\n", []string{`{"event":{"f":"1\n2"}}`}},
		{"with braces and quotes in strings", `{"event":"}{\"\\"}{"event":"g2"}`, []string{`{"event":"}{\"\\"}`, `{"event":"g2"}`}},
	} {
		for _, path := range []string{"", "/event", "/event/1.0"} {
			if status, answer := y.hec(path, test.body); status != 200 || answer != hecTaken {
				t.Errorf("%s to %s: %d %s", test.name, path, status, answer)
			}
		}
		got := raws(y.find(t, ""))
		for _, line := range test.want {
			if got[line] != 1 { // what comes twice is stored once
				t.Errorf("%s: %s was found %d times", test.name, line, got[line])
			}
		}
	}
}

func TestABodyForSplunkMayBeCompressed(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	if status, answer := y.hec("/event", string(encode(t, "gzip", []byte(`{"event":"zipped"}`))), "Content-Encoding", "gzip"); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if got := y.find(t, "zipped"); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
}

func TestAnAnswerIsTheOneThatSplunkGives(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	code := y.source.Code
	for _, test := range []struct {
		name, path, authorization, body string
		status                          int
		answer                          string
	}{
		{"no token", "/event", "", `{"event":1}`, 401, `{"text":"Token is required","code":2}`},
		{"a token in the query", "/event?token=" + code, "", `{"event":1}`, 400, `{"text":"Query string authorization is not enabled","code":16}`},
		{"a token without a scheme", "/event", code, `{"event":1}`, 401, `{"text":"Invalid authorization","code":3}`},
		{"a scheme without a token", "/event", "Splunk ", `{"event":1}`, 401, `{"text":"Invalid authorization","code":3}`},
		{"a scheme that nobody knows", "/event", "Digest " + code, `{"event":1}`, 401, `{"text":"Invalid authorization","code":3}`},
		{"a wrong token", "/event", "Splunk " + newCode(y.source.ID), `{"event":1}`, 403, `{"text":"Invalid token","code":4}`},
		{"the scheme in other letters", "/event", "sPLUNK " + code, `{"event":1}`, 200, hecTaken},
		{"the scheme of others", "/event", "Bearer " + code, `{"event":1}`, 200, hecTaken},
		{"a user and the token", "/event", basic("x", code), `{"event":1}`, 200, hecTaken},
		{"a user and a wrong token", "/event", basic("x", code[1:]), `{"event":1}`, 403, `{"text":"Invalid token","code":4}`},
		{"nothing", "/event", "Splunk " + code, "", 400, `{"text":"No data","code":5}`},
		{"white space", "/event", "Splunk " + code, " \n", 400, `{"text":"No data","code":5}`},
		{"no raw data", "/raw", "Splunk " + code, "\n\n", 400, `{"text":"No data","code":5}`},
		{"text for events", "/event", "Splunk " + code, "hello", 400, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`},
		{"half an event", "/event", "Splunk " + code, `{"event":1}{"event":`, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`},
		{"an array without an end", "/event", "Splunk " + code, `[{"event":1}`, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`},
		{"what is not JSON", "/event", "Splunk " + code, `{"event":1}{"event":1,}`, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`},
		{"an event given twice", "/event", "Splunk " + code, `{"event":1,"event":2}`, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`},
		{"no event", "/event", "Splunk " + code, `{"host":"h"}`, 400, `{"text":"Event field is required","code":12,"invalid-event-number":0}`},
		{"a blank event", "/event", "Splunk " + code, `{"event":1}{"event":1}{"event":" "}`, 400, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":2}`},
		{"a null event", "/event", "Splunk " + code, `{"event":null}`, 400, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`},
		{"fields within fields", "/event", "Splunk " + code, `{"event":1,"fields":{"a":{"b":1}}}`, 400, `{"text":"Error in handling indexed fields","code":15,"invalid-event-number":0}`},
		{"an event too long", "/event", "Splunk " + code, `{"event":"` + strings.Repeat("x", maxLine) + `"}`, 413, `{"text":"Invalid data format","code":6}`},
		{"acknowledgements", "/ack?channel=x", "Splunk " + code, `{"acks":[0]}`, 400, `{"text":"ACK is disabled","code":14}`},
		{"raw lines", "/raw", "Splunk " + code, "a\nb", 200, hecTaken},
	} {
		w := y.do(http.MethodPost, "/services/collector"+test.path, []byte(test.body), "Authorization", test.authorization)
		if w.Code != test.status || w.Body.String() != test.answer || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	if w := y.do(http.MethodGet, "/services/collector/event", nil); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestEventsBeforeABadOneAreTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.hec("/event", `{"event":"first"}{"event":"second"}{"event":"third",}{"event":"fourth"}`)
	if diff := cmp.Diff(map[string]int{`{"event":"first"}`: 1, `{"event":"second"}`: 1}, raws(y.find(t, ""))); diff != "" {
		t.Error(diff)
	}
}

func TestASplunkTokenIsNotEnoughWhereTheSourceDemandsAnAccessKey(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	_, secret, err := y.catalog.CreateAccessKey(t.Context(), "shipper", Sender)
	if err != nil {
		t.Fatal(err)
	}
	y.source.RequireAccessKey = true
	if y.source, err = y.catalog.UpdateSource(t.Context(), y.source); err != nil {
		t.Fatal(err)
	}
	code := y.source.Code
	for authorization, want := range map[string]int{
		"Splunk " + code: 403, "Splunk " + code + ":x": 403, "Splunk " + code + ":" + secret: 200, "Splunk " + secret: 403,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+code)):        403,
		"Basic " + base64.StdEncoding.EncodeToString([]byte(secret+":"+code)):  200,
		"Basic " + base64.StdEncoding.EncodeToString([]byte(secret+":x"+code)): 403,
	} {
		if status, answer := y.hec("/event", `{"event":1}`, "Authorization", authorization); status != want {
			t.Errorf("%s: %d %s", authorization, status, answer)
		}
	}
}

func TestAnEnvelopeSaysWhereItsEventIsFrom(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	for _, test := range []struct {
		name, body, query, search string
		time                      time.Time
		host, source, category    string
		fields                    map[string]string
	}{
		{"nothing", `{"event":{"m":"e1"}}`, "", "e1", time.Time{}, "", "", "audit", map[string]string{"m": "e1"}},
		{"everything", `{"time":1770091506.789,"host":"h","source":"s","sourcetype":"t","index":"i","fields":{"f":"1","l":["a","b"],"_signature":"valid"},"event":{"m":"e2"}}`,
			"", "e2", at, "h", "s", "t", map[string]string{"m": "e2", "index": "i", "f": "1", "l": `["a","b"]`, "line_signature": "valid"}},
		{"a time that is text", `{"time":"1770091506.789","event":"e3 text"}`, "", "e3", at, "", "", "audit", map[string]string{}},
		{"a time in milliseconds", `{"time":1770091506789,"event":"e4 text"}`, "", "e4", at, "", "", "audit", map[string]string{}},
		{"the query", `{"event":{"m":"e5"}}`, "?host=h&source=s&sourcetype=t&index=i", "e5", time.Time{}, "h", "s", "t", map[string]string{"m": "e5", "index": "i"}},
		{"the envelope before the query", `{"host":"h2","event":{"m":"e6"}}`, "?host=h&source=s", "e6", time.Time{}, "h2", "s", "audit", map[string]string{"m": "e6"}},
		{"CEF as text", `{"event":"CEF:0|Acme|Wall|2|7|e7|5|src=1"}`, "", "e7", time.Time{}, "", "", "audit",
			map[string]string{"vendor": "Acme", "product": "Wall", "class": "7", "name": "e7", "severity": "5", "src": "1"}},
	} {
		if status, answer := y.hec("/event"+test.query, test.body); status != 200 {
			t.Fatalf("%s: %d %s", test.name, status, answer)
		}
		found := y.find(t, test.search)
		if len(found) != 1 {
			t.Fatalf("%s: %d records", test.name, len(found))
		}
		r := found[0]
		if test.time.IsZero() {
			test.time = r.Receipt
		}
		if !r.Time.Equal(test.time) || r.Host != test.host || r.Name != test.source || r.Category != test.category || r.Raw != test.body || r.ParseError != "" {
			t.Errorf("%s: %+v", test.name, r)
		}
		if diff := cmp.Diff(test.fields, fieldMap(r)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestRawLinesForSplunkGetTheMetadataOfTheQuery(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.hec("/raw?host=h&source=s&sourcetype=t&channel=x", "one line\r\n{\"event\":\"no envelope\"}\n")
	for _, r := range y.find(t, "") {
		if r.Host != "h" || r.Name != "s" || r.Category != "t" {
			t.Errorf("%+v", r)
		}
	}
	if got := y.find(t, `event="no envelope"`); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
}

func TestASignatureVerifiesThroughSplunksCollector(t *testing.T) {
	signer := newSigner(1)
	y := start(t, t.TempDir(), setup{jwks: newKeyServer(t, signer).URL})
	cps, inner := signed(signer, audit.CPS, nil), signed(signer, audit.JSON, nil)
	text, err := json.Marshal(signed(signer, audit.CEF, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{cps, `{"time":1770091506,"host":"h","event":` + inner + `}`, `{"event":` + string(text) + `,"host":"h"}`} {
		if status, answer := y.hec("", body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		found := y.find(t, "_signature=valid granted=true")
		if raws(found)[body] != 1 {
			t.Errorf("%s is not found as valid", body)
		}
	}
	forged := strings.Replace(cps, `"action":"list"`, `"action":"edit"`, 1)
	y.hec("", forged)
	if got := y.find(t, "_signature=invalid"); len(got) != 1 || got[0].Raw != forged {
		t.Errorf("found %+v", got)
	}
}

func TestSplunksHealthCheckTellsWhetherLinesAreTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	for _, method := range []string{"GET", "POST"} {
		if w := y.do(method, "/services/collector/health", nil); w.Code != 200 || w.Body.String() != `{"text":"HEC is healthy","code":17}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	y.broker.Close()
	if status, answer := y.hec("/event", `{"event":1}`); status != 503 || answer != `{"text":"Server is busy","code":9}` {
		t.Errorf("%d %s", status, answer)
	}
	if w := y.do("GET", "/services/collector/health/1.0", nil); w.Code != 503 || w.Body.String() != `{"text":"HEC is unhealthy, queues are full","code":18}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzSplitEvents(f *testing.F) {
	for _, body := range []string{
		`{"event":1}{"event":{"a":["}"]}}`, "[{\"event\":\"\\\"\"},\n{\"event\":2}]", `{"event":`, `{"event":1,"fields":{"a":{}}}`, "{\n\"event\":1}", "]",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		lines, err := splitEvents(bytes.NewReader(body))
		if lines == nil {
			t.Fatal(err) // only a body that cannot be read, or is too long, gives none
		}
		n := 0
		for _, line := range ungroup(lines.groups()) {
			n++
			if !json.Valid([]byte(line)) || !strings.HasPrefix(line, "{") {
				t.Fatalf("%q is taken for an event", line)
			}
			if strings.IndexByte(string(body), '\n') < 0 && !bytes.Contains(body, []byte(line)) {
				t.Fatalf("%q is not how it came", line)
			}
			r := newRecord(Origin{HEC: true, ReceivedAt: receipt()}, []byte(line))
			if r.Raw != line {
				t.Fatalf("%q became %q", line, r.Raw)
			}
		}
		if n != lines.lines {
			t.Fatalf("%d lines, said to be %d", n, lines.lines)
		}
	})
}
