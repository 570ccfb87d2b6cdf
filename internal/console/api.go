package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
)

// maxAnswer bounds what one call's answer may hold in memory, in bytes.
const maxAnswer = 8 << 20

// call is a call of a half's API.
type call struct {
	half   half
	method string // empty: GET
	path   string // escaped, as in an address: see pathOf
	query  url.Values
	body   any         // sent as JSON; nil: none
	header http.Header // beside what every call has
}

// answer is what an API said, up to maxAnswer bytes of it.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // there was more
}

// pathOf joins the segments of a path, each escaped: pathOf("v3", "users", id).
func pathOf(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return "/" + strings.Join(escaped, "/")
}

// get reads the JSON at a path into out. Its error is an *apiError when the API
// refused the call.
func (v *visit) get(ctx context.Context, h half, path string, query url.Values, out any) error {
	_, err := v.do(ctx, call{half: h, path: path, query: query}, out)
	return err
}

// send makes a change with a body of JSON, if in is not nil, and reads the answer
// into out, if that is not nil.
func (v *visit) send(ctx context.Context, h half, method, path string, in, out any) error {
	_, err := v.do(ctx, call{half: h, method: method, path: path, body: in}, out)
	return err
}

// do makes a call and returns the answer, for what is in its headers or is not
// JSON, which out then does without: nil.
func (v *visit) do(ctx context.Context, c call, out any) (answer, error) {
	request, err := v.request(ctx, c)
	if err != nil {
		return answer{}, err
	}
	a, err := v.console.serve(c.half, request)
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", request.Method, c.path, err)
	}
	if a.status >= http.StatusMultipleChoices { // an API leads nowhere else
		return a, newAPIError(c, a)
	}
	if out == nil {
		return a, nil
	}
	if a.cut {
		return a, fmt.Errorf("%s %s: the answer has more than %d bytes", request.Method, c.path, maxAnswer)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return a, fmt.Errorf("%s %s: the answer: %w", request.Method, c.path, err)
	}
	return a, nil
}

// request is the call as a request of the person's own: with their credential, and
// from their address, which the audit events tell.
func (v *visit) request(ctx context.Context, c call) (*http.Request, error) {
	method, body := c.method, []byte(nil)
	if method == "" {
		method = http.MethodGet
	}
	header := http.Header{}
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, c.path, err)
		}
		header.Set("Content-Type", "application/json")
	}
	target := c.path
	if len(c.query) > 0 {
		target += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, c.path, err)
	}
	for _, name := range [...]string{"User-Agent", "X-Forwarded-For", "Traceparent", "X-Datadog-Trace-Id"} {
		if values := v.r.Header.Values(name); len(values) > 0 {
			header[name] = values
		}
	}
	if v.session.holds(c.half) {
		header.Set("Authorization", v.session.credentials[c.half].authorization)
	}
	for name, values := range c.header {
		header[name] = values
	}
	request.Header, request.RemoteAddr, request.RequestURI = header, v.r.RemoteAddr, target
	request.Host = v.r.Host
	if c.half == platformHalf && v.region != "" {
		request.Host = v.region + ".api.localhost"
	}
	return request, nil
}

// serve has a half answer a request. It returns when the half has done so; a
// half's panic is its error, as this may be a goroutine of ours.
func (c *Console) serve(h half, request *http.Request) (a answer, err error) {
	if c.halves[h] == nil {
		return answer{}, errors.New("this half does not run in this process")
	}
	defer func() {
		if p := recover(); p != nil {
			c.logger.Error("console: the API panicked", "panic", p, "stack", string(debug.Stack()))
			err = errors.New("the API broke off")
		}
	}()
	kept := &capture{header: http.Header{}}
	c.halves[h].ServeHTTP(kept, request)
	kept.WriteHeader(http.StatusOK)
	return answer{kept.status, kept.header, kept.body.Bytes(), kept.full}, nil
}

// capture is a ResponseWriter that keeps the answer, up to maxAnswer.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   bool
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

var errFull = errors.New("the console keeps no more of an answer")

// Write takes whole writes only, so that of lines none is cut in two.
func (c *capture) Write(data []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.full || c.body.Len()+len(data) > maxAnswer {
		c.full = true
		return 0, errFull
	}
	return c.body.Write(data)
}
