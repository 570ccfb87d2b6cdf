// Package demo runs the tutorial of Konnect's audit logs from start to end on
// a server made for the run: a token, a collection endpoint and an access key
// at the SIEM, a destination, the webhook, one API call, and the signed line
// found by searching for its source.
//
// What it prints is a shell script: each request as a curl line, everything
// else as comments.
package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/server"
)

// patience is how long the line may take to be found. It takes less than a
// second; a machine that is very busy gets the time.
const patience = 30 * time.Second

// Options say how the demo is to run.
type Options struct {
	Out     io.Writer
	Version string
	Keep    bool // leave the server running until ctx is done
}

// Run runs the tutorial. It returns nil only when the line of the control-planes
// call was found and its signature verified.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "trailhook-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	// Its own log goes to a file beside: the screen belongs to the tutorial.
	logFile, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	srv, err := server.Start(ctx, server.Config{
		DataDir: filepath.Join(dir, "data"), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0",
		Region: "us", TLS: "auto", AllowPrivateDestinations: true, Version: o.Version,
		Logger: slog.New(slog.NewTextHandler(logFile, nil)),
	})
	if err != nil {
		return err
	}
	defer srv.Shutdown()
	t, err := Begin(o.Out, srv)
	if err != nil {
		return err
	}
	t.comment("Trailhook runs the Konnect audit-log tutorial on this machine, over HTTPS, in")
	t.comment("%s (started in %s).", dir, time.Since(start).Round(time.Millisecond))
	if err := t.run(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	t.comment("Done in %s.", time.Since(start).Round(time.Millisecond))
	if !o.Keep {
		t.comment("The server and its data are gone now. With --keep they stay, and the lines above can be pasted into a shell.")
		return nil
	}
	t.printKept(srv)
	select {
	case <-ctx.Done():
		return nil
	case err := <-srv.Failed():
		return err
	}
}

// Tutorial is a run of the tutorial on a server.
type Tutorial struct {
	out       io.Writer
	client    *http.Client
	variables map[string]string // of the shell
	regional  string            // the API's base URL, with the region's host name
	global    string
	siem      string
}

// Begin begins the tutorial on a server that was started for the first time,
// with --tls auto. It prints to out.
func Begin(out io.Writer, srv *server.Server) (*Tutorial, error) {
	client, err := newClient(srv.CAFile)
	if err != nil {
		return nil, err
	}
	return &Tutorial{
		out: out, client: client,
		variables: map[string]string{
			"CURL_CA_BUNDLE":  srv.CAFile,
			"KONNECT_TOKEN":   srv.Token,
			"SIEM_ACCESS_ID":  srv.AccessID,
			"SIEM_ACCESS_KEY": srv.AccessKey,
		},
		regional: strings.Replace(srv.APIURL, "localhost", "us.api.localhost", 1),
		global:   strings.Replace(srv.APIURL, "localhost", "global.api.localhost", 1),
		siem:     srv.SIEMURL,
	}, nil
}

func (t *Tutorial) run(ctx context.Context) error {
	t.step("The token, and how to reach the SIEM (made at the first start; curl trusts the run's own authority)")
	for _, name := range []string{"CURL_CA_BUNDLE", "KONNECT_TOKEN", "SIEM_ACCESS_ID", "SIEM_ACCESS_KEY"} {
		t.export(name)
	}
	if err := t.SetUp(ctx); err != nil {
		return err
	}
	t.step("Validate: send an API request")
	trace, err := t.Call(ctx)
	if err != nil {
		return err
	}
	return t.findLine(ctx, trace, time.Now())
}

// SetUp does everything up to the enabled webhook.
func (t *Tutorial) SetUp(ctx context.Context) error {
	if err := t.setUpSIEM(ctx); err != nil {
		return err
	}
	return t.setUpWebhook(ctx)
}

// Call calls the API once, and returns the trace id of what that leaves behind.
func (t *Tutorial) Call(ctx context.Context) (trace string, err error) {
	a, err := t.do(ctx, request{method: "GET", url: t.regional + "/v2/control-planes", bearer: "KONNECT_TOKEN"})
	return a.header.Get("X-Request-Id"), err
}

// Search returns the lines of the tutorial's source that match the terms.
func (t *Tutorial) Search(ctx context.Context, terms string) (Lines, error) {
	a, err := t.search(terms).send(ctx, t.client, t.variables)
	if err != nil {
		return nil, err
	}
	return parseLines(a.body)
}

func (t *Tutorial) search(terms string) request {
	return request{method: "GET", url: t.siem + "/trailhook/v1/search", user: siemUser,
		query: []string{strings.TrimSpace("query=_source=Konnect " + terms)}}
}

// siemUser is who calls the SIEM's API.
const siemUser = "${SIEM_ACCESS_ID}:${SIEM_ACCESS_KEY}"

// setUpSIEM makes what the tutorial makes by hand in the SIEM's pages.
func (t *Tutorial) setUpSIEM(ctx context.Context) error {
	t.step("In the SIEM: a hosted collector named Konnect")
	made, err := t.do(ctx, request{method: "POST", url: t.siem + "/api/v1/collectors", user: siemUser,
		json: `{"collector": {"collectorType": "Hosted", "name": "Konnect"}}`})
	if err != nil {
		return err
	}
	if err := t.take("COLLECTOR_ID", made, "collector", "id"); err != nil {
		return err
	}
	t.step("In the SIEM: an HTTP source named Konnect, which demands an access key")
	made, err = t.do(ctx, request{method: "POST", url: t.siem + "/api/v1/collectors/${COLLECTOR_ID}/sources", user: siemUser,
		json: `{"source": {"sourceType": "HTTP", "name": "Konnect",` + "\n" + `    "trailhook": {"requireAccessKey": true}}}`})
	if err != nil {
		return err
	}
	if err := t.take("SIEM_ENDPOINT", made, "source", "url"); err != nil {
		return err
	}
	t.step("In the SIEM: an access key named Konnect")
	made, err = t.do(ctx, request{method: "POST", url: t.siem + "/api/v1/accessKeys", user: siemUser, json: `{"label": "Konnect", "role": "sender"}`})
	if err != nil {
		return err
	}
	return t.take("SIEM_TOKEN", made, "key")
}

func (t *Tutorial) setUpWebhook(ctx context.Context) error {
	t.step("Set up the audit log destination")
	made, err := t.do(ctx, request{method: "POST", url: t.global + "/v3/audit-log-destinations", bearer: "KONNECT_TOKEN",
		json: `{
    "endpoint": "${SIEM_ENDPOINT}",
    "authorization": "${SIEM_TOKEN}",
    "log_format": "cef",
    "name": "Example destination"
  }`})
	if err != nil {
		return err
	}
	if err := t.take("DESTINATION_ID", made, "id"); err != nil {
		return err
	}
	t.step("Enable the webhook")
	_, err = t.do(ctx, request{method: "PATCH", url: t.regional + "/v3/audit-log-webhook", bearer: "KONNECT_TOKEN",
		json: `{
    "audit_log_destination_id": "${DESTINATION_ID}",
    "enabled": true
  }`})
	return err
}

// findLine searches until the lines of the call are there.
func (t *Tutorial) findLine(ctx context.Context, trace string, since time.Time) error {
	t.step("In the SIEM: search for _source=Konnect")
	fmt.Fprintln(t.out, t.search("").curl())
	keys, err := t.keys(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		lines, err := t.Search(ctx, "")
		if err != nil {
			return fmt.Errorf("the line of the control-planes call was not found: %w", err)
		}
		if line, ok := lines.of(trace); ok {
			t.comment("%d lines, those of the call %s after its answer", len(lines), time.Since(since).Round(time.Millisecond))
			t.printLines(lines, keys)
			if verdict, _ := keys.Verify([]byte(line.Raw)); verdict != audit.Valid || line.Verdict != audit.Valid.String() {
				return errors.New("the line of the control-planes call was found, but its signature does not verify")
			}
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// keys fetches the key set with which the demo checks every line itself, beside
// the verdict that the SIEM's side came to.
func (t *Tutorial) keys(ctx context.Context) (*audit.KeySet, error) {
	got, err := request{method: "GET", url: t.regional + "/v2/audit-log-webhook/jwks.json"}.send(ctx, t.client, t.variables)
	if err != nil {
		return nil, err
	}
	return audit.ParseJWKS(got.body)
}

// Line is a line that the search returned.
type Line struct {
	Raw     string `json:"_raw"`
	Verdict string `json:"_signature"`
	Name    string `json:"name"`
	Trace   string `json:"trace_id"`
	Error   string `json:"error"`
}

// Lines are the result of a search, newest first.
type Lines []Line

func parseLines(body []byte) (Lines, error) {
	var lines Lines
	scanner := bufio.NewScanner(bytes.NewReader(body))
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		var line Line
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("the search answered with something else than JSON lines: %w", err)
		}
		if line.Error != "" {
			return nil, fmt.Errorf("the search failed: %s", line.Error)
		}
		lines = append(lines, line)
	}
	return lines, scanner.Err()
}

// of finds the authorization of the control-planes call.
func (lines Lines) of(trace string) (Line, bool) {
	for _, line := range lines {
		if line.Trace == trace && line.Name == "Authz.control-planes" {
			return line, true
		}
	}
	return Line{}, false
}
