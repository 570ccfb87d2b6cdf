// Package outbound is the one HTTP client for addresses that users give: webhook endpoints, key sets of
// others. Whoever may create a destination chooses where this machine connects to, so
//
//   - the address is checked when the connection is made, after the name was resolved: a name that answers
//     with another address the second time, a redirect and an odd spelling of an IP address change nothing;
//   - redirects are not followed, a proxy is used only where the operator names one, cookies are not kept;
//   - every phase has a limit in time, and an answer one in size;
//   - errors name the host, never the path or the query of a URL, since these may hold an access code, and
//     quote nothing of an answer.
//
// Post and Get make one attempt. PostRetrying follows the retry rule of Konnect's audit log webhooks.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// DefaultMaxBody is how many bytes of an answer are kept when the request names no other limit.
const DefaultMaxBody = 64 << 10

// The limits in time of one attempt, for those that Timeouts leaves at zero.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultTLSTimeout     = 5 * time.Second
	DefaultHeaderTimeout  = 15 * time.Second
	DefaultWholeTimeout   = 30 * time.Second
)

// Client makes requests to addresses that users give. It is safe for concurrent use; one serves the whole
// process, so that connections are shared.
type Client struct {
	verifying   *http.Client
	unverifying *http.Client
	userAgent   string
	unused      func(skipTLSVerify bool) *http.Client // makes one like these two, without connections
	options     Options
}

// Options are what New needs. The zero value reaches public addresses only and trusts the system's
// certificate authorities.
type Options struct {
	Policy    Policy
	RootCAs   *x509.CertPool // trusted certificate authorities; nil: the system's
	UserAgent string         // sent with requests that set none
	Timeouts  Timeouts
	Proxy     *url.URL // that makes the connections; nil: none. The environment's is never used
}

// Timeouts limit one attempt; zero stands for the default beside it.
type Timeouts struct {
	Connect time.Duration // resolving the name and connecting
	TLS     time.Duration // the TLS handshake
	Headers time.Duration // from the request sent to the answer's headers
	Whole   time.Duration // everything, the answer's body included
}

// Request is what Post and Get send.
type Request struct {
	URL           string
	Header        http.Header
	Body          []byte
	SkipTLSVerify bool // accept any certificate
	MaxBody       int  // how many bytes of the answer's body are kept; 0: DefaultMaxBody
}

// Response is an answer, of whatever status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// New makes a Client.
func New(o Options) *Client {
	return newClient(o, newDialer(o).DialContext)
}

// newDialer makes the guard: whatever connects, connects through it; to a proxy
// that the operator has named, wherever that is.
func newDialer(o Options) *net.Dialer {
	dialer := &net.Dialer{Timeout: orDefault(o.Timeouts.Connect, DefaultConnectTimeout)}
	if o.Proxy == nil {
		dialer.ControlContext = o.Policy.control
	}
	return dialer
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func newClient(o Options, dial dialFunc) *Client {
	return &Client{
		verifying:   newHTTPClient(o, dial, false),
		unverifying: newHTTPClient(o, dial, true),
		userAgent:   o.UserAgent,
		options:     o,
		unused:      func(skipTLSVerify bool) *http.Client { return newHTTPClient(o, dial, skipTLSVerify) },
	}
}

func newHTTPClient(o Options, dial dialFunc, skipTLSVerify bool) *http.Client {
	var proxy func(*http.Request) (*url.URL, error) // nil: one would connect past the guard
	if o.Proxy != nil {
		proxy = (&proxied{o.Proxy, o.Policy}).choose
	}
	return &http.Client{
		Timeout: orDefault(o.Timeouts.Whole, DefaultWholeTimeout),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			Proxy:       proxy,
			DialContext: dial,
			TLSClientConfig: &tls.Config{
				MinVersion:         tls.VersionTLS12,
				RootCAs:            o.RootCAs,
				InsecureSkipVerify: skipTLSVerify,
			},
			TLSHandshakeTimeout:    orDefault(o.Timeouts.TLS, DefaultTLSTimeout),
			ResponseHeaderTimeout:  orDefault(o.Timeouts.Headers, DefaultHeaderTimeout),
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // so that the limit on a body is a limit on what is received
			ForceAttemptHTTP2:      true,
			// An HTTP/2 connection that died without a word would take every request until TCP notices.
			HTTP2:               &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     90 * time.Second,
		},
	}
}

// CloseIdleConnections closes the connections that are kept for later requests.
func (c *Client) CloseIdleConnections() {
	c.verifying.CloseIdleConnections()
	c.unverifying.CloseIdleConnections()
}

// Post sends the body once and returns the answer, of whatever status. A longer body of the answer is cut
// at the limit, and one that breaks off is kept as far as it came: the status is the receiver's word.
func (c *Client) Post(ctx context.Context, r Request) (Response, error) {
	response, _, err := c.once(ctx, c.http(r), http.MethodPost, r)
	return response, err
}

// Get fetches the URL once and returns the answer, of whatever status. A body that is longer than the
// limit or breaks off is an error, since a part of a document is not the document.
func (c *Client) Get(ctx context.Context, r Request) (Response, error) {
	response, bodyErr, err := c.once(ctx, c.http(r), http.MethodGet, r)
	return response, errors.Join(err, bodyErr)
}

func (c *Client) once(ctx context.Context, client *http.Client, method string, r Request) (response Response, bodyErr, err error) {
	target, err := parseURL(r.URL)
	if err != nil {
		return Response{}, nil, fmt.Errorf("%s: the address %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, nil, fail(method, target, err)
	}
	request.Header = c.header(r.Header)
	answer, err := client.Do(request)
	if err != nil {
		return Response{}, nil, fail(method, target, err)
	}
	response, bodyErr = read(answer, r.MaxBody)
	if bodyErr != nil {
		bodyErr = locate(method, target, bodyErr)
	}
	return response, bodyErr, nil
}

func (c *Client) http(r Request) *http.Client {
	if r.SkipTLSVerify {
		return c.unverifying
	}
	return c.verifying
}

func (c *Client) header(given http.Header) http.Header {
	header := given.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("User-Agent") == "" && c.userAgent != "" {
		header.Set("User-Agent", c.userAgent)
	}
	return header
}

// maxDrain is how many bytes past the limit are read and thrown away, to be able to use the connection again.
const maxDrain = 64 << 10

// read takes an answer's body up to the limit and closes it. The error says that it is not all of the body.
func read(answer *http.Response, limit int) (Response, error) {
	defer answer.Body.Close()
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	response := Response{Status: answer.StatusCode, Header: answer.Header}
	var err error
	response.Body, err = io.ReadAll(io.LimitReader(answer.Body, int64(limit)))
	if err != nil {
		return response, fmt.Errorf("read the answer: %w", conceal(err))
	}
	// What cannot be drained costs the connection, nothing else.
	if excess, _ := io.CopyN(io.Discard, answer.Body, maxDrain); excess > 0 {
		return response, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return response, nil
}

// fail tells which request failed. net/http's own error would quote the whole URL.
func fail(method string, target *url.URL, err error) error {
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		err = quoting.Err
	}
	return locate(method, target, conceal(err))
}

func locate(method string, target *url.URL, err error) error {
	return fmt.Errorf("%s %s://%s: %w", method, target.Scheme, target.Host, err)
}

// conceal replaces an error that may quote an answer: net/http quotes what it cannot read, and a server
// that echoes what it is sent would get the request's secrets into the log that way.
func conceal(err error) error {
	if _, known := explain(err); !known {
		return errors.New(noValidAnswer)
	}
	return err
}

func orDefault(given, otherwise time.Duration) time.Duration {
	if given == 0 {
		return otherwise
	}
	return given
}
