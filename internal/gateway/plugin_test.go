package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
)

// guarded is a world with a consumer, who has a key, and a service that echoes
// under /a.
func guarded(t *testing.T, options ...func(*Options)) (w *world, service, route, consumer string) {
	w = newWorld(t, options...)
	service = w.upstream("", echo)
	route = w.id(w.add(entity.Routes, `{"name":"a","paths":["/a"],"service":"`+service+`"}`))
	consumer = w.id(w.add(entity.Consumers, `{"username":"ana","custom_id":"c-1"}`))
	w.add(entity.KeyAuths, `{"consumer":"`+consumer+`","key":"secret"}`)
	return w, service, route, consumer
}

func TestAKeyIsFoundWhereThePluginLooksForIt(t *testing.T) {
	form := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	asJSON := func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }
	for _, test := range []struct {
		config, path, body string
		change             func(*http.Request)
		status             int
		uri, forwarded     string // what the upstream sees
	}{
		{`{}`, "/a", "", func(*http.Request) {}, 401, "", ""},
		{`{}`, "/a", "", header("apikey", "secret"), 200, "/", ""},
		{`{}`, "/a", "", header("apikey", "wrong"), 401, "", ""},
		{`{}`, "/a", "", func(r *http.Request) { r.Header["Apikey"] = []string{"secret", "other"} }, 401, "", ""},
		{`{}`, "/a?x=1&apikey=secret", "", header("X", ""), 200, "/?x=1&apikey=secret", ""},
		{`{"hide_credentials":true}`, "/a?x=1&apikey=secret&y=%zz", "", header("X", ""), 200, "/?x=1&y=%zz", ""},
		{`{"key_in_query":false}`, "/a?apikey=secret", "", header("X", ""), 401, "", ""},
		{`{"key_in_header":false}`, "/a", "", header("apikey", "secret"), 401, "", ""},
		{`{"key_names":["X-Key","k"]}`, "/a?k=secret", "", header("X", ""), 200, "/?k=secret", ""},
		{`{}`, "/a", "apikey=secret", form, 401, "", ""},
		{`{"key_in_body":true}`, "/a", "apikey=secret&x=1", form, 200, "/", "apikey=secret&x=1"},
		{`{"key_in_body":true,"hide_credentials":true}`, "/a", "apikey=secret&x=1", form, 200, "/", "x=1"},
		{`{"key_in_body":true,"hide_credentials":true}`, "/a", `{"apikey":"secret","x":[1,2]}`, asJSON, 200, "/", `{"x":[1,2]}`},
		{`{"key_in_body":true}`, "/a", strings.Repeat("x", maxKeyBody+1), form, 401, "", ""},
		{`{"anonymous":"ana"}`, "/a", "the body", header("apikey", "wrong"), 200, "/", "the body"},
		{`{"anonymous":"nobody"}`, "/a", "", header("apikey", "wrong"), 500, "", ""},
	} {
		w, _, route, consumer := guarded(t)
		w.add(entity.Plugins, `{"name":"key-auth","route":"`+route+`","config":`+test.config+`}`)
		w.apply()
		got := w.ask("POST", test.path, test.body, test.change, header("X-Consumer-Id", "forged"))
		if got.StatusCode != test.status {
			t.Errorf("%s %s %.40s: %d %s", test.config, test.path, test.body, got.StatusCode, got.body)
			continue
		}
		if test.status == 401 && (got.Header.Get("WWW-Authenticate") != "Key" || !strings.Contains(got.body, `"message":"`)) {
			t.Errorf("%s: %v %s", test.config, got.Header, got.body)
		}
		if test.status != 200 {
			continue
		}
		e := got.echoed(t)
		if e.URI != test.uri || e.Body != test.forwarded || e.Header.Get("X-Consumer-Id") != consumer || e.Header.Get("X-Consumer-Username") != "ana" || e.Header.Get("X-Consumer-Custom-Id") != "c-1" {
			t.Errorf("%s %s: the upstream saw %+v", test.config, test.path, e)
		}
		if anonymous := strings.Contains(test.config, "anonymous"); (e.Header.Get("X-Anonymous-Consumer") == "true") != anonymous || (e.Header.Get("X-Credential-Identifier") == "") != anonymous {
			t.Errorf("%s: %v", test.config, e.Header)
		}
		if strings.Contains(test.config, "hide") && e.Header.Get("Apikey") != "" {
			t.Errorf("%s: the upstream saw the key", test.config)
		}
	}
}

func TestAKeyOpensNothingOnceItHasEnded(t *testing.T) {
	var now atomic.Int64
	w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return time.Unix(now.Load(), 0) } })
	w.add(entity.Routes, `{"paths":["/"],"service":"`+w.upstream("", echo)+`"}`)
	consumer := w.id(w.add(entity.Consumers, `{"username":"ana"}`))
	w.add(entity.KeyAuths, `{"key":"k","ttl":100,"consumer":"`+consumer+`"}`)
	w.add(entity.Plugins, `{"name":"key-auth"}`)
	w.apply()
	ends := w.set[entity.KeyAuths][0].Ends()
	for at, status := range map[int64]int{ends - 100: 200, ends - 1: 200, ends: 401, ends + 1: 401} {
		now.Store(at)
		if got := w.get("/", header("apikey", "k")); got.StatusCode != status {
			t.Errorf("%d s after its end: %d, want %d", at-ends, got.StatusCode, status)
		}
	}
}

func TestOfPluginsOfOneNameTheMostSpecialRuns(t *testing.T) {
	w, service, route, consumer := guarded(t)
	other := w.id(w.add(entity.Routes, `{"paths":["/b"],"service":"`+service+`"}`))
	loose := w.id(w.add(entity.Routes, `{"paths":["/c"],"service":"`+w.upstream("", echo)+`"}`))
	_ = loose
	w.add(entity.Plugins, `{"name":"key-auth","config":{"anonymous":"guest"}}`)
	w.add(entity.Consumers, `{"username":"guest"}`)
	stop := func(where, message string) {
		w.add(entity.Plugins, `{"name":"request-termination",`+where+`"config":{"message":"`+message+`"}}`)
	}
	stop("", "global")
	w.apply()
	expect := func(path, key, want string) {
		t.Helper()
		if got := w.get(path, header("apikey", key)); !strings.Contains(got.body, `"message":"`+want+`"`) {
			t.Errorf("%s %s: %s, want %s", path, key, got.body, want)
		}
	}
	expect("/a", "", "global")
	for _, step := range []struct{ where, name string }{
		{`"service":"` + service + `",`, "service"}, {`"route":"` + route + `",`, "route"}, {`"consumer":"` + consumer + `",`, "consumer"},
		{`"route":"` + route + `","service":"` + service + `",`, "route and service"},
		{`"consumer":"` + consumer + `","service":"` + service + `",`, "consumer and service"},
		{`"consumer":"` + consumer + `","route":"` + route + `",`, "consumer and route"},
		{`"consumer":"` + consumer + `","route":"` + route + `","service":"` + service + `",`, "all three"},
	} {
		stop(step.where, step.name)
		w.apply()
		expect("/a", "secret", step.name)
	}
	expect("/a", "", "route and service")
	expect("/b", "secret", "consumer and service")
	expect("/b", "", "service")
	expect("/c", "secret", "consumer")
	expect("/c", "", "global")
	_ = other
	last := w.set[entity.Plugins]
	last[len(last)-1] = last[len(last)-1].With("enabled", false)
	w.apply()
	expect("/a", "secret", "consumer and route")
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestALimitHoldsInItsWindowAndTellsOfItself(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 31, 23, 59, 50, 0, time.UTC)}
	w, service, _, consumer := guarded(t, func(o *Options) { o.Now = c.Now })
	w.add(entity.Plugins, `{"name":"key-auth","config":{"anonymous":"`+consumer+`"}}`)
	w.add(entity.Plugins, `{"name":"rate-limiting","service":"`+service+`","config":{"minute":2,"month":4}}`)
	w.apply()
	want := func(key string, status int, remaining string) told {
		t.Helper()
		got := w.get("/a", header("apikey", key))
		if got.StatusCode != status || got.Header.Get("RateLimit-Remaining") != remaining {
			t.Errorf("%q: %d, %v", key, got.StatusCode, got.Header)
		}
		return got
	}
	first := want("secret", 200, "1")
	if first.Header.Get("X-RateLimit-Limit-Minute") != "2" || first.Header.Get("X-RateLimit-Remaining-Minute") != "1" || first.Header.Get("X-RateLimit-Remaining-Month") != "3" || first.Header.Get("RateLimit-Reset") != "10" {
		t.Errorf("headers: %v", first.Header)
	}
	want("secret", 200, "0")
	refused := want("secret", 429, "0")
	if !strings.Contains(refused.body, "API rate limit exceeded") || refused.Header.Get("Retry-After") != "10" {
		t.Errorf("refused: %s %v", refused.body, refused.Header)
	}
	want("", 200, "1") // without a key of his own by address
	c.advance(10 * time.Second)
	want("secret", 200, "1") // another minute, and another month
	w.set[entity.Plugins][1] = w.set[entity.Plugins][1].With("tags", []any{"changed"})
	w.apply()
	want("secret", 200, "0") // counts outlive a change
	want("secret", 429, "0")
}

func TestCountsAreBounded(t *testing.T) {
	l := limiter{counts: map[limitKey]int64{}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxCounts + 10 {
		if u := l.take("p", fmt.Sprint(i), [6]int64{0, 5}, now); !u.ok {
			t.Fatal("the first of an identity is refused")
		}
	}
	if len(l.counts) > maxCounts {
		t.Errorf("%d counts", len(l.counts))
	}
}

func TestABrowserIsToldWhichOriginsMayRead(t *testing.T) {
	preflight := func(origin string) []func(*http.Request) {
		return []func(*http.Request){header("Origin", origin), header("Access-Control-Request-Method", "PUT"), header("Access-Control-Request-Headers", "x-a")}
	}
	for _, test := range []struct {
		config, method, origin string
		want                   map[string]string
	}{
		{`{}`, "OPTIONS", "https://a.example", map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "x-a", "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"}},
		{`{"credentials":true,"max_age":60,"headers":["x-b"]}`, "OPTIONS", "https://a.example", map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "60", "Access-Control-Allow-Headers": "x-b", "Vary": "Origin"}},
		{`{"origins":["https://a.example","https://.*\\.b\\.example"]}`, "GET", "https://x.b.example", map[string]string{"Access-Control-Allow-Origin": "https://x.b.example", "Vary": "Origin"}},
		{`{"origins":["https://a.example"]}`, "GET", "https://a.example.evil", map[string]string{"Access-Control-Allow-Origin": ""}},
		{`{"origins":["https://a.example"]}`, "OPTIONS", "https://evil", map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""}},
		{`{"exposed_headers":["X-A"]}`, "GET", "https://a.example", map[string]string{"Access-Control-Expose-Headers": "X-A", "Access-Control-Allow-Origin": "*"}},
	} {
		w := newWorld(t)
		reached := false
		service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) {
			reached = true
			rw.Header().Set("Access-Control-Allow-Origin", "https://the-upstreams-own")
		})
		w.add(entity.Routes, `{"paths":["/"],"service":"`+service+`"}`)
		w.add(entity.Plugins, `{"name":"cors","config":`+test.config+`}`)
		w.apply()
		got := w.ask(test.method, "/", "", preflight(test.origin)...)
		if got.StatusCode != 200 || reached != (test.method == "GET") {
			t.Errorf("%s: %d, reached %v", test.config, got.StatusCode, reached)
		}
		for name, value := range test.want {
			if got.Header.Get(name) != value {
				t.Errorf("%s %s: %s is %q, want %q", test.config, test.origin, name, got.Header.Get(name), value)
			}
		}
	}
}

func TestATerminationAnswersInsteadOfTheUpstream(t *testing.T) {
	for _, test := range []struct{ config, path, body, contentType string }{
		{`{"status_code":403,"message":"no"}`, "/a", `"message":"no"`, "application/json; charset=utf-8"},
		{`{"status_code":403,"body":"<p>no","content_type":"text/html"}`, "/a", "<p>no", "text/html"},
		{`{"status_code":403}`, "/a", `"message":"Forbidden"`, "application/json; charset=utf-8"},
		{`{"status_code":403,"trigger":"x-stop"}`, "/a?x-stop=1", `"message":"Forbidden"`, "application/json; charset=utf-8"},
		{`{"status_code":403,"echo":true}`, "/a/b", `"path": "/a/b"`, "application/json; charset=utf-8"},
	} {
		w, _, _, _ := guarded(t)
		w.add(entity.Plugins, `{"name":"request-termination","config":`+test.config+`}`)
		w.apply()
		if got := w.get(test.path); got.StatusCode != 403 || !strings.Contains(got.body, test.body) || got.Header.Get("Content-Type") != test.contentType {
			t.Errorf("%s: %d %v %s", test.config, got.StatusCode, got.Header, got.body)
		}
		if strings.Contains(test.config, "trigger") && w.get("/a").StatusCode != 200 {
			t.Errorf("%s: stops what has no trigger", test.config)
		}
	}
}

func TestWhatIsServedIsToldToTheLogInBatchesUntilItTakesThem(t *testing.T) {
	var (
		mu     sync.Mutex
		told   []map[string]any
		bodies int
	)
	log := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if bodies++; bodies == 1 {
			rw.WriteHeader(500) // is to be tried again
			return
		}
		var batch []map[string]any
		if err := json.Unmarshal(text, &batch); err != nil || r.Header.Get("X-Token") != "t" {
			t.Errorf("%s: %v", text, err)
		}
		told = append(told, batch...)
	}))
	t.Cleanup(log.Close)
	w, _, route, _ := guarded(t)
	w.add(entity.Plugins, `{"name":"key-auth","route":"`+route+`"}`)
	w.add(entity.Plugins, `{"name":"http-log","config":{"http_endpoint":"`+log.URL+`","headers":{"X-Token":"t"},"queue":{"max_batch_size":3,"max_coalescing_delay":0.05,"initial_retry_delay":0.01}}}`)
	w.apply()
	const count = 10
	for i := range count {
		w.get(fmt.Sprintf("/a?n=%d&apikey=secret", i), header("Authorization", "Bearer top-secret"), header("apikey", "secret"))
	}
	w.get("/nothing")
	eventually(t, "all is told", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) == count+1 })
	mu.Lock()
	defer mu.Unlock()
	text, _ := json.Marshal(told)
	if strings.Contains(string(text), "secret") {
		t.Errorf("the log has a secret: %s", text)
	}
	var statuses []float64
	for _, one := range told {
		statuses = append(statuses, one["response"].(map[string]any)["status"].(float64))
	}
	if slices.Sort(statuses); statuses[0] != 200 || statuses[count] != 404 || bodies >= count {
		t.Errorf("statuses %v in %d bodies", statuses, bodies)
	}
	if one := told[0]; one["consumer"].(map[string]any)["username"] != "ana" || one["client_ip"] != "127.0.0.1" || one["route"] == nil || one["service"] == nil {
		t.Errorf("told: %v", one)
	}
}

func TestALogThatIsNotThereHoldsUpNobodyAndBoundedMemory(t *testing.T) {
	w, _, _, _ := guarded(t)
	w.add(entity.Plugins, `{"name":"http-log","config":{"http_endpoint":"http://127.0.0.1:1/","queue":{"max_entries":5,"max_retry_time":600,"initial_retry_delay":100}}}`)
	w.apply()
	for range 20 {
		if got := w.get("/a"); got.StatusCode != 200 {
			t.Fatalf("%d", got.StatusCode)
		}
	}
	w.gateway.logs.mu.Lock()
	defer w.gateway.logs.mu.Unlock()
	for _, queue := range w.gateway.logs.queues {
		if len(queue.waiting) > 5 {
			t.Errorf("%d wait", len(queue.waiting))
		}
	}
}
