package sumo

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

// rowsOf gives what a query finds in a Parquet file.
func rowsOf(t *testing.T, w *httptest.ResponseRecorder, selected string) (rows []string) {
	t.Helper()
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/vnd.apache.parquet" || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
		t.Fatalf("%d %v %.200s", w.Code, w.Header(), w.Body)
	}
	path := filepath.Join(t.TempDir(), "answer.parquet")
	if err := os.WriteFile(path, w.Body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), `SELECT `+selected+` FROM '`+path+`'`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var row sql.NullString
		if err := found.Scan(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row.String)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// hostileLines are lines that an attacker would send.
const hostileLines = "{\"_raw\":\"x\",\"_signature\":\"valid\",\"a\":1,\"Action\":\"b\",\"\\u0000\":\"\\u0000\",\"status\":\"'; DROP TABLE found --\"}\n" +
	"\xff\xfe\x00 not text\n" +
	"{\"status\":403,\"granted\":\"false\",\"trace_id\":18446744073709551615,\"rt\":\"007\",\"fields\":\"mine\"}\n" +
	"a plain line\n"

func TestAParquetFileHasWhatTheOtherAnswersHave(t *testing.T) {
	s := start(t, nil)
	s.send(s.addSource(), hostileLines)
	_, messages := s.search("from=0&query=" + url.QueryEscape("* | 1 + 1 as two"))
	if len(messages) != 4 {
		t.Fatalf("%d messages", len(messages))
	}
	get := func(query string, header ...string) *httptest.ResponseRecorder {
		return s.do("GET", "/trailhook/v1/search?format=parquet&from=0&query="+url.QueryEscape(query), "", header...)
	}
	w := get("* | 1 + 1 as two")
	if w.Header().Get("Trailhook-Rows") != "4" {
		t.Errorf("%v", w.Header())
	}
	for name, selected := range map[string]string{
		"_raw": "_raw", "_source": "_source", "_signature": "_signature", "_parse_error": "_parse_error", "_keyid": "_keyid",
		"_time": `strftime(_time, '%Y-%m-%dT%H:%M:%S.%gZ')`, "_receipttime": `strftime(_receipttime, '%Y-%m-%dT%H:%M:%S.%gZ')`,
		"status": "coalesce(status::VARCHAR, fields['status'])", "granted": "coalesce(granted::VARCHAR, fields['granted'])",
		"trace_id": "coalesce(trace_id::VARCHAR, fields['trace_id'])", "rt": "coalesce(rt::VARCHAR, fields['rt'])",
		"a": "fields['a']", "Action": "fields['Action']", "\x00": "fields[chr(0)]", "two": "fields['two']", "fields": "fields['fields']",
	} {
		var want []string
		for _, m := range messages {
			want = append(want, m[name])
		}
		if diff := cmp.Diff(want, rowsOf(t, w, selected)); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
	}
	if got := rowsOf(t, w, "hex(_raw_bytes)"); !strings.Contains(strings.Join(got, ","), fmt.Sprintf("%X", "\xff\xfe\x00 not text")) {
		t.Errorf("the bytes of the line that is not text: %q", got)
	}
	if got := rowsOf(t, get("* | count"), "_count"); len(got) != 1 || got[0] != "4" {
		t.Errorf("a table: %q", got)
	}
	accepted := s.do("GET", "/trailhook/v1/search?from=0&limit=2", "", "Accept", "application/vnd.apache.parquet, */*")
	if got := rowsOf(t, accepted, "count(*)"); got[0] != "2" {
		t.Errorf("by Accept, two of them: %q", got)
	}
}

func TestAnExportThatBreaksOffIsNoFile(t *testing.T) {
	breaking := &breakingStore{after: 2}
	s := start(t, func(store search.Store) search.Store { breaking.Store = store; return breaking })
	s.send(s.addSource(), "one\ntwo\nthree")
	for _, query := range []string{"*", "* | count"} {
		w := s.do("GET", "/trailhook/v1/search?format=parquet&query="+url.QueryEscape(query), "")
		if w.Code != 500 || strings.Contains(w.Body.String(), "fire") || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %.200s", query, w.Code, w.Header(), w.Body)
		}
	}
	for parameters, message := range map[string]string{
		"format=parquet&limit=1000001":                       "limit",
		"format=parquet&query=%22":                           "1:",
		"format=xlsx":                                        "neither ndjson nor csv nor parquet",
		"format=parquet&query=" + url.QueryEscape("* | | a"): "1:",
	} {
		if w := s.do("GET", "/trailhook/v1/search?"+parameters, ""); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%s: %d %.200s", parameters, w.Code, w.Body)
		}
	}
}
