package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// addresses is the script command "addresses": a server that the script starts has free
// ports from here on, and its clients find it.
func addresses(ts *testscript.TestScript, _ bool, _ []string) {
	at := func(name string) string {
		port, err := findPort()
		ts.Check(err)
		ts.Setenv("TRAILHOOK_"+name+"_ADDR", "127.0.0.1:"+port)
		return "http://127.0.0.1:" + port
	}
	ts.Setenv("TRAILHOOK_API", at("API"))
	ts.Setenv("TRAILHOOK_SIEM", at("SIEM"))
	for _, name := range []string{"OPS", "SYSLOG", "PROXY"} {
		at(name)
	}
}

// ready is the script command "ready DIR": the server that was started on the directory
// answers. The admin's token is TRAILHOOK_TOKEN from here on.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "the server is ready", func() bool {
		response, err := http.Get("http://" + ts.Getenv("TRAILHOOK_OPS_ADDR") + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if token, err := os.ReadFile(ts.MkAbs(args[0] + "/admin.pat")); err == nil {
		ts.Setenv("TRAILHOOK_TOKEN", strings.TrimSpace(string(token)))
	}
}

// terminate is the script command "terminate": what the script has in the background gets
// the signal by which systemd and containers end a process.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// metric is the script command "metric LINE": the server's metrics have the line, or
// will.
func metric(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "the metrics have "+args[0], func() bool {
		response, err := http.Get("http://" + ts.Getenv("TRAILHOOK_OPS_ADDR") + "/metrics")
		ts.Check(err)
		defer response.Body.Close()
		metrics, err := io.ReadAll(response.Body)
		ts.Check(err)
		return strings.Contains("\n"+string(metrics), "\n"+args[0]+"\n")
	})
}

// appears is the script command "appears FILE TEXT": the text is in the file, or will be.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1]+" is in "+args[0], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(text), args[1])
	})
}

func until(ts *testscript.TestScript, what string, ok func() bool) {
	for deadline := time.Now().Add(generous); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("after %s still not: %s", generous, what)
		}
	}
}

// call is the script command "call STATUS METHOD PATH [BODY]": a request of the API, by
// the admin. ID is the id of what it answers with.
func call(ts *testscript.TestScript, _ bool, args []string) {
	var body io.Reader
	if len(args) > 3 {
		body = strings.NewReader(args[3])
	}
	request, err := http.NewRequest(args[1], ts.Getenv("TRAILHOOK_API")+args[2], body)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+ts.Getenv("TRAILHOOK_TOKEN"))
	response, answer, err := exchange(request)
	ts.Check(err)
	if !strings.HasPrefix(response.Status, args[0]+" ") {
		ts.Fatalf("%s %s: %s, want %s\n%s", args[1], args[2], response.Status, args[0], answer)
	}
	var made struct{ ID string }
	if json.Unmarshal(answer, &made) == nil && made.ID != "" {
		ts.Setenv("ID", made.ID)
	}
}

// post is the script command "post FILE": the lines of the file are sent to the source.
func post(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.Post(ts.Getenv("TRAILHOOK_SIEM")+"/receiver/v1/http/"+ts.Getenv("SOURCE_CODE"), "text/plain", strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("post %s: %s", args[0], response.Status)
	}
}

// receiver is the script command "receiver FILE": RECEIVER is the URL of an endpoint for
// webhooks from here on, which appends what it takes to the file. Until there is a file
// "mended" it refuses what has "refuse-me" in it.
func receiver(ts *testscript.TestScript, _ bool, args []string) {
	var mu sync.Mutex
	file, mended := ts.MkAbs(args[0]), ts.MkAbs("mended")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text, err := io.ReadAll(r.Body)
		if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
			text, err = gunzip(text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if _, err := os.Stat(mended); err != nil && bytes.Contains(text, []byte("refuse-me")) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		taken, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = taken.Write(append(text, '\n'))
			taken.Close()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv("RECEIVER", s.URL)
}

func gunzip(text []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
