package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// request is one request of the tutorial, both as a person would type it and
// as it is sent: the two come from the same words. ${NAMES} in it stand for
// the shell's variables.
type request struct {
	method string
	url    string
	bearer string   // the variable that holds the token
	user   string   // id:key of basic authentication
	json   string   // the body
	query  []string // name=value, for a GET
}

// curl is the request as a command line that can be pasted into a shell in
// which the variables are set.
func (r request) curl() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, " \\\n  "+format, args...) }
	fmt.Fprintf(&b, "curl -X %s \"%s\"", r.method, r.url)
	line("--no-progress-meter --fail-with-body")
	if r.bearer != "" {
		line("-H \"Authorization: Bearer $%s\"", r.bearer)
	}
	if r.user != "" {
		line("-u \"%s\"", r.user)
	}
	if len(r.query) > 0 {
		line("--get")
	}
	for _, q := range r.query {
		line("--data-urlencode '%s'", q)
	}
	if r.json != "" {
		line("--json '%s'", outsideQuotes(r.json))
	}
	return b.String()
}

// outsideQuotes writes the variables of a single-quoted text so that the shell
// replaces them: it ends the quotes before each and opens them after.
func outsideQuotes(text string) string {
	return os.Expand(text, func(name string) string { return "'\"$" + name + "\"'" })
}

// client sends the requests. It knows the local authority, and that every name
// under localhost is this machine (RFC 6761), which curl knows too.
func newClient(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				if err == nil && strings.HasSuffix(host, ".localhost") {
					address = net.JoinHostPort("localhost", port)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
	}, nil
}

// answer is what came back.
type answer struct {
	status  string
	header  http.Header
	body    []byte
	elapsed time.Duration
}

// send makes the request. An answer other than 2xx is an error that quotes it.
func (r request) send(ctx context.Context, client *http.Client, variables map[string]string) (answer, error) {
	expand := func(s string) string { return os.Expand(s, func(name string) string { return variables[name] }) }
	var body io.Reader
	if r.json != "" {
		body = strings.NewReader(expand(r.json))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, expand(r.url), body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "trailhook-demo")
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+variables[r.bearer])
	}
	if r.user != "" {
		id, key, _ := strings.Cut(expand(r.user), ":")
		req.SetBasicAuth(id, key)
	}
	if r.json != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	parameters := req.URL.Query()
	for _, q := range r.query {
		name, value, _ := strings.Cut(q, "=")
		parameters.Set(name, value)
	}
	req.URL.RawQuery = parameters.Encode()

	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.Status, header: resp.Header, body: data, elapsed: time.Since(start)}
	if resp.StatusCode > 299 {
		return a, fmt.Errorf("%s %s: %s: %s", r.method, req.URL.Redacted(), resp.Status, bytes.TrimSpace(data))
	}
	return a, nil
}

// field returns a value of a JSON answer, by the path to it.
func (a answer) field(path ...string) (string, error) {
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		return "", fmt.Errorf("the answer is not JSON: %w", err)
	}
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case float64:
		return fmt.Sprintf("%.0f", v), nil
	}
	return "", fmt.Errorf("the answer has no %s", strings.Join(path, "."))
}
