package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// step is what happens to one attempt: an answer, or no connection.
type step struct {
	status     int
	retryAfter string
	dial       error
}

// tried is what is seen of an attempt: when it began, from the start, and its status.
type tried struct {
	After  time.Duration
	Status int
}

func TestTheRetryRule(t *testing.T) {
	const down = 0
	refused := step{dial: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	unavailable := step{status: 503}
	after := func(status int, value string) step { return step{status: status, retryAfter: value} }
	s := time.Second
	fourRetries := func(status int) []tried {
		return []tried{{0, status}, {1 * s, status}, {3 * s, status}, {7 * s, status}, {15 * s, status}}
	}

	cases := []struct {
		name  string
		steps []step // the last one repeats
		want  []tried
		fails bool // PostRetrying returns an error rather than an answer
	}{
		{name: "200 is success", steps: []step{{status: 200}}, want: []tried{{0, 200}}},
		{name: "204 is success", steps: []step{{status: 204}}, want: []tried{{0, 204}}},
		{name: "500 is retried", steps: []step{{status: 500}}, want: fourRetries(500)},
		{name: "502 is retried", steps: []step{{status: 502}}, want: fourRetries(502)},
		{name: "503 is retried", steps: []step{unavailable}, want: fourRetries(503)},
		{name: "504 is retried", steps: []step{{status: 504}}, want: fourRetries(504)},
		{name: "599 is retried", steps: []step{{status: 599}}, want: fourRetries(599)},
		{name: "429 is retried", steps: []step{{status: 429}}, want: fourRetries(429)},
		{name: "a connection error is retried", steps: []step{refused}, want: fourRetries(down), fails: true},
		{name: "501 is not retried", steps: []step{{status: 501}}, want: []tried{{0, 501}}},
		{name: "400 is not retried", steps: []step{{status: 400}}, want: []tried{{0, 400}}},
		{name: "401 is not retried", steps: []step{{status: 401}}, want: []tried{{0, 401}}},
		{name: "404 is not retried", steps: []step{{status: 404}}, want: []tried{{0, 404}}},
		{name: "408 is not retried", steps: []step{{status: 408}}, want: []tried{{0, 408}}},
		{name: "415 is not retried", steps: []step{{status: 415}}, want: []tried{{0, 415}}},
		{name: "302 is not retried", steps: []step{{status: 302}}, want: []tried{{0, 302}}},
		{name: "600 is no server error", steps: []step{{status: 600}}, want: []tried{{0, 600}}},

		{
			name:  "success ends the retries",
			steps: []step{refused, {status: 500}, {status: 202}},
			want:  []tried{{0, down}, {1 * s, 500}, {3 * s, 202}},
		},
		{
			name:  "a final answer ends the retries",
			steps: []step{unavailable, {status: 403}},
			want:  []tried{{0, 503}, {1 * s, 403}},
		},
		{
			name:  "the last outcome counts, an answer",
			steps: []step{refused, refused, refused, refused, {status: 500}},
			want:  []tried{{0, down}, {1 * s, down}, {3 * s, down}, {7 * s, down}, {15 * s, 500}},
		},
		{
			name:  "the last outcome counts, an error",
			steps: []step{unavailable, unavailable, unavailable, unavailable, refused},
			want:  []tried{{0, 503}, {1 * s, 503}, {3 * s, 503}, {7 * s, 503}, {15 * s, down}},
			fails: true,
		},
		{
			name:  "Retry-After replaces the wait that it follows, and only that",
			steps: []step{after(503, "20"), unavailable, after(429, "5"), unavailable, {status: 200}},
			want:  []tried{{0, 503}, {20 * s, 503}, {22 * s, 429}, {27 * s, 503}, {35 * s, 200}},
		},
		{
			name:  "Retry-After is honoured on any status that is retried",
			steps: []step{after(500, "9"), {status: 200}},
			want:  []tried{{0, 500}, {9 * s, 200}},
		},
		{
			name:  "Retry-After is honoured up to the maximum",
			steps: []step{after(503, "31"), after(503, "86400"), after(503, "99999999999999999"), after(503, "30"), {status: 200}},
			want:  []tried{{0, 503}, {30 * s, 503}, {60 * s, 503}, {90 * s, 503}, {120 * s, 200}},
		},
		{
			name:  "Retry-After does not take the wait below the minimum",
			steps: []step{after(503, "0"), after(429, "0"), {status: 200}},
			want:  []tried{{0, 503}, {1 * s, 429}, {2 * s, 200}},
		},
		{
			name:  "Retry-After may be a date",
			steps: []step{after(503, "in 7s"), {status: 200}},
			want:  []tried{{0, 503}, {7 * s, 200}},
		},
		{
			name:  "a date far away means the maximum, one in the past the minimum",
			steps: []step{after(503, "in 24h"), after(503, "in -1h"), {status: 200}},
			want:  []tried{{0, 503}, {30 * s, 503}, {31 * s, 200}},
		},
		{
			name:  "a Retry-After that makes no sense is passed over",
			steps: []step{after(503, "soon"), after(503, "-5"), after(503, "1.5"), {status: 200}},
			want:  []tried{{0, 503}, {1 * s, 503}, {3 * s, 503}, {7 * s, 200}},
		},
		{
			name:  "Retry-After does not make a final answer retried",
			steps: []step{after(400, "1")},
			want:  []tried{{0, 400}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checkRetries(t, c.steps, c.want, c.fails)
			})
		})
	}
}

func checkRetries(t *testing.T, steps []step, want []tried, fails bool) {
	begin := time.Now()
	client, stop := scripted(t, steps)
	defer stop()
	var got []tried
	response, err := client.PostRetrying(t.Context(), scriptedRequest(), func(a Attempt) {
		got = append(got, tried{a.At.Sub(begin), a.Status})
		if a.Number != len(got) {
			t.Errorf("attempt %d has the number %d", len(got), a.Number)
		}
		if (a.Err != nil) != (a.Status == 0) {
			t.Errorf("attempt %d has status %d and error %v", a.Number, a.Status, a.Err)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if (err != nil) != fails {
		t.Errorf("error %v, want one: %v", err, fails)
	}
	if last := want[len(want)-1]; response.Status != last.Status {
		t.Errorf("the answer has status %d, want %d", response.Status, last.Status)
	}
	if !fails && string(response.Body) != answerBody(response.Status) {
		t.Errorf("the answer's body is %q", response.Body)
	}
	if elapsed := time.Since(begin); elapsed != want[len(want)-1].After {
		t.Errorf("came back after %v, %v after the last attempt", elapsed, elapsed-want[len(want)-1].After)
	}
}

// scripted makes a client whose attempts go by the steps. Every attempt connects anew, so that each can fail.
func scripted(t *testing.T, steps []step) (*Client, func()) {
	attempt := 0
	answer := func(w http.ResponseWriter, r *http.Request) {
		now := steps[min(attempt, len(steps))-1]
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "the batch" {
			t.Errorf("attempt %d carried %q, %v", attempt, body, err)
		}
		if got := r.Header.Get("Authorization"); got != "Splunk key" {
			t.Errorf("attempt %d carried Authorization %q", attempt, got)
		}
		w.Header().Set("Connection", "close")
		if now.retryAfter != "" {
			w.Header().Set("Retry-After", retryAfterValue(now.retryAfter))
		}
		w.WriteHeader(now.status)
		io.WriteString(w, answerBody(now.status))
	}
	dial, stop := serveInMemory(http.HandlerFunc(answer))
	client := newClient(Options{}, func(ctx context.Context, network, address string) (net.Conn, error) {
		attempt++
		if now := steps[min(attempt, len(steps))-1]; now.dial != nil {
			return nil, now.dial
		}
		return dial(ctx, network, address)
	})
	return client, func() {
		client.CloseIdleConnections()
		stop()
	}
}

func scriptedRequest() Request {
	return Request{
		URL:    "http://siem.example.com/logs",
		Header: http.Header{"Authorization": {"Splunk key"}},
		Body:   []byte("the batch"),
	}
}

func answerBody(status int) string {
	if status == 204 {
		return ""
	}
	return "answer " + strconv.Itoa(status)
}

// retryAfterValue turns "in 7s" into a date of the bubble's clock.
func retryAfterValue(value string) string {
	if len(value) < 4 || value[:3] != "in " {
		return value
	}
	wait, err := time.ParseDuration(value[3:])
	if err != nil {
		panic(err)
	}
	return time.Now().Add(wait).UTC().Format(http.TimeFormat)
}

func TestCancellingEndsAWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client, stop := scripted(t, []step{{status: 503, retryAfter: "30"}})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		attempts := 0
		_, err := client.PostRetrying(ctx, scriptedRequest(), func(Attempt) { attempts++ })
		if !errors.Is(err, context.DeadlineExceeded) || attempts != 1 || time.Since(begin) != 4*time.Second {
			t.Errorf("after %v and %d attempts: %v", time.Since(begin), attempts, err)
		}
	})
}

func TestCancellingEndsAnAttemptAtOnceAndForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		dial, stop := serveInMemory(silent())
		defer stop()
		client := newClient(Options{}, dial)
		defer client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		attempts := 0
		_, err := client.PostRetrying(ctx, scriptedRequest(), func(Attempt) { attempts++ })
		if !errors.Is(err, context.DeadlineExceeded) || attempts != 1 || time.Since(begin) != 4*time.Second {
			t.Errorf("after %v and %d attempts: %v", time.Since(begin), attempts, err)
		}
	})
}

func TestAnAttemptThatTimesOutIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		dial, stop := serveInMemory(silent())
		defer stop()
		client := newClient(Options{Timeouts: Timeouts{Headers: 10 * time.Second}}, dial)
		defer client.CloseIdleConnections()
		var began []time.Duration
		_, err := client.PostRetrying(t.Context(), scriptedRequest(), func(a Attempt) { began = append(began, a.At.Sub(begin)) })
		if _, message := Describe(Response{}, err); message != "timed out" {
			t.Errorf("described as %q: %v", message, err)
		}
		s := time.Second
		if diff := cmp.Diff([]time.Duration{0, 11 * s, 23 * s, 37 * s, 55 * s}, began); diff != "" {
			t.Errorf("attempts began (-want +got):\n%s", diff)
		}
	})
}

func TestAnAnswerThatNeverEndsDoesNotHoldADelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		dial, stop := serveInMemory(dripping())
		defer stop()
		client := newClient(Options{}, dial)
		defer client.CloseIdleConnections()
		answer, err := client.PostRetrying(t.Context(), scriptedRequest(), nil)
		if err != nil || answer.Status != 200 || time.Since(begin) != DefaultWholeTimeout {
			t.Errorf("after %v: status %d, %v", time.Since(begin), answer.Status, err)
		}
	})
}

// silent never answers.
func silent() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
}

func TestNoAttemptIsMadeForAMalformedURL(t *testing.T) {
	client := newTestClient(t, loopback())
	for _, raw := range []string{"", "siem.example.com", "ftp://siem.example.com/", "https://user:pw@siem.example.com/", "https://siem.example.com/%zz"} {
		_, err := client.PostRetrying(t.Context(), Request{URL: raw}, func(Attempt) { t.Errorf("%q was tried", raw) })
		if err == nil {
			t.Errorf("%q gave no error", raw)
		}
	}
}

func TestWhatCannotGetBetterIsTriedOnce(t *testing.T) {
	trusted := newTLSServer(t)
	public, untrusting := newTestClient(t, Options{}), newTestClient(t, loopback())
	cases := []struct {
		name    string
		client  *Client
		request Request
	}{
		{"a refused address", public, Request{URL: trusted.URL}},
		{"a metadata service", untrusting, Request{URL: "http://169.254.169.254/latest"}},
		{"an unknown authority", untrusting, Request{URL: trusted.URL}},
		{"a header that cannot be sent", untrusting, Request{URL: trusted.URL, Header: http.Header{"Authorization": {"SEC\nSEC"}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			attempts := 0
			_, err := c.client.PostRetrying(t.Context(), c.request, func(a Attempt) {
				attempts++
				if a.Err == nil || a.Status != 0 || strings.Contains(a.Err.Error(), "SEC") {
					t.Errorf("attempt has status %d, error %v", a.Status, a.Err)
				}
			})
			if err == nil || attempts != 1 {
				t.Errorf("%d attempts, error %v; want one attempt and an error", attempts, err)
			}
		})
	}
}
