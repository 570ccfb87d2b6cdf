package loadtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTime is how long a request may take as a whole. Longer than a server
	// lets a search take, so that it is the server who says that it took too long.
	requestTime = 2 * time.Minute
	// maxAnswer is the longest answer that is read as a whole, in bytes.
	maxAnswer = 64 << 20
)

// newHTTPClient makes a client with so many connections, each of HTTP/1.1: with
// HTTP/2 all requests would share one. It follows no redirects, which would take
// secrets elsewhere.
func newHTTPClient(t Target, connections int, timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = connections, connections
	transport.TLSClientConfig = t.TLS.Clone()
	transport.ForceAttemptHTTP2 = false
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newConnections makes clients of one connection each. Those that share a pool dial
// more than they need now and then, and the server hangs up on what it hears nothing
// from.
func newConnections(o Options) []*http.Client {
	connections := make([]*http.Client, o.Connections)
	for i := range connections {
		connections[i] = newHTTPClient(o.Target, 1, requestTime)
	}
	return connections
}

// apiClient calls the platform's API.
type apiClient struct {
	target    Target
	userAgent string
	http      *http.Client
}

func newAPIClient(o Options) *apiClient {
	return &apiClient{o.Target, "trailhook/" + o.Version, newHTTPClient(o.Target, 2, requestTime)}
}

func (c *apiClient) close() { c.http.CloseIdleConnections() }

// request makes a request; userAgent is the client's own if it is empty.
func (c *apiClient) request(ctx context.Context, method, path, userAgent string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.target.API, "/")+path, bytes.NewReader(body))
	if err != nil || request.URL.Host == "" {
		return nil, fmt.Errorf("--api %s: not a URL such as https://us.api.example.com", c.target.API)
	}
	if c.target.Region != "" {
		request.Host = c.target.Region + ".api.localhost"
	}
	request.Header.Set("Authorization", "Bearer "+c.target.Token)
	request.Header.Set("User-Agent", cmp.Or(userAgent, c.userAgent))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// call makes a call with a body as JSON, unless it is nil, and decodes the answer
// into result, unless that is nil. What is no success is an error in the server's words.
func (c *apiClient) call(ctx context.Context, method, path string, body, result any) error {
	content, err := encode(body)
	if err != nil {
		return err
	}
	request, err := c.request(ctx, method, path, "", content)
	if err != nil {
		return err
	}
	answer, err := exchange(c.http, request)
	if err != nil {
		return fmt.Errorf("--api %s: %w", c.target.API, err)
	}
	return decode(answer, result)
}

// siemClient calls the SIEM's API.
type siemClient struct {
	target    Target
	userAgent string
	http      *http.Client
	streaming *http.Client // for answers that do not end
}

func newSIEMClient(o Options) *siemClient {
	return &siemClient{o.Target, "trailhook/" + o.Version, newHTTPClient(o.Target, 2, requestTime), newHTTPClient(o.Target, 1, 0)}
}

func (c *siemClient) close() {
	c.http.CloseIdleConnections()
	c.streaming.CloseIdleConnections()
}

func (c *siemClient) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.target.SIEM, "/")+path, bytes.NewReader(body))
	if err != nil || request.URL.Host == "" {
		return nil, fmt.Errorf("--siem %s: not a URL such as https://siem.example.com", c.target.SIEM)
	}
	request.SetBasicAuth(c.target.AccessID, c.target.AccessKey)
	request.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func (c *siemClient) call(ctx context.Context, method, path string, body, result any) error {
	content, err := encode(body)
	if err != nil {
		return err
	}
	request, err := c.request(ctx, method, path, content)
	if err != nil {
		return err
	}
	answer, err := exchange(c.http, request)
	if err != nil {
		return fmt.Errorf("--siem %s: %w", c.target.SIEM, err)
	}
	return decode(answer, result)
}

func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return json.Marshal(body)
}

func decode(answer []byte, result any) error {
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("the answer is not what a Trailhook server gives: %w", err)
	}
	return nil
}

// exchange reads the whole of an answer. Where the server asks for patience (429), as
// it does after a load that was too much for it, the request is repeated.
func exchange(client *http.Client, request *http.Request) ([]byte, error) {
	for tries := 1; ; tries++ {
		response, answer, err := exchangeOnce(client, request)
		if err != nil {
			return nil, err
		}
		refused := refusalOf(response, answer)
		if refused == nil || refused.status != http.StatusTooManyRequests || tries == mostTries {
			return answer, asError(refused)
		}
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // what is no number is a second
		if !pause(request.Context(), time.Duration(min(max(seconds, 1), 10))*time.Second) {
			return nil, refused
		}
		request = request.Clone(request.Context())
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
}

const mostTries = 20

func exchangeOnce(client *http.Client, request *http.Request) (*http.Response, []byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: is the server running there?", withoutURL(err))
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", withoutURL(err))
	}
	return response, answer, nil
}

// refusal is an answer that is no success, in the server's words.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func asError(r *refusal) error {
	if r == nil {
		return nil
	}
	return r
}

// refusalOf returns nil for a success.
func refusalOf(response *http.Response, answer []byte) *refusal {
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return nil
	}
	var told struct {
		Detail, Message   string
		InvalidParameters []struct{ Field, Reason string } `json:"invalid_parameters"`
	}
	_ = json.Unmarshal(answer, &told) // what is not told is left out
	text := fmt.Sprintf("%s %s: %s", response.Request.Method, response.Request.URL.Path, response.Status)
	if why := cmp.Or(told.Detail, told.Message); why != "" {
		text += ": " + why
	}
	for _, p := range told.InvalidParameters {
		text += fmt.Sprintf("; %s: %s", p.Field, p.Reason)
	}
	return &refusal{response.StatusCode, text}
}

// withoutURL takes the address, which can be long, out of an error of a request.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
