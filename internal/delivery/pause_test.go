package delivery

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/outbound"
)

// pauses sets the first pause and the longest.
func pauses(least, most time.Duration) func(*Options) {
	return func(o *Options) { o.MinPause, o.MaxPause = least, most }
}

func TestEventsAreHeldWhileTheReceiverRefusesAndArriveInOrderOnceItTakesThem(t *testing.T) {
	t.Parallel()
	const refusals = 4
	r := receive(t, func(n int) int {
		if n <= refusals {
			return 403
		}
		return 200
	})
	org := start(t, t.TempDir(), pauses(20*time.Millisecond, 80*time.Millisecond)).organization()
	org.sendTo(r)
	for range 10 {
		org.record(100)
	}
	requests := r.awaitEvents(1, 1000)
	r.checkRepeats(requests)
	for i, least := range []time.Duration{20, 40, 80, 80} {
		if !bytes.Equal(requests[i].body, requests[i+1].body) {
			t.Errorf("request %d is not the bytes of the one before", i+2)
		}
		if gap := requests[i+1].at.Sub(requests[i].at); gap < least*time.Millisecond {
			t.Errorf("pause %d was %v, want %v ms at least", i+1, gap, int(least))
		}
	}
	org.awaitStatus(Active)
}

func TestAnOutageThatOutlastsTheRetriesLosesNothing(t *testing.T) {
	t.Parallel()
	r := receive(t, func(n int) int {
		if n <= 1+outbound.RetryMax {
			return 503
		}
		return 200
	})
	org := start(t, t.TempDir(), pauses(time.Millisecond, time.Second)).organization()
	org.sendTo(r)
	org.record(10)
	r.awaitRequests(1)
	org.record(10)
	org.awaitStatus(Inactive)
	if got := org.status(); got.LastCode != 503 || got.LastMessage != "Service Unavailable" {
		t.Errorf("status during the outage: %+v", got)
	}
	r.checkRepeats(r.awaitEvents(1, 20))
	org.awaitStatus(Active)
}

func TestThePauseStaysAtItsLongest(t *testing.T) {
	t.Parallel()
	// Doubled without end, the last of these pauses would take days.
	r := receive(t, func(n int) int {
		if n <= 30 {
			return 400
		}
		return 200
	})
	org := start(t, t.TempDir(), pauses(time.Millisecond, 4*time.Millisecond)).organization()
	org.sendTo(r)
	org.record(1)
	r.awaitEvents(1, 1)
}

func TestThePauseBeginsAnewWhenAPartWasTaken(t *testing.T) {
	t.Parallel()
	// Two such lines do not fit one request; every request is refused once.
	// Doubled from one to the next, the pauses would take minutes.
	r := receive(t, func(n int) int {
		if n%2 == 1 {
			return 400
		}
		return 200
	})
	org := start(t, t.TempDir(), pauses(100*time.Millisecond, never)).organization()
	org.backlog(r, func() {
		org.recordAs(5, strings.Repeat("x", 600_000))
		org.recordAs(5, strings.Repeat("x", 600_000))
	})
	r.awaitEvents(1, 10)
}

func TestThePausesGoFromHalfAMinuteToTenMinutesUnlessGiven(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), pauses(0, 0))
	if p.manager.MinPause != 30*time.Second || p.manager.MaxPause != 10*time.Minute {
		t.Errorf("pauses of %v to %v", p.manager.MinPause, p.manager.MaxPause)
	}
}

func TestTheStatusTellsHowTheLastDeliveryWent(t *testing.T) {
	t.Parallel()
	// Answers that are not retried, and one that is no answer.
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told that it is not trusted
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	p := start(t, t.TempDir())
	for _, test := range []struct {
		name string
		r    *receiver
		want Status
	}{
		{"taken", receive(t, taking(200)), Status{Webhook: Active, LastCode: 200, LastMessage: "OK"}},
		{"taken without a body", receive(t, taking(204)), Status{Webhook: Active, LastCode: 204, LastMessage: "No Content"}},
		{"refused", receive(t, taking(401)), Status{Webhook: Inactive, LastCode: 401, LastMessage: "Unauthorized", LastPhase: "response"}},
		{"redirected", receive(t, taking(302)), Status{Webhook: Inactive, LastCode: 302, LastMessage: "Found (redirects are not followed)", LastPhase: "response"}},
		{"no answer", &receiver{T: t, Server: untrusted}, Status{
			Webhook: Inactive, LastMessage: "certificate is not trusted: x509: certificate signed by unknown authority", LastPhase: "tls",
		}},
	} {
		org := p.organization()
		org.sendTo(test.r)
		if got := org.status(); got != (Status{Webhook: Active}) {
			t.Errorf("%s: status before any attempt: %+v", test.name, got)
		}
		org.record(1)
		org.awaitStatus(test.want.Webhook)
		test.want.LastAttemptAt = instant
		if test.want.Webhook == Active {
			test.want.Sent = 1
		} else {
			test.want.Failed, test.want.NextAttemptAt = 1, instant.Add(never)
			test.want.FailedInARow, test.want.FailingSince = 1, instant
		}
		if diff := cmp.Diff(test.want, org.status()); diff != "" {
			t.Errorf("%s: status (-want +got):\n%s", test.name, diff)
		}
	}
}
