package gateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/trailhook/trailhook/internal/entity"
)

// Requests that the gateway sends itself, and the same by way of package
// httputil, to which an Upgrade header that means nothing leads.
func TestBothWaysToTheUpstreamPassOnTheSame(t *testing.T) {
	w := newWorld(t, trusting("127.0.0.0/8"))
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "X-Own-Hop")
		rw.Header().Set("X-Own-Hop", "1")
		rw.Header().Set("X-Twice", "1")
		rw.Header().Add("X-Twice", "2")
		rw.Header().Set("Keep-Alive", "timeout=5")
		rw.Header().Set("Date", "never")
		switch r.URL.Path {
		case "/empty":
			rw.WriteHeader(204)
		case "/same":
			rw.WriteHeader(304)
		case "/teapot":
			rw.Header().Set("Content-Length", "4")
			rw.WriteHeader(418)
			fmt.Fprint(rw, "pot\n")
		case "/trailer":
			rw.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(rw, strings.Repeat("x", 100_000))
			rw.Header().Set("X-Sum", "1")
			rw.Header().Set(http.TrailerPrefix+"X-More", "2")
		case "/hints":
			rw.Header().Set("Link", "</a>")
			rw.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(rw, "x")
		default:
			echo(rw, r)
		}
	})
	w.add(entity.Routes, `{"paths":["/r"],"service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"cors","config":{"origins":["https://a.example"]}}`)
	w.apply()
	for _, method := range []string{"GET", "HEAD", "DELETE", "PUT", "OPTIONS"} {
		for _, path := range []string{"/r/x%2Fy?a=1&&b;", "/r/empty", "/r/same", "/r/teapot", "/r/trailer", "/r/hints"} {
			tell := func(upgrade bool) string {
				got := w.ask(method, path, "", host("api.example"), header("Connection", "X-Hop, close"), header("X-Hop", "1"), header("Te", "trailers, x"),
					header("Keep-Alive", "1"), header("Proxy-Authorization", "secret"), header("X-Forwarded-For", "192.0.2.1"), header("Via", "1.0 a"), header("Origin", "https://a.example"),
					func(r *http.Request) {
						if upgrade {
							r.Header.Set("Upgrade", "nothing")
						}
						r.Header["User-Agent"] = nil
					})
				got.Header.Del("X-Kong-Request-Id")
				got.Header.Del("X-Kong-Upstream-Latency")
				body := got.body
				if strings.HasSuffix(path, ";") && method == "HEAD" {
					got.Header.Del("Content-Length")
					got.ContentLength = 0
				}
				if strings.HasPrefix(body, "{") {
					e := got.echoed(t)
					e.Header.Del("X-Kong-Request-Id")
					body = fmt.Sprintf("%+v", e)
					got.Header.Del("Content-Length") // ids are of several lengths
					got.ContentLength = 0
				}
				return fmt.Sprintf("%d %v %v %d %s", got.StatusCode, got.Header, got.Trailer, got.ContentLength, body)
			}
			if direct, usual := tell(false), tell(true); direct != usual {
				t.Errorf("%s %s:\n%.2000s\nand by way of httputil\n%.2000s", method, path, direct, usual)
			}
		}
	}
}

func TestAConnectionThatTheUpstreamClosedMeanwhileCostsNoRequest(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var open []net.Conn
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			open = append(open, c)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	service := w.id(w.add(entity.Services, `{"retries":0,"url":"`+server.URL+`"}`))
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	for range 5 {
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				if got := w.get("/"); got.StatusCode != 200 {
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
		}
		clients.Wait()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		open = nil
		mu.Unlock()
	}
}

func TestAnAnswerWhoseHeaderNeverEndsIsGivenUp(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
				for {
					if _, err := fmt.Fprintf(conn, "X-A: %s\r\n", strings.Repeat("a", 4000)); err != nil {
						return
					}
				}
			}()
		}
	}()
	service := w.id(w.add(entity.Services, `{"retries":0,"url":"http://`+l.Addr().String()+`"}`))
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	for _, change := range []func(*http.Request){header("X", ""), header("Upgrade", "nothing")} {
		if got := w.get("/", change); got.StatusCode != 502 {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
}
