package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// siemCallTime is how long a call of the SIEM's API may take that does not search.
const siemCallTime = 90 * time.Second

// siemProblem is what the SIEM's API refuses a call with.
type siemProblem struct {
	Code, Message string
}

func (p *siemProblem) Error() string { return harmless(p.Message) }

// place is where in a text the problem is, if it is in one: line and column, from 1,
// and the message without them.
func (p *siemProblem) place() (line, column int, message string) {
	found := placeOfError.FindStringSubmatch(p.Message)
	if found == nil {
		return 0, 0, p.Message
	}
	line, _ = strconv.Atoi(found[1])
	column, _ = strconv.Atoi(found[2])
	return line, column, p.Message[len(found[0]):]
}

// call makes a call of the SIEM's API, with a body as JSON unless it is nil, and
// decodes the answer into result unless that is nil. match is the ETag of what the
// call changes; empty: none is sent. A refusal wraps a *[siemProblem].
func (f *siemFlags) call(ctx context.Context, method, path, match string, body, result any) (etag string, err error) {
	id, key, err := f.credentials()
	if err != nil {
		return "", err
	}
	client, err := newClient(f.CA, siemCallTime)
	if err != nil {
		return "", err
	}
	defer client.CloseIdleConnections()
	var content []byte
	if body != nil {
		if content, err = json.Marshal(body); err != nil {
			return "", err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(f.SIEM, "/")+path, bytes.NewReader(content))
	if err != nil {
		return "", fmt.Errorf("--siem %s: not a URL such as https://siem.example.com", f.SIEM)
	}
	request.SetBasicAuth(id, key)
	request.Header.Set("User-Agent", "trailhook/"+version)
	request.Header.Set("Content-Type", "application/json")
	if match != "" {
		request.Header.Set("If-Match", match)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: is the server running there? (--siem %s)", withoutURL(err), f.SIEM)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAPIAnswer))
	if err != nil {
		return "", fmt.Errorf("--siem %s: read the answer: %w", f.SIEM, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		problem := &siemProblem{}
		if json.Unmarshal(answer, problem) != nil || problem.Message == "" {
			return "", fmt.Errorf("%s %s: %s", method, path, response.Status)
		}
		return "", fmt.Errorf("%s %s: %s: %w", method, path, response.Status, problem)
	}
	if result == nil {
		return response.Header.Get("ETag"), nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return "", errors.Join(fmt.Errorf("--siem %s: the answer is not what a Trailhook server gives", f.SIEM), err)
	}
	return response.Header.Get("ETag"), nil
}
