package console

import (
	"encoding/json"
	"testing"
	"time"
)

func TestAReplayIsToldInWords(t *testing.T) {
	now := time.Date(2026, 3, 4, 13, 0, 0, 0, time.UTC)
	for answer, want := range map[string]string{
		`{"status": "accepted"}`: "It begins in a moment.",
		`{"status": "pending"}`:  "The events are being counted.",
		`{"status": "running", "trailhook": {"events_sent": 1500, "events_total": 6000, "events_per_second": 50, "ends_at": "2026-03-04T13:01:30Z"}}`: "1,500 of 6,000 events sent, 50 a second; it ends at about 13:01, in 1 min.",
		`{"status": "running", "trailhook": {"events_sent": 2}}`:                                                                       "2 events sent.",
		`{"status": "completed", "trailhook": {"events_sent": 9, "events_refused": 1, "events_total": 10, "events_per_second": 2.25}}`: "10 of 10 events sent, 1 of them refused by the endpoint, 2.2 a second.",
		`{"status": "completed", "trailhook": {"events_sent": 0, "events_total": 0}}`:                                                  "There was nothing to send in this time.",
		`{"status": "failed", "trailhook": {"events_sent": 3, "events_total": 10, "failure_reason": "the endpoint answers 503"}}`:      "3 of 10 events sent before it failed: the endpoint answers 503. Ask for it again once the endpoint takes events.",
		`{"status": "failed", "trailhook": {"events_sent": 0}}`:                                                                        "0 events sent before it failed: no reason is told. Ask for it again once the endpoint takes events.",
	} {
		var j replayJob
		if err := json.Unmarshal([]byte(answer), &j); err != nil {
			t.Fatal(err)
		}
		if got := j.words(now).String(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", answer, got, want)
		}
	}
}
