package sumo

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/collector"
)

// statistics returns those of a source when everything that was sent is stored.
func (s *siem) statisticsOf(path string, into any) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.indexer.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
	w := s.do("GET", path, "")
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != 200 {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

func TestASourceTellsWhatItHasTakenAndRefused(t *testing.T) {
	s := start(t, nil)
	path := s.addSource()
	s.call(200, "PUT", "/api/v1/collectors/1/sources/2", `{"source":{"name":"Konnect","trailhook":{"requireAccessKey":true}}}`, "source", "If-Match", "*")
	sender := s.as(collector.Sender)
	for _, body := range []string{"one\ntwo\none", "two\nthree"} {
		if w := sender.do("POST", path, body); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	sender.call(401, "POST", path, "no key", "", "Authorization", "wrong")
	sender.call(413, "POST", path, strings.Repeat("x", 1<<20+1), "")
	sender.call(401, "POST", path+"x", "no source", "")

	var one shownStatistics
	s.statisticsOf("/trailhook/v1/sources/2/statistics", &one)
	if one.Minutes == nil || one.LastReceivedAt == nil || time.Since(*one.LastReceivedAt) > time.Minute {
		t.Fatalf("%+v", one)
	}
	sum := func(list []uint32) (sum uint32) {
		for _, n := range list {
			sum += n
		}
		return sum
	}
	m := one.Minutes
	if got := []uint32{sum(m.Received), sum(m.Stored), sum(m.Duplicates), sum(m.Invalid), sum(m.Rejected)}; !cmp.Equal(got, []uint32{5, 3, 2, 0, 2}) {
		t.Errorf("by the minute: %v", got)
	}
	if one.LastHour.Received <= 0 || one.LastMinute.Rejected <= 0 || one.LastHour.Invalid != 0 {
		t.Errorf("rates: %+v %+v", one.LastMinute, one.LastHour)
	}
	want := shownStatistics{
		SourceID: 2, CollectorID: 1, Since: one.Since, Received: 5, Stored: 3, Duplicates: 2,
		Signatures: map[string]uint64{"unsigned": 5, "valid": 0, "invalid": 0, "unknown key": 0},
		Rejected:   map[string]uint64{"unauthorized": 1, "too_large": 1},
	}
	one.Minutes, one.LastReceivedAt, one.LastMinute, one.LastHour = nil, nil, rates{}, rates{}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}

	var all struct {
		Sources []shownStatistics
		Server  struct {
			Since    time.Time
			Rejected map[string]uint64
		}
	}
	s.statisticsOf("/trailhook/v1/sources/statistics", &all)
	if len(all.Sources) != 1 || all.Sources[0].Received != 5 || all.Sources[0].Minutes != nil {
		t.Errorf("all: %+v", all.Sources)
	}
	if diff := cmp.Diff(map[string]uint64{"unauthorized": 1}, all.Server.Rejected); diff != "" || !all.Server.Since.Equal(want.Since) {
		t.Errorf("the server: %s%s", all.Server.Since, diff)
	}
}

func TestASourceThatNobodySentToHasCountsOfZero(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	var body *httptest.ResponseRecorder
	if body = s.do("GET", "/trailhook/v1/sources/2/statistics", ""); body.Code != 200 {
		t.Fatalf("%d %s", body.Code, body.Body)
	}
	for _, want := range []string{`"received":0`, `"rejected":{}`, `"lastMinute":{"received":0,`} {
		if !strings.Contains(body.Body.String(), want) {
			t.Errorf("no %s in %s", want, body.Body)
		}
	}
	if strings.Contains(body.Body.String(), "lastReceivedAt") {
		t.Error("it says when it received what it did not")
	}
	s.call(200, "DELETE", "/api/v1/collectors/1/sources/2", "", "")
	s.call(404, "GET", "/trailhook/v1/sources/2/statistics", "", "")
}
