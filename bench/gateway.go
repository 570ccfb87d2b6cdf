package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/server"
)

// How the data plane is loaded. Everything runs on the same cores; the targets
// take turns, so that whatever else the machine does hits all of them.
const (
	gatewayConnections = 64
	gatewayRound       = 2 * time.Second
	gatewayRounds      = 5
)

// gatewayTarget is an address that is asked, and what came of it.
type gatewayTarget struct {
	name, url string
	rates     []float64       // of each round, in requests a second
	took      []time.Duration // of all requests
}

// gatewayGroup measures the data plane beside its upstream alone and beside
// nginx as a plain proxy.
func gatewayGroup(ctx context.Context) error {
	if err := yardsticks(); err != nil {
		return err
	}
	upstream, err := startURLChild("upstream-child")
	if err != nil {
		return err
	}
	defer upstream.stop()
	plane, err := startURLChild("proxy-child", upstream.url)
	if err != nil {
		return err
	}
	defer plane.stop()
	targets := []*gatewayTarget{
		{name: "upstream", url: upstream.url}, {name: "gateway", url: plane.url + "/plain"}, {name: "gateway_audit", url: plane.url + "/audited"},
	}
	proxy, err := startNginx(upstream.url)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		fmt.Println("# nginx is not installed: the figures beside it are left out")
	case err != nil:
		return err
	default:
		defer proxy.stop()
		targets = append(targets, &gatewayTarget{name: "nginx", url: proxy.url})
	}
	for round := range gatewayRounds + 1 {
		for _, target := range targets {
			rate, took, err := load(ctx, target.url)
			if err != nil {
				return fmt.Errorf("%s: %w", target.name, err)
			}
			if round > 0 { // the first one warms everything up
				target.rates, target.took = append(target.rates, rate), append(target.took, took...)
			}
		}
	}
	reportTargets(targets)
	return nil
}

func reportTargets(targets []*gatewayTarget) {
	rates := map[string]float64{}
	for _, target := range targets {
		rates[target.name] = median(target.rates)
		report(target.name+"_requests_per_s", rates[target.name], "1/s")
		report(target.name+"_ms_p50", milliseconds(percentile(target.took, 0.5)), "ms")
		report(target.name+"_ms_p99", milliseconds(percentile(target.took, 0.99)), "ms")
	}
	if nginx := rates["nginx"]; nginx > 0 {
		report("gateway_of_nginx", rates["gateway"]/nginx, "")
		report("gateway_audit_of_nginx", rates["gateway_audit"]/nginx, "")
	}
}

func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// load asks the address over all connections for a round.
func load(ctx context.Context, address string) (rate float64, took []time.Duration, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, nil, err
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	var (
		mu      sync.Mutex
		errs    []error
		clients sync.WaitGroup
		begun   = time.Now()
		end     = begun.Add(gatewayRound)
	)
	for range gatewayConnections {
		clients.Go(func() {
			mine, err := loadConnection(u.Host, request, end)
			mu.Lock()
			defer mu.Unlock()
			took, errs = append(took, mine...), append(errs, err)
		})
	}
	clients.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return 0, nil, err
	}
	return float64(len(took)) / time.Since(begun).Seconds(), took, nil
}

// loadConnection asks one request after the other. It reads no more of an answer
// than it must, so that the client takes as little of the machine as it can.
func loadConnection(host string, request []byte, end time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer := bufio.NewReaderSize(conn, 16<<10)
	for {
		begun := time.Now()
		if begun.After(end) {
			return took, nil
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(answer); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
	}
}

func readAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no Content-Length")
	}
	_, err := r.Discard(length)
	return err
}

// urlChild is a process that serves an address until its input ends.
type urlChild struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
	dir   string
}

func (c *urlChild) stop() {
	c.stdin.Close()
	_ = c.cmd.Wait()
	os.RemoveAll(c.dir)
}

func startURLChild(arguments ...string) (*urlChild, error) {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	c := &urlChild{cmd: exec.Command(os.Args[0], append(arguments, dir)...), dir: dir}
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanln(bufio.NewReader(out), &c.url); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s did not start: %w", arguments[0], err)
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

// startNginx runs nginx as a plain proxy that keeps its connections and tells the
// upstream as much as the data plane does, with a worker for each core and
// without a log.
func startNginx(upstream string) (*urlChild, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	free.Close()
	file := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("DIR", dir, "LISTEN", address, "UPSTREAM", strings.TrimPrefix(upstream, "http://")).Replace(nginxConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	c := &urlChild{cmd: exec.Command(program, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log")), dir: dir, url: "http://" + address}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.stdin = stopper{c.cmd.Process}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return c, nil
		}
		if time.Now().After(limit) {
			c.stop()
			return nil, fmt.Errorf("nginx does not answer: %w", err)
		}
	}
}

// stopper ends a process that does not read its input.
type stopper struct{ process *os.Process }

func (s stopper) Close() error { return s.process.Signal(os.Interrupt) }

const nginxConfig = `daemon off;
pid DIR/nginx.pid;
worker_processes auto;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  upstream up { server UPSTREAM; keepalive 128; keepalive_requests 1000000; }
  server {
    listen LISTEN;
    location / {
      proxy_pass http://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Path $uri;
      proxy_set_header X-Forwarded-Prefix /plain;
      proxy_set_header X-Kong-Request-Id $request_id;
      proxy_set_header Via "1.1 nginx";
    }
  }
}
`

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
