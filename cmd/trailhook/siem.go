package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// siemFlags say which SIEM a command talks to, and as whom.
type siemFlags struct {
	SIEM      string `name:"siem" help:"URL of the SIEM's side." default:"http://127.0.0.1:8090" env:"TRAILHOOK_SIEM" placeholder:"URL"`
	AccessID  string `help:"Access id for it." env:"TRAILHOOK_ACCESS_ID,SIEM_ACCESS_ID" placeholder:"ID"`
	AccessKey string `help:"Access key for it." env:"TRAILHOOK_ACCESS_KEY,SIEM_ACCESS_KEY" placeholder:"KEY"`
	DataDir   string `help:"Folder of the server's data: the access key is read from admin.access-key in it, unless one is given." env:"TRAILHOOK_DATA_DIR" type:"path" placeholder:"DIR"`
	CA        string `name:"ca" help:"PEM file of the authority that the server's certificate is from." env:"TRAILHOOK_CA" placeholder:"FILE"`
}

// siemSearchTime is longer than a server lets a search take, so that it is the
// server who says that it took too long.
const siemSearchTime = 2 * time.Minute

// stream is an answer that is read as it comes.
type stream struct {
	io.ReadCloser
	client *http.Client
	header http.Header
}

func (s *stream) Close() error {
	defer s.client.CloseIdleConnections()
	return s.ReadCloser.Close()
}

// refusal is an answer that is none.
type refusal struct {
	status int
	error
}

func (r *refusal) Unwrap() error { return r.error }

// errNoAnswer says that nobody answered.
var errNoAnswer = errors.New("is the server running there?")

// get begins to read an answer; timeout bounds all of it, unless it is 0. A
// [refusal] is an error in the server's words, and one of the query shows its place.
func (f *siemFlags) get(ctx context.Context, path string, parameters url.Values, timeout time.Duration) (*stream, error) {
	return f.getWith(ctx, path, parameters, nil, timeout)
}

// getWith is get with headers of the caller's.
func (f *siemFlags) getWith(ctx context.Context, path string, parameters url.Values, header http.Header, timeout time.Duration) (*stream, error) {
	id, key, err := f.credentials()
	if err != nil {
		return nil, err
	}
	client, err := newClient(f.CA, timeout)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.SIEM, "/")+path+"?"+parameters.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("--siem %s: not a URL such as https://siem.example.com", f.SIEM)
	}
	maps.Copy(request.Header, header)
	request.SetBasicAuth(id, key)
	request.Header.Set("User-Agent", "trailhook/"+version)
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w (--siem %s)", withoutURL(err), errNoAnswer, f.SIEM)
	}
	answer := &stream{response.Body, client, response.Header}
	if response.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAPIAnswer)) // what there is of it is told
	return nil, &refusal{response.StatusCode, siemRefusal(path, response.Status, text, parameters.Get("query"))}
}

// withoutURL takes the query, which can be long, out of an error of a request.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func (f *siemFlags) credentials() (id, key string, err error) {
	switch {
	case f.AccessID != "" && f.AccessKey != "":
		return f.AccessID, f.AccessKey, nil
	case f.AccessID != "" || f.AccessKey != "":
		return "", "", errors.New("--access-id and --access-key go together")
	case f.DataDir == "":
		return "", "", errors.New("give an access key with --access-id and --access-key (SIEM_ACCESS_ID, SIEM_ACCESS_KEY, as the server printed them), or the server's --data-dir")
	}
	text, err := os.ReadFile(filepath.Join(f.DataDir, "admin.access-key"))
	if err != nil {
		return "", "", fmt.Errorf("--data-dir: %w", err)
	}
	id, key, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
	if !ok {
		return "", "", fmt.Errorf("--data-dir: %s does not hold ID:KEY", filepath.Join(f.DataDir, "admin.access-key"))
	}
	return id, key, nil
}

var placeOfError = regexp.MustCompile(`^(\d{1,9}):(\d{1,9}): `)

// siemRefusal puts a problem of the SIEM's side into an error.
func siemRefusal(path, status string, answer []byte, query string) error {
	var problem struct{ Code, Message string }
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Message == "" {
		return fmt.Errorf("GET %s: %s", path, status)
	}
	place := placeOfError.FindStringSubmatch(problem.Message)
	if problem.Code != "invalid_query" || place == nil {
		return fmt.Errorf("GET %s: %s: %s", path, status, harmless(problem.Message))
	}
	line, _ := strconv.Atoi(place[1])
	column, _ := strconv.Atoi(place[2])
	return fmt.Errorf("query: %s%s", harmless(problem.Message[len(place[0]):]), pointAt(query, line, column))
}

// pointAt shows a line of the query with a caret under the column, both counted
// from 1, or nothing if there is no such place.
func pointAt(query string, line, column int) string {
	lines := strings.Split(query, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := []rune(lines[line-1])
	if column < 1 || column > len(text)+1 {
		return ""
	}
	// A character that takes no room, or more than one, would move the caret.
	before := harmless(strings.ReplaceAll(string(text[:column-1]), "\t", " "))
	after := harmless(strings.ReplaceAll(string(text[column-1:]), "\t", " "))
	return "\n  " + before + after + "\n  " + strings.Repeat(" ", len([]rune(before))) + "^"
}

// object is a JSON object of texts and nulls, in the order in which it came.
type object []member

type member struct {
	name, value string
}

func (o object) get(name string) (value string, ok bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return "", false
}

func parseObject(text []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o := object{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value *string
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if value == nil {
			value = new(string)
		}
		o = append(o, member{name.(string), *value})
	}
	return o, nil
}

// maxSIEMLine is the longest line of an answer, in bytes: a raw line with its
// fields, written as JSON.
const maxSIEMLine = 64 << 20

// eachLine gives the lines of an answer to do. What stands behind the last line's end
// is the beginning of one of which the rest was lost: it is an error, and no line.
func eachLine(from io.Reader, do func(line []byte) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxSIEMLine)
	lines.Split(wholeLines)
	for lines.Scan() {
		if err := do(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the answer: %w", withoutURL(err))
	}
	return nil
}

// wholeLines is a [bufio.SplitFunc].
func wholeLines(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
	}
	if atEnd && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}
