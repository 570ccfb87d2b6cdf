package loadtest

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Verdict is what became of the events that were promised.
type Verdict struct {
	Owed    uint64 `json:"owed"` // events of what was answered with 2xx
	Found   uint64 `json:"found"`
	Lost    uint64 `json:"lost"`    // not found within the patience
	Doubled uint64 `json:"doubled"` // found beyond the first time
	Invalid uint64 `json:"invalid"` // found without a valid signature, or never sent
	// Seconds is how long after the last request the last event could be found.
	Seconds float64 `json:"last_found_seconds"`
	// Complete says that the search was not broken off.
	Complete bool `json:"complete"`
	// Webhook is how the platform says that delivery stands, where something is lost.
	Webhook string `json:"webhook,omitempty"`
}

// Kept says that all promises were.
func (v Verdict) Kept() bool {
	return v.Complete && v.Owed > 0 && v.Lost+v.Doubled+v.Invalid == 0
}

// verify waits for what is owed, and looks for it, again if something comes while
// it looks. Where ctx is done, it waits for half of the grace, and then looks for
// what has come by then; it ends with lasting.
func (r *run) verify(ctx, lasting context.Context) (v Verdict, err error) {
	waiting, cancel := outliving(ctx, r.Grace/2)
	defer cancel()
	began := time.Now()
	for wanted := r.ledgers.owed(); ; {
		came, err := r.await(waiting, wanted)
		if err == nil {
			v.Doubled, v.Invalid, err = r.look(lasting)
		}
		v.Owed, v.Lost = r.ledgers.owed(), r.ledgers.lost()
		v.Found, v.Seconds = v.Owed-v.Lost, max(came.last.Sub(began), 0).Seconds()
		switch {
		case lasting.Err() != nil:
			return v, nil // interrupted: what was found is told
		case err != nil:
			return v, err
		case v.Lost == 0 || !came.all:
			v.Complete = v.Lost == 0 || ctx.Err() == nil
			if v.Lost > 0 {
				v.Webhook = r.webhookStatus(lasting)
			}
			return v, nil
		}
		wanted = came.count + 1
	}
}

// arrival is what has come to the SIEM.
type arrival struct {
	count uint64 // events
	last  time.Time
	all   bool // that were wanted
}

// await waits until so many events can be found, until none has come for as long as
// the patience lasts, or until ctx is done.
func (r *run) await(ctx context.Context, wanted uint64) (came arrival, err error) {
	came.last = time.Now()
	for pace := awaitFirst; ; pace = min(2*pace, awaitLast) {
		count, err := r.count(context.WithoutCancel(ctx))
		if err != nil {
			return came, err
		}
		if count > came.count {
			came.count, came.last = count, time.Now()
		}
		r.Progress(Progress{Arriving, int64(min(came.count, wanted)), int64(wanted)})
		if came.all = came.count >= wanted; came.all || time.Since(came.last) > r.Patience || !pause(ctx, pace) {
			return came, nil
		}
	}
}

// The pauses between two looks at how much has come.
const (
	awaitFirst = 50 * time.Millisecond
	awaitLast  = time.Second
)

// count is how many events of the run can be found.
func (r *run) count(ctx context.Context) (count uint64, err error) {
	err = r.search(ctx, r.query()+" | count", r.began.Add(-clockDifference), r.began.Add(clockDifference), func(line foundLine) {
		count += line.count()
	})
	return count, err
}

func (r *run) query() string { return fmt.Sprintf("_source=%s user_agent=%s*", r.source, r.mark()) }

// webhookStatus is how the platform says that delivery stands.
func (r *run) webhookStatus(ctx context.Context) string {
	var told struct {
		Status  string `json:"webhook_status"`
		Code    int    `json:"last_response_code"`
		Message string `json:"last_response_message"`
	}
	if err := r.api.call(ctx, http.MethodGet, webhookPath+"/status", nil, &told); err != nil {
		return "its status cannot be read: " + err.Error()
	}
	status := told.Status
	if told.Code != 0 {
		status += fmt.Sprintf(", last answer %d %s", told.Code, told.Message)
	}
	return status
}
