package console

import (
	"strconv"
	"time"
)

// webhookStatus is what the API says of how a webhook stands. Some of it only
// newer versions tell.
type webhookStatus struct {
	Status        string    `json:"webhook_status"`
	Enabled       bool      `json:"webhook_enabled"`
	LastAttemptAt time.Time `json:"last_attempt_at"`
	LastCode      int       `json:"last_response_code"`
	LastMessage   string    `json:"last_response_message"`
	Trailhook     struct {
		BacklogEvents    int       `json:"backlog_events"`
		BacklogBytes     int64     `json:"backlog_bytes"`
		BacklogEstimated bool      `json:"backlog_estimated"`
		OldestAt         time.Time `json:"backlog_oldest_at"`
		OldestLostAt     time.Time `json:"backlog_oldest_lost_at"`
		SentEvents       int       `json:"sent_events"`
		FailedDeliveries int       `json:"failed_deliveries"`
		NextAttemptAt    time.Time `json:"next_attempt_at"`
		InactiveSince    time.Time `json:"inactive_since"`
		FailedInARow     int       `json:"failed_deliveries_in_a_row"`
		LastFailedPhase  string    `json:"last_failed_phase"`
		LostEvents       int       `json:"lost_events"`
		SetAside         int       `json:"set_aside_events"`
	} `json:"trailhook"`
}

// Unconfigured says that there is no webhook yet.
func (s webhookStatus) Unconfigured() bool { return s.Status == "" || s.Status == "unconfigured" }

// standing is a webhook's status in words.
type standing struct {
	Kind     string // of the badge: good, bad, doubt or plain
	State    string // of one or two words
	Words    spoken
	Next     spoken // what happens next; empty: nothing that can be told
	Warnings []spoken
}

// An active webhook sends what comes within seconds. Events that wait for less
// than fresh are on their way, and after behind it is late.
const (
	fresh  = 15 * time.Second
	behind = 5 * time.Minute
)

// standingOf says how a webhook stands.
func standingOf(s webhookStatus, now time.Time) standing {
	var st standing
	switch {
	case s.Unconfigured():
		return standing{Kind: "plain", State: "Not set up",
			Words: say(now, "No destination is chosen: events are recorded and kept here, and are sent nowhere.")}
	case !s.Enabled:
		st = standing{Kind: "plain", State: "Disabled", Words: say(now, "Nothing is sent.", s.waiting(now))}
		if s.Trailhook.BacklogEvents > 0 {
			st.Next = say(now, "What waits goes out once the webhook is enabled.")
		}
	case s.Status == "inactive":
		st = s.inactive(now)
	default:
		st = s.active(now)
	}
	if n := s.Trailhook.SetAside; n > 0 {
		st.Words = say(now, st.Words, " "+plural(n, "line was", "lines were")+" refused by the endpoint, ever, and set aside.")
	}
	st.Warnings = s.warnings(now)
	if s.losesSoon(now) {
		st.Kind = "bad"
	}
	return st
}

func (s webhookStatus) active(now time.Time) standing {
	st := standing{Kind: "good", State: "Active"}
	backlog, age := s.Trailhook.BacklogEvents, now.Sub(s.Trailhook.OldestAt)
	if s.Trailhook.OldestAt.IsZero() {
		age = fresh // it is not known
	}
	switch {
	case backlog > 0 && age < fresh:
		st.Words = say(now, "Everything is delivered but for "+plural(backlog, "event", "events")+" of the last seconds.")
	case backlog > 0 && age > behind:
		st.Kind, st.State = "doubt", "Behind"
		st.Words = say(now, "Events go out, later than they come in.", s.waiting(now))
	case backlog > 0:
		st.Words = say(now, "Events go out.", s.waiting(now))
	case s.LastAttemptAt.IsZero():
		st.Words = say(now, "Nothing was to be sent yet.")
		st.Next = say(now, "The next event that is recorded goes out within seconds.")
	default:
		st.Words = say(now, "Everything is delivered.")
	}
	return st
}

// inactive is a webhook whose last delivery failed with all its retries: it
// pauses, or is tried again just now.
func (s webhookStatus) inactive(now time.Time) standing {
	st := standing{Kind: "bad", State: "Inactive"}
	st.Words = say(now, "Inactive")
	if since := s.Trailhook.InactiveSince; !since.IsZero() {
		st.Words = say(now, st.Words, " since ", since)
	}
	st.Words = say(now, st.Words, ": ", s.cause(), s.waiting(now))
	next := s.Trailhook.NextAttemptAt
	row := ""
	if n := s.Trailhook.FailedInARow; n > 1 {
		row = countText(n) + " deliveries have failed in a row. "
	}
	switch {
	case next.IsZero():
		st.Next = say(now, row+"It is tried again by itself, and the events go out in order once the endpoint takes them.")
	case next.After(now):
		st.Next = say(now, row+"Paused: it is tried again at ", next, ", in "+roughly(next.Sub(now))+", or at once when the webhook or its destination is changed.")
	default:
		st.Next = say(now, row+"It is being tried again now.")
	}
	return st
}

// cause is why the last attempt failed.
func (s webhookStatus) cause() string {
	if s.LastCode > 0 && (s.LastCode < 200 || s.LastCode > 299) {
		return strconv.Itoa(s.LastCode) + " from the endpoint."
	}
	during := map[string]string{
		"resolve": "when its name was looked up", "connect": "when connecting", "tls": "in the TLS handshake",
		"request": "when sending", "response": "when waiting for the answer",
	}[s.Trailhook.LastFailedPhase]
	switch {
	case s.LastMessage != "" && during != "":
		return "the endpoint failed " + during + ": " + finished(s.LastMessage)
	case s.LastMessage != "":
		return finished(s.LastMessage)
	case during != "":
		return "the endpoint failed " + during + "."
	}
	return "the endpoint did not take the last delivery."
}

// finished ends a text with a full stop, as it is otherwise.
func finished(text string) string {
	if text[len(text)-1] == '.' {
		return text
	}
	return text + "."
}

// waiting is the backlog as a sentence of its own, with a space before it.
func (s webhookStatus) waiting(now time.Time) spoken {
	t := s.Trailhook
	if t.BacklogEvents == 0 {
		return nil
	}
	number := " " + countText(t.BacklogEvents)
	if t.BacklogEstimated {
		number = " About" + number
	}
	w := say(now, number+" events wait")
	if t.BacklogEvents == 1 {
		w = say(now, " 1 event waits")
	}
	if !t.OldestAt.IsZero() {
		w = say(now, w, ", the oldest for "+roughly(now.Sub(t.OldestAt)))
	}
	if t.OldestLostAt.After(now) {
		w = say(now, w, "; kept until ", t.OldestLostAt)
	}
	return say(now, w, ".")
}

// losesSoon says that the oldest event that waits has used up six sevenths of the
// time for which events are kept.
func (s webhookStatus) losesSoon(now time.Time) bool {
	t := s.Trailhook
	if t.BacklogEvents == 0 || t.OldestAt.IsZero() || t.OldestLostAt.IsZero() {
		return false
	}
	return t.OldestLostAt.Sub(now) < t.OldestLostAt.Sub(t.OldestAt)/7
}

func (s webhookStatus) warnings(now time.Time) []spoken {
	var list []spoken
	if s.losesSoon(now) {
		lost := s.Trailhook.OldestLostAt
		if lost.After(now) {
			list = append(list, say(now, "Events are about to be lost: the oldest that wait are deleted from ", lost, " on, in "+roughly(lost.Sub(now))+
				", delivered or not. Mend the endpoint before, or choose a destination that takes them."))
		} else {
			list = append(list, say(now, "Events are being lost: those that have waited for longest are deleted now, delivered or not. Mend the endpoint, or choose a destination that takes them."))
		}
	}
	if n := s.Trailhook.LostEvents; n > 0 {
		list = append(list, say(now, plural(n, "event was", "events were")+" lost: they were deleted by age before the endpoint took them."))
	}
	return list
}
