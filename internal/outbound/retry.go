package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// The retry rule of Konnect's audit log webhooks, as Kong documents it: at most four retries, after 1, 2, 4
// and 8 seconds.
const (
	RetryWaitMin = 1 * time.Second
	RetryWaitMax = 30 * time.Second
	RetryMax     = 4
)

// Attempt is one try of PostRetrying.
type Attempt struct {
	Number int       // from 1
	Status int       // of the answer; 0 without one
	Err    error     // why there was no answer
	At     time.Time // when it began
}

// PostRetrying sends the body until it is answered by something that a retry would not change, at most
// RetryMax times more, and returns the last answer, of whatever status, or the last error.
//
// Retried are connection errors, 429, and 5xx but 501. Not retried are other answers, certificate errors,
// refused addresses and malformed URLs. Between two attempts it waits RetryWaitMin, doubled each time, or
// what Retry-After asks for, in seconds or as a date, but never less than RetryWaitMin nor more than
// RetryWaitMax. When ctx is done it stops at once, waiting or not, with an error that wraps ctx.Err().
//
// onAttempt, when not nil, is called after each attempt and before the wait that follows it.
func (c *Client) PostRetrying(ctx context.Context, r Request, onAttempt func(Attempt)) (Response, error) {
	target, err := parseURL(r.URL)
	if err != nil {
		return Response{}, fmt.Errorf("%s: the address %w", http.MethodPost, err)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, r.URL, r.Body)
	if err != nil {
		return Response{}, fail(http.MethodPost, target, err)
	}
	request.Header = c.header(r.Header)

	var last Attempt
	retrying := &retryablehttp.Client{
		HTTPClient:   withoutClosing(c.http(r)),
		RetryWaitMin: RetryWaitMin,
		RetryWaitMax: RetryWaitMax,
		RetryMax:     RetryMax,
		Backoff:      backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		RequestLogHook: func(_ retryablehttp.Logger, _ *http.Request, retry int) {
			last = Attempt{Number: retry + 1, At: time.Now()}
		},
		CheckRetry: func(ctx context.Context, answer *http.Response, err error) (bool, error) {
			if err != nil {
				last.Err = fail(http.MethodPost, target, err)
			} else {
				last.Status = answer.StatusCode
			}
			if onAttempt != nil {
				onAttempt(last)
			}
			return shouldRetry(ctx, answer, err), nil
		},
	}
	answer, err := retrying.Do(request)
	if err != nil {
		return Response{}, fail(http.MethodPost, target, err)
	}
	response, _ := read(answer, r.MaxBody)
	return response, nil
}

// shouldRetry is the rule. An attempt that was answered is over even if ctx is done since: the answer counts.
func shouldRetry(ctx context.Context, answer *http.Response, err error) bool {
	if err == nil {
		status := answer.StatusCode
		return status == http.StatusTooManyRequests ||
			status >= 500 && status <= 599 && status != http.StatusNotImplemented
	}
	if _, refused := errors.AsType[*RefusedError](err); refused {
		return false
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	// The library knows what else cannot get better: a ctx that is done, a header that cannot be sent.
	again, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	return again
}

// backoff is the library's, but for Retry-After: the library lets the receiver ask for any wait, none and
// centuries included.
func backoff(least, most time.Duration, retry int, answer *http.Response) time.Duration {
	if answer != nil {
		if wait, ok := retryAfter(answer.Header.Get("Retry-After"), most); ok {
			return min(max(wait, least), most)
		}
	}
	return retryablehttp.DefaultBackoff(least, most, retry, nil)
}

// retryAfter reads both forms that RFC 9110, section 10.2.3, gives to the header: seconds and a date. Seconds
// that are too many for a Duration come back as most.
func retryAfter(value string, most time.Duration) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		if seconds > uint64(most/time.Second) {
			return most, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return time.Until(date), true
}

// withoutClosing hides the transport's CloseIdleConnections, which the library calls whenever it gives up:
// one endpoint that is down would cost all others their connections.
func withoutClosing(client *http.Client) *http.Client {
	plain := *client
	plain.Transport = struct{ http.RoundTripper }{client.Transport}
	return &plain
}
