package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trailhook/trailhook/internal/server"
)

// siemWith is the script command "siem DIR FILE": a SIEM runs on the data directory
// until the script ends, has a source, App, and the lines of the file in it.
// TRAILHOOK_SIEM and TRAILHOOK_OPS_ADDR lead to it, and "post FILE" to the source.
func siemWith(ts *testscript.TestScript, _ bool, args []string) {
	s, err := server.Start(context.Background(), server.Config{
		DataDir: ts.MkAbs(args[0]), SIEMAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", TLS: "off", Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	ts.Check(err)
	ts.Defer(func() { s.Shutdown() })
	ts.Setenv("TRAILHOOK_SIEM", s.SIEMURL)
	ts.Setenv("TRAILHOOK_OPS_ADDR", strings.TrimPrefix(s.OpsURL, "http://"))
	post := func(path, body string) {
		request, err := http.NewRequest("POST", s.SIEMURL+path, strings.NewReader(body))
		ts.Check(err)
		request.SetBasicAuth(s.AccessID, s.AccessKey)
		response, answer, err := exchange(request)
		ts.Check(err)
		if response.StatusCode > 299 {
			ts.Fatalf("POST %s: %s\n%s", path, response.Status, answer)
		}
		if _, source, ok := strings.Cut(string(answer), `"token":"`); ok {
			code, _, _ := strings.Cut(source, `"`)
			ts.Setenv("SOURCE_CODE", code)
		}
	}
	post("/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": "App"}}`)
	post("/api/v1/collectors/1/sources", `{"source": {"sourceType": "HTTP", "name": "App"}}`)
	lines := ts.ReadFile(args[1])
	post("/receiver/v1/http/"+ts.Getenv("SOURCE_CODE"), lines)
	deadline := time.Now().Add(generous)
	for {
		request, err := http.NewRequest("GET", s.SIEMURL+"/trailhook/v1/search?limit=10000", nil)
		ts.Check(err)
		request.SetBasicAuth(s.AccessID, s.AccessKey)
		_, answer, err := exchange(request)
		ts.Check(err)
		if bytes.Count(answer, []byte("\n")) == strings.Count(lines, "\n") {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the lines are not found:\n%s", answer)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// follower is a command that shows lines until it is interrupted.
type follower struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	log   *lockedBuffer
}

func follow(p *process, args ...string) *follower {
	p.t.Helper()
	f := &follower{t: p.t, cmd: exec.Command(os.Args[0], args...), lines: make(chan string, 100), log: &lockedBuffer{}}
	f.cmd.Env = append(os.Environ(), asTrailhook+"=1", "TRAILHOOK_SIEM="+p.siemURL, "TRAILHOOK_DATA_DIR="+p.dataDir)
	f.cmd.Stderr = f.log
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.cmd.Process.Kill() })
	go func() {
		defer close(f.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.lines <- lines.Text()
		}
	}()
	return f
}

func (f *follower) next() string {
	f.t.Helper()
	select {
	case line, more := <-f.lines:
		if !more {
			f.t.Fatalf("it has ended\n%s", f.log)
		}
		return line
	case <-time.After(generous):
		f.t.Fatalf("no line came\n%s", f.log)
		return ""
	}
}

func (f *follower) wait() error {
	for range f.lines {
	}
	return f.cmd.Wait()
}

// addSource makes a source and returns what posts to it.
func (p *process) addSource() (post func(lines string)) {
	p.t.Helper()
	resp, body, err := p.siem(p.t.Context(), "POST", "/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": "App"}}`)
	must(p.t, 201, resp, body, err)
	resp, body, err = p.siem(p.t.Context(), "POST", "/api/v1/collectors/1/sources", `{"source": {"sourceType": "HTTP", "name": "App"}}`)
	url := must(p.t, 201, resp, body, err)["source"].(map[string]any)["url"].(string)
	return func(lines string) {
		p.t.Helper()
		resp, err := http.Post(url, "text/plain", strings.NewReader(lines))
		if err != nil {
			p.t.Fatal(err)
		}
		defer resp.Body.Close()
		if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
			p.t.Fatalf("%s %s", resp.Status, answer)
		}
	}
}

func TestASearchThatFollowsShowsEachLineOnceInOrder(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "collector")
	post := p.addSource()
	post("one\ntwo\n")
	eventually(t, "both lines are found", func() bool { return len(p.search("_source=App")) == 2 })
	f := follow(p, "search", "_source=App", "--follow", "--output", "raw")
	first, second := f.next(), f.next()
	if first == second || len(first) != 3 || len(second) != 3 {
		t.Fatalf("got %q and %q", first, second)
	}
	for i := range 5 {
		post(fmt.Sprintf("later %d\n", i))
		if line := f.next(); line != fmt.Sprintf("later %d", i) {
			t.Fatalf("line %d: %q", i, line)
		}
	}
	f.cmd.Process.Signal(os.Interrupt)
	if err := f.wait(); err != nil {
		t.Errorf("interrupted: %v\n%s", err, f.log)
	}
}
