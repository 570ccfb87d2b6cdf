package konnect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

// fussy starts a SIEM that refuses what says poison until it is mended.
func (w *world) fussy() (destination string, mended *atomic.Bool) {
	w.tb.Helper()
	mended = &atomic.Bool{}
	siem := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			w.tb.Error(err)
			return
		}
		lines, err := io.ReadAll(body)
		if err != nil {
			w.tb.Error(err)
		}
		if bytes.Contains(lines, []byte("poison")) && !mended.Load() {
			rw.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	w.tb.Cleanup(siem.Close)
	d, err := w.registry.CreateDestination(w.tb.Context(), registry.Destination{
		OrgID: w.ours.id, Name: "fussy", Endpoint: siem.URL, LogFormat: audit.JSON, SkipSSLVerification: true,
	}, "key")
	if err != nil {
		w.tb.Fatal(err)
	}
	return d.ID, mended
}

func TestLinesSetAsideAreListedSentAgainAndDeleted(t *testing.T) {
	w := newWorld(t)
	destination, mended := w.fussy()
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.delivery.Run(running) }()
	defer func() { stop(); <-ended }()
	call := func(want int, method, target, body string) answered {
		t.Helper()
		a := w.call(request{method: method, target: target, token: w.ours.admin(), body: body})
		if a.status != want {
			t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
		}
		return a
	}
	const hook, aside = "/v3/audit-log-webhook", "/trailhook/v1/set-aside"
	call(200, "PATCH", hook, `{"audit_log_destination_id":"`+destination+`","enabled":true}`)
	w.awaitStatus("active", 200)
	call(200, "PATCH", hook, `{"enabled":false}`)
	poisoned := request{method: "GET", target: "/v2/control-planes", token: w.ours.admin(), header: http.Header{"User-Agent": {"poison <&>"}}}
	for range 2 {
		w.call(poisoned) // an authentication and an authorization each
	}
	call(409, "POST", aside+"/resend", "")
	call(200, "PATCH", hook, `{"enabled":true}`) // together with the calls that pass

	var page struct {
		Data []struct {
			ID      string
			Webhook string `json:"webhook_id"`
			Code    int    `json:"response_code"`
			Message string `json:"response_message"`
			Event   struct {
				UserAgent string `json:"user_agent"`
				TraceID   string `json:"trace_id"`
			}
		}
		Meta struct{ Next string }
	}
	w.awaitSetAside(4)
	list := call(200, "GET", aside+"?page[size]=3", "")
	if err := json.Unmarshal([]byte(list.body), &page); err != nil || len(page.Data) != 3 || page.Meta.Next == "" {
		t.Fatalf("%v: %s", err, list.body)
	}
	for _, line := range page.Data {
		if line.Code != 422 || line.Message != "Unprocessable Entity" || line.Event.UserAgent != "poison <&>" || line.Webhook == "" {
			t.Errorf("a line: %+v", line)
		}
	}
	if a := call(200, "GET", page.Meta.Next, ""); strings.Count(a.body, `"set_aside_at"`) != 1 {
		t.Errorf("second page: %s", a.body)
	}
	ids := []string{page.Data[0].ID, page.Data[1].ID}
	for _, other := range []request{
		{method: "GET", target: aside + "/" + ids[0], token: w.theirs.admin()},
		{method: "DELETE", target: aside + "/" + ids[0], token: w.theirs.admin()},
		{method: "POST", target: aside + "/" + ids[0] + "/resend", token: w.theirs.admin()},
		{method: "GET", target: aside + "/" + ids[0], token: w.ours.admin(), host: "eu.api.trailhook.example"},
	} {
		a := w.call(other)
		if a.status != 404 {
			t.Errorf("%s of others: %d %s", other, a.status, a.body)
		}
		a.problem(t)
	}
	call(200, "GET", aside+"/"+ids[0], "")
	call(404, "GET", aside+"/0", "")
	resent := func(target, want string) {
		t.Helper()
		if a := call(200, "POST", target, ""); strings.TrimSpace(a.body) != want {
			t.Errorf("%s: %s", target, a.body)
		}
	}
	resent(aside+"/"+ids[0]+"/resend", `{"sent":0,"refused":1,"left":0,"last_response_code":422,"last_response_message":"Unprocessable Entity"}`)
	mended.Store(true)
	resent(aside+"/"+ids[0]+"/resend", `{"sent":1,"refused":0,"left":0,"last_response_code":200,"last_response_message":"OK"}`)
	call(404, "POST", aside+"/"+ids[0]+"/resend", "")
	call(204, "DELETE", aside+"/"+ids[1], "")
	call(404, "DELETE", aside+"/"+ids[1], "")
	resent(aside+"/resend", `{"sent":2,"refused":0,"left":0,"last_response_code":200,"last_response_message":"OK"}`)
	resent(aside+"/resend", `{"sent":0,"refused":0,"left":0}`)
	if a := call(200, "GET", aside, ""); !strings.Contains(a.body, `"data":[]`) {
		t.Errorf("still set aside: %s", a.body)
	}
}

// awaitSetAside waits until the status tells of so many.
func (w *world) awaitSetAside(events int) {
	w.tb.Helper()
	want := fmt.Sprintf(`"set_aside_events":%d`, events)
	limit := time.After(30 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		a := send(w.tb, w.api, request{method: "GET", target: "/v3/audit-log-webhook/status", token: w.ours.admin()})
		if strings.Contains(a.body, want) {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			w.tb.Fatalf("the status is %s, want %s", a.body, want)
		}
	}
}
