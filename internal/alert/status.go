package alert

import (
	"fmt"
	"time"
)

// The statuses of alerts.
const (
	StatusOff     = "off"     // it is not enabled
	StatusWaiting = "waiting" // it was not evaluated yet
	StatusOK      = "ok"
	StatusFiring  = "firing"
	StatusError   = "error" // the last evaluation failed; what fires stays
)

// Status is how an alert stands.
type Status struct {
	Status      string
	EvaluatedAt time.Time // zero: never
	EvaluatedTo time.Time // the end of what was looked at
	Took        time.Duration
	Error       string // of the last evaluation; empty if it succeeded
	Firing      []Firing
	Omitted     int // groups for which the condition holds, and which are not told, since there are too many
	Deferred    int // groups whose change waits until posts were accepted
	Pending     []Pending
}

// Firing is a group that fires.
type Firing struct {
	Group []Member
	Since time.Time
	Value float64
}

// Pending is a post that was not accepted yet.
type Pending struct {
	ID        string
	State     string // fires or recovers
	Group     []Member
	At        time.Time
	Attempts  int       // that were refused, each with its retries
	LastError string    // of the last of them
	Next      time.Time // when it is tried again; zero: as soon as it is its turn
}

// Status returns how the alert of a saved search stands.
func (a *Alerts) Status(s Search) Status {
	st, _ := a.state(s.ID)
	status := Status{
		Status: StatusOK, EvaluatedAt: st.At, EvaluatedTo: st.End, Took: st.Took, Error: st.Error,
		Omitted: st.Omitted, Deferred: st.Deferred,
	}
	for _, f := range st.Firing {
		status.Firing = append(status.Firing, Firing{f.Group, f.Since, f.Value})
	}
	for _, entry := range a.waiting(s.ID) {
		p := entry.Value
		status.Pending = append(status.Pending, Pending{p.ID, p.State, p.Group, p.At, p.Attempts, p.LastError, p.Next})
	}
	switch {
	case !s.enabled():
		status.Status = StatusOff
	case st.Error != "":
		status.Status = StatusError
	case len(st.Firing) > 0:
		status.Status = StatusFiring
	case st.At.IsZero():
		status.Status = StatusWaiting
	}
	return status
}

func answerOf(status int, message string) string { return fmt.Sprintf("%d %s", status, message) }
