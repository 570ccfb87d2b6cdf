package console

import (
	"strings"
	"testing"
	"time"
)

func TestAWebhooksStatusIsToldInWords(t *testing.T) {
	now := time.Date(2026, 3, 4, 13, 3, 0, 0, time.UTC) // a Wednesday
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	for name, c := range map[string]struct {
		change func(*webhookStatus)
		kind   string
		state  string
		words  string
		next   string // a part of it
		warns  []string
	}{
		"no destination": {
			func(s *webhookStatus) { *s = webhookStatus{Status: "unconfigured"} },
			"plain", "Not set up", "No destination is chosen: events are recorded and kept here, and are sent nowhere.", "", nil,
		},
		"disabled": {
			func(s *webhookStatus) { s.Enabled = false },
			"plain", "Disabled", "Nothing is sent.", "", nil,
		},
		"disabled, with a backlog": {
			func(s *webhookStatus) { s.Enabled = false; s.waitFor(1, at(time.Hour)) },
			"plain", "Disabled", "Nothing is sent. 1 event waits, the oldest for 1 h; kept until 2026-03-11 12:03.", "goes out once the webhook is enabled", nil,
		},
		"active, and nothing was sent yet": {
			func(s *webhookStatus) { s.LastAttemptAt = time.Time{} },
			"good", "Active", "Nothing was to be sent yet.", "The next event", nil,
		},
		"active and idle": {
			func(*webhookStatus) {},
			"good", "Active", "Everything is delivered.", "", nil,
		},
		"refused lines set aside": {
			func(s *webhookStatus) { s.Trailhook.SetAside = 1 },
			"good", "Active", "Everything is delivered. 1 line was refused by the endpoint, ever, and set aside.", "", nil,
		},
		"active, with what has just come": {
			func(s *webhookStatus) { s.waitFor(2, at(2*time.Second)) },
			"good", "Active", "Everything is delivered but for 2 events of the last seconds.", "", nil,
		},
		"active, with a backlog": {
			func(s *webhookStatus) { s.waitFor(1200, at(40*time.Second)); s.Trailhook.BacklogEstimated = true },
			"good", "Active", "Events go out. About 1,200 events wait, the oldest for 40 s; kept until 2026-03-11 13:02.", "", nil,
		},
		"active, and behind": {
			func(s *webhookStatus) { s.waitFor(1200, at(20*time.Minute)) },
			"doubt", "Behind", "Events go out, later than they come in. 1,200 events wait, the oldest for 20 min; kept until 2026-03-11 12:43.", "", nil,
		},
		"inactive, by an API that tells no more": {
			func(s *webhookStatus) { s.Status, s.LastCode = "inactive", 503; s.Trailhook.OldestAt = time.Time{} },
			"bad", "Inactive", "Inactive: 503 from the endpoint.", "by itself", nil,
		},
		"inactive, and paused": {
			func(s *webhookStatus) { s.fail(at(3*time.Hour+time.Minute), now.Add(2*time.Minute)) },
			"bad", "Inactive", "Inactive since 10:02: 503 from the endpoint. 12,400 events wait, the oldest for 3 h; kept until Friday 10:02.",
			"4 deliveries have failed in a row. Paused: it is tried again at 13:05, in 2 min", nil,
		},
		"inactive, and retrying": {
			func(s *webhookStatus) { s.fail(at(3*time.Hour+time.Minute), at(time.Second)) },
			"bad", "Inactive", "Inactive since 10:02: 503 from the endpoint. 12,400 events wait, the oldest for 3 h; kept until Friday 10:02.",
			"It is being tried again now.", nil,
		},
		"inactive, for what is no answer": {
			func(s *webhookStatus) {
				s.Status, s.LastCode, s.LastMessage, s.Trailhook.LastFailedPhase = "inactive", 0, "connection refused", "connect"
			},
			"bad", "Inactive", "Inactive: the endpoint failed when connecting: connection refused.", "", nil,
		},
		"about to lose events": {
			func(s *webhookStatus) {
				s.fail(at(44*time.Hour), now.Add(time.Minute))
				s.Trailhook.OldestAt, s.Trailhook.OldestLostAt = at(44*time.Hour), now.Add(4*time.Hour)
			},
			"bad", "Inactive", "Inactive since Monday 17:03: 503 from the endpoint. 12,400 events wait, the oldest for 44 h; kept until 17:03.", "",
			[]string{"about to be lost: the oldest that wait are deleted from 17:03 on, in 4 h"},
		},
		"active, and losing events": {
			func(s *webhookStatus) {
				s.waitFor(5, at(7*24*time.Hour))
				s.Trailhook.OldestLostAt, s.Trailhook.LostEvents = now, 3
			},
			"bad", "Behind", "Events go out, later than they come in. 5 events wait, the oldest for 7 days.", "",
			[]string{"Events are being lost", "3 events were lost"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := webhookStatus{Status: "active", Enabled: true, LastCode: 200, LastAttemptAt: at(time.Minute)}
			c.change(&s)
			got := standingOf(s, now)
			if got.Kind != c.kind || got.State != c.state || got.Words.String() != c.words || !strings.Contains(got.Next.String(), c.next) {
				t.Errorf("got %s, %s: %s\nnext: %s", got.Kind, got.State, got.Words, got.Next)
			}
			if len(got.Warnings) != len(c.warns) {
				t.Fatalf("warnings: %v", got.Warnings)
			}
			for i, want := range c.warns {
				if !strings.Contains(got.Warnings[i].String(), want) {
					t.Errorf("warning %q lacks %q", got.Warnings[i], want)
				}
			}
		})
	}
}

// waitFor has events wait, which are kept for seven days.
func (s *webhookStatus) waitFor(events int, oldest time.Time) {
	s.Trailhook.BacklogEvents, s.Trailhook.OldestAt, s.Trailhook.OldestLostAt = events, oldest, oldest.Add(7*24*time.Hour)
}

func (s *webhookStatus) fail(since, next time.Time) {
	s.Status, s.LastCode = "inactive", 503
	s.waitFor(12_400, since)
	s.Trailhook.OldestLostAt = since.Add(48 * time.Hour)
	s.Trailhook.InactiveSince, s.Trailhook.NextAttemptAt, s.Trailhook.FailedInARow = since, next, 4
}

func TestTimesAreCalledByTheHourTheDayOrTheDate(t *testing.T) {
	now := time.Date(2026, 3, 4, 13, 3, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		now.Add(-13 * time.Hour):     "00:03",
		now.Add(11 * time.Hour):      "Thursday 00:03",
		now.Add(-6 * 24 * time.Hour): "Thursday 13:03",
		now.Add(7 * 24 * time.Hour):  "2026-03-11 13:03",
	} {
		if got := timeName(at, now); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Millisecond: "a moment", 59 * time.Second: "59 s", 90 * time.Second: "1 min", 47 * time.Hour: "47 h", 50 * time.Hour: "2 days",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
