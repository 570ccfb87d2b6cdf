package collector

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/trailhook/trailhook/internal/search"
)

// encode compresses data.
func encode(tb testing.TB, encoding string, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "deflate":
		w, err = flate.NewWriter(&out, flate.BestSpeed)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	default:
		return data
	}
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestABodyIsTakenInEveryEncodingThatSendersUse(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	for _, test := range []struct{ header, encoding string }{
		{"", ""}, {"identity", ""}, {"Identity", ""},
		{"gzip", "gzip"}, {"GZIP", "gzip"}, {"x-gzip", "gzip"}, {"application/gzip", "gzip"}, {"Application/X-GZIP", "gzip"},
		{"", "gzip"}, {"identity", "gzip"}, {"something odd", "gzip"},
		{"deflate", "zlib"}, {"deflate", "deflate"}, {"zstd", "zstd"}, {"ZSTD", "zstd"},
	} {
		line := "sent as " + test.encoding + " said to be " + test.header
		w := y.post(encode(t, test.encoding, []byte(line+"\n")), "Content-Encoding", test.header)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", line, w.Code, w.Body)
		}
		if got := raws(y.find(t, "")); got[line] != 1 {
			t.Errorf("%s: not found", line)
		}
	}
}

func TestARefusedBodyLeavesNothingBehind(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	const mebibytes = maxDecompressed>>20 + 1
	mebibyte := []byte(strings.Repeat(strings.Repeat("x", 512<<10-1)+"\n", 2))
	bomb := func(encoding string) []byte { // streams one after the other are one stream
		return bytes.Repeat(encode(t, encoding, mebibyte), mebibytes)
	}
	truncated := encode(t, "gzip", []byte(strings.Repeat("a line\n", 1000)))
	for _, test := range []struct {
		name     string
		encoding string
		body     []byte
		status   int
		reason   string
	}{
		{"not gzip", "gzip", []byte("plain"), http.StatusBadRequest, "undecodable"},
		{"gzip cut short", "gzip", truncated[:len(truncated)-9], http.StatusBadRequest, "undecodable"},
		{"not zstd", "zstd", []byte("plain"), http.StatusBadRequest, "undecodable"},
		{"not deflate", "deflate", []byte("\xff\xff"), http.StatusBadRequest, "undecodable"},
		{"an encoding that nobody knows", "br", []byte("plain"), http.StatusBadRequest, "undecodable"},
		{"more than 10 MiB as sent", "", bytes.Repeat([]byte("a line\n"), maxCompressed/7+1), http.StatusRequestEntityTooLarge, "too_large"},
		{"a gzip bomb", "gzip", bomb("gzip"), http.StatusRequestEntityTooLarge, "too_large"},
		{"a zstd bomb", "zstd", bomb("zstd"), http.StatusRequestEntityTooLarge, "too_large"},
		{"a line of more than 1 MiB", "", append([]byte("a line\n"), make([]byte, maxLine+1)...), http.StatusRequestEntityTooLarge, "too_large"},
	} {
		before := y.counter(t, "trailhook_collector_requests_rejected_total", test.reason)
		w := y.post(test.body, "Content-Encoding", test.encoding)
		if w.Code != test.status {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
		if after := y.counter(t, "trailhook_collector_requests_rejected_total", test.reason); after != before+1 {
			t.Errorf("%s: not counted as %s", test.name, test.reason)
		}
	}
	if found := y.find(t, ""); len(found) != 0 {
		t.Errorf("%d lines were taken", len(found))
	}
}

func TestABodyWithoutLinesIsTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	for _, encoding := range []string{"", "gzip"} {
		if w := y.post(nil, "Content-Encoding", encoding); w.Code != http.StatusOK {
			t.Errorf("%q: %d %s", encoding, w.Code, w.Body)
		}
	}
}

func TestOnlyPostIsTaken(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		w := y.do(method, y.path(), nil)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestASourceTakesAnAccessKeyInAnyFormAndNothingElse(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	ctx := t.Context()
	k, secret, err := y.catalog.CreateAccessKey(ctx, "Konnect", Administrator)
	if err != nil {
		t.Fatal(err)
	}
	disabled, disabledSecret, err := y.catalog.CreateAccessKey(ctx, "old", Administrator)
	if err != nil {
		t.Fatal(err)
	}
	disabled.Disabled = true
	if _, err := y.catalog.UpdateAccessKey(ctx, disabled); err != nil {
		t.Fatal(err)
	}
	y.source.RequireAccessKey = true
	if y.source, err = y.catalog.UpdateSource(ctx, y.source); err != nil {
		t.Fatal(err)
	}
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	for _, test := range []struct {
		header string
		status int
	}{
		{secret, 200}, {"Bearer " + secret, 200}, {"Splunk " + secret, 200}, {"basic " + secret, 200}, {"Bearer  " + secret, 200},
		{basic(k.ID, secret), 200},
		{"", 401}, {"Bearer", 401}, {"Bearer ", 401}, {secret[1:], 401}, {secret + "x", 401}, {k.ID, 401}, {k.Hash, 401}, {"Bearer " + k.Hash, 401},
		{basic("other", secret), 401}, {basic(k.ID, "other"), 401}, {basic(k.ID, k.Hash), 401}, {"Basic ???", 401},
		{disabledSecret, 401}, {basic(disabled.ID, disabledSecret), 401},
	} {
		w := y.post([]byte("a line"), "Authorization", test.header)
		if w.Code != test.status {
			t.Errorf("Authorization %q: %d, want %d", test.header, w.Code, test.status)
		}
	}
	noKey := y.post([]byte("a line"))
	noCode := y.do("POST", "/receiver/v1/http/unknown", []byte("a line"), "Authorization", secret)
	if noKey.Code != noCode.Code || noKey.Body.String() != noCode.Body.String() {
		t.Errorf("a missing key and an unknown code are told apart: %q, %q", noKey.Body, noCode.Body)
	}
}

func TestAnUnknownCodeIsRefused(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	other := newCode(y.source.ID)
	for _, code := range []string{"x", other, y.source.Code + "A", y.source.Code[1:], newCode(0), newCode(-1), strings.Repeat("A", 10_000)} {
		if w := y.do("POST", "/receiver/v1/http/"+code, []byte("a line")); w.Code != http.StatusUnauthorized {
			t.Errorf("code %.50q: %d", code, w.Code)
		}
	}
	if w := y.do("POST", "/receiver/v1/http", []byte("a line")); w.Code != http.StatusUnauthorized {
		t.Errorf("no code: %d", w.Code)
	}
	if w := y.do("POST", "/receiver/v1/http", []byte("a line"), "X-Sumo-Token", y.source.Code); w.Code != http.StatusOK {
		t.Errorf("the code as a token: %d", w.Code)
	}
}

func TestADeletedSourceTakesNothing(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	c := y.catalog.Collectors()[0]
	if err := y.catalog.DeleteCollector(t.Context(), c.ID, c.Revision); err != nil {
		t.Fatal(err)
	}
	if w := y.post([]byte("a line")); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
	if left := y.catalog.Sources(c.ID); len(left) != 0 {
		t.Errorf("its sources stay: %+v", left)
	}
}

func TestHeadersOverrideWhatTheSourceSays(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.source.Category, y.source.Host, y.source.Fields = "", "here", map[string]string{"team": "blue", "env": "test"}
	if _, err := y.catalog.UpdateSource(t.Context(), y.source); err != nil {
		t.Fatal(err)
	}
	y.take(t, "first")
	y.take(t, `{"second": 1, "env": "of the line"}`, "X-Sumo-Name", " n ", "X-Sumo-Host", "there", "X-Sumo-Category", "c/d",
		"X-Sumo-Fields", "team=red, list=a,b ,c , _source=forged,=x")
	want := []search.Record{
		{Collector: "Konnect", Source: "Konnect", Category: "audit", Host: "here"},
		{Collector: "Konnect", Source: "Konnect", Category: "c/d", Host: "there", Name: "n"},
	}
	fields := []map[string]string{
		{"team": "blue", "env": "test"},
		{"team": "red", "env": "of the line", "list": "a,b ,c ", "line_source": "forged,=x", "second": "1"},
	}
	for i, query := range []string{"first", "second"} {
		got := y.find(t, query)
		if len(got) != 1 {
			t.Fatalf("%s: %d records", query, len(got))
		}
		r := got[0]
		shown := search.Record{Collector: r.Collector, Source: r.Source, Category: r.Category, Host: r.Host, Name: r.Name}
		if diff := cmp.Diff(want[i], shown); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		if diff := cmp.Diff(fields[i], fieldMap(r)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	if w := y.post([]byte("a line"), "X-Sumo-Host", strings.Repeat("h", maxOverrides+1)); w.Code != http.StatusBadRequest {
		t.Errorf("too long a header: %d", w.Code)
	}
}

func TestLinesThatCannotBeMadeDurableAreNotAcknowledged(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.broker.Close()
	w := y.post([]byte("a line"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestALargeBodyIsTakenWhole(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	const mebibytes, lines = 18, 18 << 10 // more than one atomic batch
	mebibyte := bytes.Repeat([]byte(strings.Repeat("x", 1023)+"\n"), 1<<10)
	body := bytes.Repeat(encode(t, "gzip", mebibyte), mebibytes)
	if w := y.post(body, "Content-Encoding", "gzip"); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	taken := 0
	for next := uint64(1); ; {
		messages, err := y.intake.read(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			taken += 1 + bytes.Count(m.Data, newline)
			next = m.Sequence + 1
		}
	}
	if taken != lines || y.counter(t, "trailhook_collector_lines_received_total", "") != lines {
		t.Errorf("%d lines are in the intake, want %d", taken, lines)
	}
}

func fieldMap(r search.Record) map[string]string {
	fields := map[string]string{}
	for _, f := range r.Fields {
		fields[f.Name] = f.Value
	}
	return fields
}
