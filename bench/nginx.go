package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

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
	c := &urlChild{dir: dir, url: "http://" + address}
	c.process = &process{cmd: exec.Command(program, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log"))}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.stdin = stopper{process: c.cmd.Process}
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

// stopper stands for the input of a process that does not read it, and ends it.
type stopper struct {
	io.Writer
	process *os.Process
}

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
