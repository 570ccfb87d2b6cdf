package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestLinesSetAsideAreHandledFromTheCommandLine(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	var encodings atomic.Value
	siem := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines, err := io.ReadAll(r.Body) // not compressed: the server is told so
		if err != nil {
			t.Error(err)
		}
		encodings.Store(r.Header.Get("Content-Encoding"))
		if bytes.Contains(lines, []byte("refuse-me")) && !mended.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer siem.Close()
	p := serve(t, t.TempDir(), "--only", "platform", "--content-encoding", "identity", "--batch-max-events", "50", "--batch-max-wait", "1s")
	resp, body, err := p.api(t.Context(), "POST", "/v3/audit-log-destinations",
		`{"name":"siem","endpoint":"`+siem.URL+`","authorization":"","log_format":"cef"}`)
	id := must(t, 201, resp, body, err)["id"].(string)
	resp, body, err = p.api(t.Context(), "PATCH", "/v3/audit-log-webhook", `{"audit_log_destination_id":"`+id+`","enabled":true}`)
	must(t, 200, resp, body, err)
	resp, body, err = p.api(t.Context(), "PATCH", "/v3/audit-log-webhook", `{"enabled":false}`)
	must(t, 200, resp, body, err)
	// Its access event names the address; the others of the call do not.
	resp, body, err = p.api(t.Context(), "DELETE", "/v2/control-planes/00000000-0000-4000-8000-000000000000?refuse-me", "")
	must(t, 404, resp, body, err)
	resp, body, err = p.api(t.Context(), "PATCH", "/v3/audit-log-webhook", `{"enabled":true}`)
	must(t, 200, resp, body, err)

	var list string
	eventually(t, "a line is set aside", func() bool {
		list = p.mustTrailhook("set-aside", "list")
		return strings.Contains(list, "refuse-me")
	})
	ids := strings.Fields(list)
	if !strings.Contains(list, "400 Bad Request") || !strings.Contains(list, "refuse-me") {
		t.Fatalf("listed: %s", list)
	}
	if out, err := p.trailhook("set-aside", "resend", ids[0]); err == nil || !strings.Contains(out, "refused again 1") {
		t.Errorf("sent again too soon: %v %s", err, out)
	}
	if out, err := p.trailhook("set-aside", "resend"); err == nil || !strings.Contains(out, "--all") {
		t.Errorf("sent again what? %v %s", err, out)
	}
	mended.Store(true)
	if out := p.mustTrailhook("set-aside", "resend", "--all"); !strings.Contains(out, "refused again 0, left 0") {
		t.Errorf("sent again: %s", out)
	}
	if left := p.mustTrailhook("set-aside", "list"); left != "no lines are set aside\n" {
		t.Errorf("still set aside: %s", left)
	}
	if out, err := p.trailhook("set-aside", "delete", ids[0]); err == nil || !strings.Contains(out, "404") {
		t.Errorf("deleted what is gone: %v %s", err, out)
	}
	if got := encodings.Load(); got != "" {
		t.Errorf("Content-Encoding %q", got)
	}
}
