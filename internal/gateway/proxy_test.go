package gateway

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/outbound"
)

func TestARequestReachesItsUpstreamAsTheRouteSays(t *testing.T) {
	w := newWorld(t)
	service := w.upstream(`,"name":"s"`, echo)
	w.add(entity.Routes, `{"paths":["/strip"],"service":"`+service+`"}`)
	w.add(entity.Routes, `{"paths":["/keep"],"strip_path":false,"preserve_host":true,"service":"`+service+`"}`)
	w.add(entity.Routes, `{"paths":["~/v\\d+/x"],"service":"`+service+`"}`)
	w.add(entity.Routes, `{"paths":["/nowhere"]}`)
	w.apply()
	for path, want := range map[string]string{
		"/strip/a/b?x=1&y=%zz;": "/a/b?x=1&y=%zz;", "/strip": "/", "/keep/a": "/keep/a", "/v12/x/rest": "/rest", "/strip/caf%C3%A9/a%2Fb": "/caf%C3%A9/a%2Fb", "/strip//a/../b": "/b",
	} {
		got := w.ask("PATCH", path, "the body", host("api.example:123"), header("X-Mine", "1"), header("Connection", "X-Hop"), header("X-Hop", "2"))
		e := got.echoed(t)
		if e.URI != want || e.Body != "the body" || e.Method != "PATCH" || e.Header.Get("X-Mine") != "1" || e.Header.Get("X-Hop") != "" {
			t.Errorf("%s: %+v", path, e)
		}
		if kept := e.Host == "api.example:123"; kept != strings.HasPrefix(path, "/keep") {
			t.Errorf("%s: host %s", path, e.Host)
		}
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(w.url, "http://"))
		for name, value := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": "api.example", "X-Forwarded-Port": port, "X-Forwarded-Proto": "http", "Via": "1.1 trailhook"} {
			if e.Header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", path, name, e.Header.Get(name), value)
			}
		}
		if got.Header.Get("Via") != "1.1 trailhook" || got.Header.Get("X-Kong-Request-Id") != e.Header.Get("X-Kong-Request-Id") {
			t.Errorf("%s: headers of the answer %v", path, got.Header)
		}
	}
	if got := w.get("/nothing"); got.StatusCode != 404 || !strings.Contains(got.body, `"message":"no Route matched with those values"`) {
		t.Errorf("no route: %d %s", got.StatusCode, got.body)
	}
	if got := w.get("/nowhere"); got.StatusCode != 503 {
		t.Errorf("no service: %d", got.StatusCode)
	}
}

func TestOnlyATrustedProxyIsBelievedWhereARequestComesFrom(t *testing.T) {
	for _, test := range []struct {
		options []func(*Options)
		want    string
	}{{nil, "127.0.0.1"}, {[]func(*Options){trusting("127.0.0.0/8")}, "192.0.2.1, 127.0.0.1"}} {
		w := newWorld(t, test.options...)
		w.add(entity.Routes, `{"paths":["/"],"service":"`+w.upstream("", echo)+`"}`)
		w.apply()
		e := w.get("/", header("X-Forwarded-For", "192.0.2.1"), header("X-Forwarded-Proto", "https"), header("Forwarded", "for=192.0.2.1")).echoed(t)
		if got := e.Header.Get("X-Forwarded-For"); got != test.want || e.Header.Get("Forwarded") != "" || (e.Header.Get("X-Forwarded-Proto") == "https") != (test.options != nil) {
			t.Errorf("told: %v, want %s", e.Header, test.want)
		}
	}
}

func TestARouteForHTTPSSendsWhoComesByHTTPThere(t *testing.T) {
	w := newWorld(t, trusting("127.0.0.0/8"))
	service := w.upstream("", echo)
	w.add(entity.Routes, `{"paths":["/a"],"protocols":["https"],"service":"`+service+`"}`)
	w.add(entity.Routes, `{"paths":["/b"],"protocols":["https"],"https_redirect_status_code":308,"service":"`+service+`"}`)
	w.apply()
	if got := w.get("/a"); got.StatusCode != 426 || got.Header.Get("Upgrade") != "TLS/1.2, HTTP/1.1" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := w.get("/b?x=1", host("example.com")); got.StatusCode != 308 || got.Header.Get("Location") != "https://example.com/b?x=1" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := w.get("/a", header("X-Forwarded-Proto", "https")); got.StatusCode != 200 {
		t.Errorf("by https: %d", got.StatusCode)
	}
}

// broken is an upstream that closes the first connections without an answer.
func broken(t *testing.T, first int, handler http.Handler) (url string, connections *atomic.Int64) {
	connections = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if connections.Add(1) <= int64(first) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, connections
}

func TestARequestIsSentAgainOnlyWhereThatDoesNoHarm(t *testing.T) {
	for _, test := range []struct {
		method, body string
		retries      int
		status       int
		sent         int64
	}{
		{"GET", "", 5, 200, 3}, {"DELETE", "", 5, 200, 3}, {"GET", "", 1, 502, 2}, {"GET", "", 0, 502, 1}, {"POST", "", 5, 502, 1}, {"PUT", "body", 5, 502, 1}, {"POST", "body", 5, 502, 1},
	} {
		w := newWorld(t)
		address, sent := broken(t, 2, http.HandlerFunc(echo))
		service := w.id(w.add(entity.Services, fmt.Sprintf(`{"url":%q,"retries":%d}`, address, test.retries)))
		w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
		w.apply()
		if got := w.ask(test.method, "/", test.body); got.StatusCode != test.status || sent.Load() != test.sent {
			t.Errorf("%+v: %d after %d", test, got.StatusCode, sent.Load())
		}
	}
}

func TestAnUpstreamThatIsNotThereIsTriedAgainAndThenToldOf(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	gone := w.id(w.add(entity.Services, `{"url":"http://`+l.Addr().String()+`"}`))
	unknown := w.id(w.add(entity.Services, `{"url":"http://does-not-exist.invalid","connect_timeout":5000}`))
	metadata := w.id(w.add(entity.Services, `{"url":"http://169.254.169.254"}`))
	w.add(entity.Routes, `{"paths":["/gone"],"service":"`+gone+`"}`)
	w.add(entity.Routes, `{"paths":["/unknown"],"service":"`+unknown+`"}`)
	w.add(entity.Routes, `{"paths":["/metadata"],"service":"`+metadata+`"}`)
	w.apply()
	if got := w.ask("POST", "/gone", "body"); got.StatusCode != 502 || !strings.Contains(got.body, "An invalid response was received from the upstream server") {
		t.Errorf("gone: %d %s", got.StatusCode, got.body)
	}
	if got := w.get("/metadata"); got.StatusCode != 502 || !strings.Contains(got.body, "not one that services may be at") {
		t.Errorf("a metadata service: %d %s", got.StatusCode, got.body)
	}
	if got := w.get("/unknown"); got.StatusCode != 503 && got.StatusCode != 504 && got.StatusCode != 502 {
		t.Errorf("unknown: %d %s", got.StatusCode, got.body)
	}
}

func TestAnUpstreamThatHangsIsGivenUp(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	service := w.upstream(`,"read_timeout":50,"retries":0`, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/half" {
			rw.Header().Set("Content-Length", "100")
			_, _ = rw.Write([]byte("half"))
			_ = http.NewResponseController(rw).Flush()
		}
		<-release
	})
	t.Cleanup(func() { close(release) })
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	if got := w.ask("POST", "/", "body"); got.StatusCode != 504 || !strings.Contains(got.body, "The upstream server is timing out") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	resp, err := http.Get(w.url + "/half")
	if err != nil {
		return // the answer broke before it began
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("half an answer was passed on as a whole one")
	}
}

func TestAnAnswerStreamsAsItComesWithItsTrailers(t *testing.T) {
	w := newWorld(t)
	next := make(chan struct{})
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Trailer", "X-Sum")
		rw.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(rw, "data: %d\n\n", i)
			_ = http.NewResponseController(rw).Flush()
			<-next
		}
		rw.Header().Set("X-Sum", "3")
	})
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	resp, err := http.Get(w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) { // the upstream waits until it has come
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = lines.ReadString('\n')
		next <- struct{}{}
	}
	if _, err := io.ReadAll(lines); err != nil || resp.Trailer.Get("X-Sum") != "3" {
		t.Errorf("trailers %v, %v", resp.Trailer, err)
	}
}

func TestABodyStreamsToTheUpstreamWhateverItsLength(t *testing.T) {
	w := newWorld(t)
	begun := make(chan struct{})
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		first := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, first)
		close(begun)
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(rw, "%s %d", first, n)
	})
	w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
	w.apply()
	from, to := io.Pipe()
	go func() {
		_, _ = to.Write([]byte("begin"))
		<-begun // the upstream has the beginning before the end is there
		_, _ = to.Write(make([]byte, 5<<20))
		to.Close()
	}()
	resp, err := http.Post(w.url, "application/octet-stream", from)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != fmt.Sprintf("begin %d", 5<<20) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestAWebSocketPasses(t *testing.T) {
	w := newWorld(t)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		conn, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		line, _ := buffered.ReadString('\n')
		fmt.Fprintf(conn, "echo %s", line)
	})
	w.add(entity.Routes, `{"paths":["/ws"],"service":"`+service+`"}`)
	w.add(entity.Plugins, `{"name":"audit"}`)
	w.apply()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(generous))
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	answer := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answer, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%v %v", resp, err)
	}
	fmt.Fprintln(conn, "hello")
	if line, err := answer.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
	if events := w.journal.all(); len(events) != 1 || events[0].Status != 101 {
		t.Errorf("recorded: %+v", events)
	}
}

func TestAChangeOfTheConfigurationUnderLoadLosesNoRequest(t *testing.T) {
	w := newWorld(t)
	var services [2]string
	for i := range services {
		services[i] = w.upstream("", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "ok") })
	}
	w.add(entity.Plugins, `{"name":"rate-limiting","config":{"hour":1000000}}`)
	w.add(entity.Routes, `{"paths":["/"],"service":"`+services[0]+`"}`)
	w.apply()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := http.Get(w.url)
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(text) != "ok" {
					t.Errorf("%d %s %v", resp.StatusCode, text, err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 50 {
		before := served.Load()
		w.set[entity.Routes] = w.set[entity.Routes][:0]
		w.add(entity.Routes, `{"paths":["/"],"service":"`+services[i%2]+`"}`)
		w.set[entity.Services][i%2] = w.set[entity.Services][i%2].With("read_timeout", float64(50000+i))
		w.apply()
		eventually(t, "some requests are served", func() bool { return t.Failed() || served.Load() > before+5 })
	}
	close(stop)
	clients.Wait()
}

func TestAServiceThatIsOffServesNothing(t *testing.T) {
	w := newWorld(t)
	if got := w.get("/"); got.StatusCode != 503 {
		t.Errorf("before a configuration: %d", got.StatusCode)
	}
	w.add(entity.Routes, `{"paths":["/"],"service":"`+w.upstream(`,"enabled":false`, echo)+`"}`)
	w.apply()
	if got := w.get("/"); got.StatusCode != 404 {
		t.Errorf("of a service that is off: %d", got.StatusCode)
	}
}

func TestACertificateIsVerifiedUnlessTheServiceSaysOtherwise(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewTLSServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = silent
	for path, more := range map[string]string{"/checked": "", "/unchecked": `,"tls_verify":false`} {
		service := w.id(w.add(entity.Services, `{"url":"`+server.URL+`"`+more+`}`))
		w.add(entity.Routes, `{"paths":["`+path+`"],"service":"`+service+`"}`)
	}
	w.apply()
	if got := w.get("/checked"); got.StatusCode != 502 || !strings.Contains(got.body, "cannot be verified") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := w.get("/unchecked"); got.StatusCode != 200 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestAnAddressThatThePolicyRefusesIsNotReached(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Upstream = outbound.Policy{} })
	w.add(entity.Routes, `{"paths":["/"],"service":"`+w.upstream("", echo)+`"}`)
	w.apply()
	if got := w.get("/"); got.StatusCode != 502 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
