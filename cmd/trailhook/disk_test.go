package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/internal/broker/brokertest"
)

func TestAFullDiskRefusesCallsLosesNothingAndHeals(t *testing.T) {
	disk := brokertest.SmallDisk(t, 256<<20)
	o := &oracle{acknowledged: map[string]bool{}}
	p := serve(t, disk.Dir, "--only", "platform")
	record := func() *http.Response {
		t.Helper()
		resp, body, err := p.api(t.Context(), "POST", "/v2/control-planes", `{"name": "`+randomName()+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 503 {
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" || !strings.Contains(string(body), "journal") {
				t.Errorf("503: %s %s", got, body)
			}
		}
		return resp
	}
	for range 20 {
		if _, err := o.send(t.Context(), p, o.newRequest()); err != nil {
			t.Fatal(err)
		}
	}
	disk.Fill(t, 0)
	eventually(t, "calls are refused", func() bool { return record().StatusCode == 503 })
	for range 20 {
		if status := record().StatusCode; status != 503 {
			t.Errorf("with a full disk: %d", status)
		}
	}
	// Health and metrics go on.
	for _, path := range []string{"/healthz", "/metrics"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.opsURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, _, err := exchange(req); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %v", path, err)
		}
	}
	disk.Empty(t)
	eventually(t, "calls are taken again", func() bool { return record().StatusCode == 201 })
	for range 20 {
		if _, err := o.send(t.Context(), p, o.newRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	times := journalIDs(t, disk.Dir)
	for id := range o.acknowledged {
		if times[id] != 1 {
			t.Errorf("%s was acknowledged, and is in the journal %d times", id, times[id])
		}
	}
}
