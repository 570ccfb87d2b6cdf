package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// apiFlags say which server a command talks to, and as whom.
type apiFlags struct {
	API   string `name:"api" help:"URL of the server's API." default:"http://127.0.0.1:8080" env:"TRAILHOOK_API" placeholder:"URL"`
	Token string `help:"Access token for it." env:"TRAILHOOK_TOKEN" placeholder:"TOKEN"`
	CA    string `name:"ca" help:"PEM file of the authority that the server's certificate is from." env:"TRAILHOOK_CA" placeholder:"FILE"`

	// Region is the region to act in, by the Host header; empty: the URL's own.
	// Commands for which it matters have a flag for it.
	Region string `kong:"-"`
}

// maxAPIAnswer is the longest answer that is read, in bytes.
const maxAPIAnswer = 16 << 20

// call makes a request of the API and decodes its answer into result. An answer
// that is no success is a [refusal] in the server's words.
func (f *apiFlags) call(ctx context.Context, method, path string, body, result any) error {
	if f.Token == "" {
		return fmt.Errorf("give an access token with --token or TRAILHOOK_TOKEN")
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := f.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: is the server running there? (--api %s)", err, f.API)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAPIAnswer))
	if err != nil {
		return fmt.Errorf("--api %s: read the answer: %w", f.API, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &refusal{response.StatusCode, refusalOf(method, path, response.Status, answer)}
	}
	if result == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("--api %s: the answer is not what a Trailhook server gives: %w", f.API, err)
	}
	return nil
}

func (f *apiFlags) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(f.API, "/")+path, content)
	if err != nil {
		return nil, fmt.Errorf("--api %s: not a URL such as https://us.api.example.com", f.API)
	}
	if f.Region != "" {
		request.Host = f.Region + ".api.localhost"
	}
	request.Header.Set("Authorization", "Bearer "+f.Token)
	request.Header.Set("User-Agent", "trailhook/"+version)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func (f *apiFlags) client() (*http.Client, error) { return newClient(f.CA, 90*time.Second) }

// newClient makes a client that trusts the authorities of a PEM file, if one is
// named, in place of the system's. It follows no redirects: they would take
// secrets elsewhere.
func newClient(ca string, timeout time.Duration) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if ca != "" {
		roots, err := readPool(ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// refusalOf puts a problem (RFC 9457) into an error.
func refusalOf(method, path, status string, answer []byte) error {
	var problem struct {
		Detail            string
		InvalidParameters []struct{ Field, Reason string } `json:"invalid_parameters"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Detail == "" {
		return fmt.Errorf("%s %s: %s", method, path, status)
	}
	detail := problem.Detail
	for _, p := range problem.InvalidParameters {
		detail += fmt.Sprintf("; %s: %s", p.Field, p.Reason)
	}
	return fmt.Errorf("%s %s: %s: %s", method, path, status, detail)
}
