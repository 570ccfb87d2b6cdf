package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/server"
)

// urlChild is a process that serves an address.
type urlChild struct {
	*process
	url string
	dir string
}

// processes are the child and its own children.
func (c *urlChild) processes() []int {
	pid := c.cmd.Process.Pid
	all := []int{pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return all
	}
	for _, field := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			all = append(all, child)
		}
	}
	return all
}

func (c *urlChild) stop() {
	c.process.stop()
	os.RemoveAll(c.dir)
}

func startURLChild(arguments ...string) (*urlChild, error) {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	p, err := startAgain(append(arguments, dir)...)
	if err != nil {
		return nil, err
	}
	c := &urlChild{process: p, dir: dir}
	if c.url, err = c.line(); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// upstreamChild serves 1 KiB to whoever asks.
func upstreamChild() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	text := bytes.Repeat([]byte("x"), 1024)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(text)
	}))
	fmt.Println("http://" + l.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// proxyChild serves a data plane with two routes to the upstream, of which one
// is recorded.
func proxyChild(upstream, dir string) error {
	srv, err := server.Start(context.Background(), server.Config{
		DataDir: dir, APIAddr: "127.0.0.1:0", ProxyAddr: "127.0.0.1:0", ProxyControlPlane: "bench",
		Region: "us", Version: "bench", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer srv.Shutdown()
	if err := configurePlane(srv, upstream); err != nil {
		return err
	}
	fmt.Println(srv.Proxy[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func configurePlane(srv *server.Server, upstream string) error {
	made, err := callAPI(srv, "POST", "/v2/control-planes", `{"name":"bench"}`)
	if err != nil {
		return err
	}
	core := "/v2/control-planes/" + made.ID + "/core-entities"
	for _, step := range []struct{ method, path, body string }{
		{"PUT", "/services/s", fmt.Sprintf(`{"url":%q}`, upstream)},
		{"POST", "/services/s/routes", `{"name":"plain","paths":["/plain"]}`},
		{"POST", "/services/s/routes", `{"name":"audited","paths":["/audited"]}`},
		{"POST", "/routes/audited/plugins", `{"name":"audit","config":{"blocking":true}}`},
	} {
		if _, err := callAPI(srv, step.method, core+step.path, step.body); err != nil {
			return err
		}
	}
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(srv.Proxy[0] + "/audited")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(limit) {
			return errors.New("the data plane does not serve its routes")
		}
	}
}

// planeObject is what of an object of the API matters here.
type planeObject struct{ ID string }

func callAPI(srv *server.Server, method, path, body string) (made planeObject, err error) {
	r, err := http.NewRequest(method, srv.APIURL+path, strings.NewReader(body))
	if err != nil {
		return made, err
	}
	r.Header.Set("Authorization", "Bearer "+srv.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return made, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return made, err
	}
	if resp.StatusCode >= 300 {
		return made, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return made, json.Unmarshal(text, &made)
}
