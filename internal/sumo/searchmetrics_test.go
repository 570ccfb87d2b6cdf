package sumo

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metric returns a series of the metrics page.
func (s *siem) metric(series string) float64 {
	s.t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("no series %s", series)
	return 0
}

// becomes waits until a series has a value.
func (s *siem) becomes(series string, want float64) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); s.metric(series) != want; {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is %v, want %v", series, s.metric(series), want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestJobsAndTailsAreCounted(t *testing.T) {
	s := start(t, nil)
	source := s.addSource()
	tail := s.tail(http.DefaultClient, s.serveTails(), "NOT two")
	if got := s.metric("trailhook_tails"); got != 1 {
		t.Errorf("%v tails", got)
	}
	s.send(source, "one\ntwo\nthree")
	tail.message()
	tail.message()
	s.becomes("trailhook_tail_events_total", 2)
	made := s.call(202, "POST", "/api/v1/search/jobs", `{"query":"*","from":"-15m","to":"now"}`, "link")
	s.becomes(`trailhook_search_jobs{state="DONE GATHERING RESULTS"}`, 1)
	s.becomes(`trailhook_search_seconds_count{kind="job"}`, 1)
	href := made["href"].(string)
	s.do("DELETE", strings.TrimPrefix(href, "https://siem.example"), "")
	s.becomes(`trailhook_search_jobs{state="CANCELLED"}`, 1)
	tail.body.Close()
	s.becomes("trailhook_tails", 0)
}
