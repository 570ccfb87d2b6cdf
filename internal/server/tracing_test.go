package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/tracing/tracingtest"
)

// The whole way of an event, traced: the call that records it, its delivery to this
// server's own SIEM, its storing, and the search that finds it.
func TestTheWayOfAnEventIsTraced(t *testing.T) {
	receiver := tracingtest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	dir := t.TempDir()
	s, err := Start(t.Context(), Config{
		DataDir: dir, APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		Logger: slog.New(slog.DiscardHandler), AllowPrivateDestinations: true,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	call := func(method, url, body string, prepare func(*http.Request)) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Traceparent", "00-"+theirs+"-00f067aa0ba902b7-01")
		prepare(request)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		if response.StatusCode > 299 {
			t.Fatalf("%s %s: %s: %s", method, url, response.Status, answer)
		}
		return string(answer)
	}
	siem := func(r *http.Request) { r.SetBasicAuth(s.AccessID, s.AccessKey) }
	api := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+s.Token) }
	between := func(text, before, after string) string {
		t.Helper()
		_, rest, found := strings.Cut(text, before)
		value, _, end := strings.Cut(rest, after)
		if !found || !end {
			t.Fatalf("no %s in %s", before, text)
		}
		return value
	}
	collector := between(call("POST", s.SIEMURL+"/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": "Konnect"}}`, siem), `"id":`, ",")
	endpoint := between(call("POST", s.SIEMURL+"/api/v1/collectors/"+collector+"/sources", `{"source": {"sourceType": "HTTP", "name": "Konnect"}}`, siem), `"url":"`, `"`)
	destination := between(call("POST", s.APIURL+"/v3/audit-log-destinations",
		fmt.Sprintf(`{"name": "SIEM", "endpoint": %q, "authorization": "x", "log_format": "cef"}`, endpoint), api), `"id":"`, `"`)
	call("PATCH", s.APIURL+"/v3/audit-log-webhook", fmt.Sprintf(`{"audit_log_destination_id": %q, "enabled": true}`, destination), api)
	call("GET", s.APIURL+"/v2/control-planes", "", api)
	call("GET", s.SIEMURL+"/trailhook/v1/search?query=*", "", siem)

	limit, tick := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	wanted := []string{"GET api", "record", "deliver", "POST receive", "keep lines", "index", "GET search", "search"}
	for {
		spans, missing := receiver.Spans(), ""
		for _, name := range wanted {
			if len(spans[name]) == 0 {
				missing = name
			}
		}
		if missing == "" {
			break
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no span %q", missing)
		}
	}
	spans := receiver.Spans()
	get := spans["GET api"][0]
	if tracingtest.Trace(get) != theirs || tracingtest.Attribute(get, "http.response.status_code") != "200" {
		t.Errorf("the call: %v", get)
	}
	// The lower 63 bits of the trace are the trace id of the events.
	if id := tracingtest.Attribute(get, "trailhook.trace_id"); id != fmt.Sprint(uint64(0xa3ce929d0e0e4736&(1<<63-1))) {
		t.Errorf("the events have trace id %s", id)
	}
	if tracingtest.Trace(spans["search"][0]) != theirs {
		t.Errorf("the search is not part of its request")
	}
	code := endpoint[strings.LastIndex(endpoint, "/")+1:]
	for name, all := range spans {
		for _, span := range all {
			if strings.Contains(span.String(), code) {
				t.Errorf("%s tells the source's address: %v", name, span)
			}
		}
	}
}
