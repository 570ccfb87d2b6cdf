package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
)

// wire is a connection to the gateway on which a test writes what it wants.
type wire struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func (w *world) wire() *wire {
	t := w.t.(*testing.T)
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(generous))
	return &wire{t, conn, bufio.NewReader(conn)}
}

// send writes lines with the ends that HTTP has.
func (c *wire) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wire) answer() told {
	c.t.Helper()
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode < 200 {
		return told{resp, ""}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return told{resp, string(text)}
}

// ended reports whether nothing more comes.
func (c *wire) ended() bool {
	_, err := c.reader.ReadByte()
	return err == io.EOF || errors.Is(err, syscall.ECONNRESET)
}

// passing is a gateway with one route, /r, to an upstream that tells what it got.
func passing(t *testing.T, options ...func(*Options)) *world {
	w := newWorld(t, options...)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s host=%s length=%d encoding=%v body=%q err=%v fold=%q upgrade=%q%q proxy=%q trailer=%v", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding,
			body, err, r.Header.Get("X-Fold"), r.Header.Get("Connection"), r.Header.Get("Upgrade"), r.Header.Get("Proxy"), r.Trailer)
	})
	w.add(entity.Routes, `{"paths":["/r"],"preserve_host":true,"service":"`+service+`"}`)
	w.apply()
	return w
}

func TestNoRequestIsUnderstoodInTwoWays(t *testing.T) {
	w := passing(t)
	for name, test := range map[string]struct {
		request string
		status  int
		want    string
	}{
		"both lengths":          {"POST /r HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nContent-Length: 4\nConnection: close\n\n5\nhello\n0\n\nGET /r/smuggled HTTP/1.1\nHost: h\n\n", 200, `length=-1 encoding=[chunked] body="hello"`},
		"two lengths":           {"POST /r HTTP/1.1\nHost: h\nContent-Length: 4\nContent-Length: 5\n\nhello", 400, ""},
		"a length twice":        {"POST /r HTTP/1.1\nHost: h\nContent-Length: 5\nContent-Length: 5\nConnection: close\n\nhello", 200, `length=5 encoding=[] body="hello"`},
		"lengths in one":        {"POST /r HTTP/1.1\nHost: h\nContent-Length: 5, 5\n\nhello", 400, ""},
		"a length with a sign":  {"POST /r HTTP/1.1\nHost: h\nContent-Length: +5\n\nhello", 400, ""},
		"an unknown encoding":   {"POST /r HTTP/1.1\nHost: h\nTransfer-Encoding: xchunked\n\n5\nhello\n0\n\n", 501, ""},
		"two encodings":         {"POST /r HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n", 501, ""},
		"a space before :":      {"POST /r HTTP/1.1\nHost: h\nTransfer-Encoding : chunked\n\n0\n\n", 400, ""},
		"a bad chunk":           {"POST /r HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nConnection: close\n\n-5\nhello\n0\n\n", 400, ""},
		"a folded header":       {"GET /r HTTP/1.1\nHost: h\nX-Fold: one\n  two\nConnection: close\n\n", 200, `fold="one two"`},
		"two hosts":             {"GET /r HTTP/1.1\nHost: a\nHost: b\n\n", 400, ""},
		"no host":               {"GET /r HTTP/1.1\n\n", 400, ""},
		"a name with a space":   {"GET /r HTTP/1.1\nHost: h\nX A: 1\n\n", 400, ""},
		"a NUL":                 {"GET /r HTTP/1.1\nHost: h\nX-A: a\x00b\n\n", 400, ""},
		"absolute":              {"GET http://api.example/r/a?x HTTP/1.1\nHost: other.example\nConnection: close\n\n", 200, "GET /a?x host=api.example "},
		"absolute without":      {"GET http://h HTTP/1.1\nHost: h\n\n", 404, "no Route"},
		"opaque":                {"GET urn:x HTTP/1.1\nHost: h\n\n", 400, "not a path"},
		"an empty query":        {"GET /r/a? HTTP/1.1\nHost: h\nConnection: close\n\n", 200, "GET /a? "},
		"a slash escaped":       {"GET /r/a%2fb{c%20\"é HTTP/1.1\nHost: h\nConnection: close\n\n", 200, `GET /a%2Fb%7Bc%20%22%C3%A9 `},
		"reserved characters":   {"GET /r/(a)'!*;b=[c],$&+:@%3b HTTP/1.1\nHost: h\nConnection: close\n\n", 200, `GET /(a)'!*;b=[c],$&+:@%3B `},
		"a fragment":            {"GET /r/a#b HTTP/1.1\nHost: h\nConnection: close\n\n", 200, "GET /a%23b "},
		"dots":                  {"GET /r/./x/%2e%2E/y//z/. HTTP/1.1\nHost: h\nConnection: close\n\n", 200, "GET /y/z/ "},
		"dots out of the route": {"GET /r/%2e%2e/secret HTTP/1.1\nHost: h\n\n", 404, "no Route"},
		"dots into the route":   {"GET /public/../r/x HTTP/1.1\nHost: h\nConnection: close\n\n", 200, "GET /x "},
		"a bad escape":          {"GET /r/%zz HTTP/1.1\nHost: h\n\n", 400, ""},
		"options *":             {"OPTIONS * HTTP/1.1\nHost: h\n\n", 400, "not a path"},
		"connect":               {"CONNECT example.com:443 HTTP/1.1\nHost: example.com\n\n", 405, ""},
		"h2c":                   {"GET /r HTTP/1.1\nHost: h\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n", 200, `upgrade=""""`},
		"httpoxy":               {"GET /r HTTP/1.1\nHost: h\nProxy: http://evil.example\nConnection: close\n\n", 200, `proxy=""`},
		"httpoxy in a body":     {"POST /r HTTP/1.1\nHost: h\nProxy: http://evil.example\nContent-Length: 1\nConnection: close\n\nx", 200, `proxy=""`},
		"trailers":              {"POST /r HTTP/1.1\nHost: h\nTrailer: X-Sum\nTransfer-Encoding: chunked\nConnection: close\n\n5\nhello\n0\nX-Sum: 7\n\n", 200, `trailer=map[X-Sum:[7]]`},
		"HTTP/1.0":              {"GET /r HTTP/1.0\n\n", 200, "GET / host="},
	} {
		c := w.wire()
		c.send(test.request)
		got := c.answer()
		if got.StatusCode != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
		if strings.Contains(test.request, "close") && !c.ended() {
			t.Errorf("%s: something more was answered", name)
		}
	}
}

func TestABodyIsAskedForWhenTheUpstreamAsksForIt(t *testing.T) {
	w := newWorld(t)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			rw.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s", body)
	})
	w.add(entity.Routes, `{"paths":["/r"],"name":"r","service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.apply()
	c := w.wire()
	c.send("POST /r HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 5\n\n")
	if got := c.answer(); got.StatusCode != 100 {
		t.Fatalf("first came %d", got.StatusCode)
	}
	c.send("hello")
	if got := c.answer(); got.StatusCode != 200 || got.body != "hello" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	c.send("POST /r/refused HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 5\n\n")
	if got := c.answer(); got.StatusCode != 413 {
		t.Errorf("of what the upstream does not want: %d", got.StatusCode)
	}
	if got := kindsOf(w.journal.all()); got != "create routes/r true; POST /r? 200; create routes/r true; POST /r/refused? 413" {
		t.Errorf("recorded: %s", got)
	}
}

func TestAClientOfHTTP10GetsNoInterimAnswersAndNoChunks(t *testing.T) {
	w := newWorld(t)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Link", "</a>")
		rw.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(rw, "one ")
		_ = http.NewResponseController(rw).Flush()
		fmt.Fprint(rw, "two")
	})
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	for _, request := range []string{"GET / HTTP/1.0\n\n", "POST / HTTP/1.0\nContent-Length: 1\n\nx"} {
		c := w.wire()
		c.send(request)
		if got := c.answer(); got.StatusCode != 200 || got.body != "one two" || len(got.TransferEncoding) != 0 || !c.ended() {
			t.Errorf("%q: %d %v %s", request, got.StatusCode, got.TransferEncoding, got.body)
		}
	}
	c := w.wire()
	c.send("GET / HTTP/1.1\nHost: h\n\n")
	if got := c.answer(); got.StatusCode != 103 || got.Header.Get("Link") != "</a>" {
		t.Errorf("to HTTP/1.1 first: %d %v", got.StatusCode, got.Header)
	}
}

func TestAClientThatSendsNothingIsGivenUpAndOneThatWaitsIsNot(t *testing.T) {
	w := newWorld(t)
	w.gateway.clientPause = 20 * time.Millisecond
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return
		}
		thinking := time.NewTimer(10 * w.gateway.clientPause)
		defer thinking.Stop()
		select {
		case <-thinking.C:
			fmt.Fprint(rw, "thought")
		case <-r.Context().Done():
		}
	})
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	if got := w.ask("POST", "/", "a whole body"); got.StatusCode != 200 || got.body != "thought" {
		t.Errorf("of an upstream that takes its time: %d %s", got.StatusCode, got.body)
	}
	c := w.wire()
	c.send("POST / HTTP/1.1\nHost: h\nContent-Length: 100\n\nhalf")
	if got := c.answer(); got.StatusCode != 408 || !c.ended() {
		t.Errorf("of half a body: %d %s", got.StatusCode, got.body)
	}
}

func TestAClientThatIsGoneInTheMiddleOfItsBodyIsToldOfAsGone(t *testing.T) {
	w := newWorld(t)
	begun, broken := make(chan struct{}), make(chan error, 1)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		close(begun)
		_, err := io.ReadAll(r.Body)
		broken <- err
	})
	w.add(entity.Routes, `{"name":"r","paths":["/"],"service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.apply()
	c := w.wire()
	c.send("POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n4\nhalf\n")
	<-begun
	c.conn.Close()
	if err := <-broken; err == nil {
		t.Error("the upstream took half a body for a whole one")
	}
	eventually(t, "the request is recorded", func() bool { return kindsOf(w.journal.all()) == "create routes/r true; POST /? 499" })
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.gateway.clientPause = 20 * time.Millisecond
	given := make(chan struct{})
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		defer close(given)
		for { // more than all buffers on the way hold
			if _, err := rw.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	w.wire().send("GET / HTTP/1.1\nHost: h\n\n")
	select {
	case <-given:
	case <-time.After(generous):
		t.Error("the upstream is still sending")
	}
}
