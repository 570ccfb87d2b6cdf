package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/entity"
)

// routing makes a router of routes by name, the first the oldest.
func routing(tb testing.TB, routes map[string]string, order ...string) *router {
	tb.Helper()
	var entries []*entry
	for i, name := range order {
		var d entity.Document
		if err := json.Unmarshal([]byte(routes[name]), &d); err != nil {
			tb.Fatalf("%s: %v", routes[name], err)
		}
		d["name"], d["created_at"] = name, float64(i+1)
		d, err := entity.Routes.Complete(d, 1)
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		made, err := entriesOf(d, compileRoute(d, nil))
		if err != nil {
			tb.Fatal(err)
		}
		entries = append(entries, made...)
	}
	return newRouter(entries)
}

func ask(method, address string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, address, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestTheRouteOfARequestIsKongs(t *testing.T) {
	for _, test := range []struct {
		name   string
		routes map[string]string
		order  string
		want   map[string]string // "METHOD address [header value]": the route
	}{
		{"a prefix, the longest first", map[string]string{"a": `{"paths":["/a"]}`, "ab": `{"paths":["/a/b"]}`, "root": `{"paths":["/"]}`}, "root a ab", map[string]string{
			"GET http://h/a/b/c": "ab", "GET http://h/a/c": "a", "GET http://h/ab": "a", "GET http://h/": "root", "GET http://h/x": "root",
		}},
		{"a host before a path", map[string]string{"host": `{"hosts":["example.com"]}`, "path": `{"paths":["/a"]}`}, "path host", map[string]string{
			"GET http://example.com/a": "host", "GET http://other/a": "path", "GET http://other/b": "", "GET http://EXAMPLE.com:1234/b": "host",
		}},
		{"more attributes before fewer", map[string]string{"host": `{"hosts":["example.com"]}`, "both": `{"paths":["/a"],"methods":["GET"]}`}, "host both", map[string]string{
			"GET http://example.com/a": "both", "POST http://example.com/a": "host",
		}},
		{"plain hosts before wildcards", map[string]string{"wild": `{"hosts":["*.example.com"]}`, "plain": `{"hosts":["a.example.com"]}`, "right": `{"hosts":["example.*"]}`}, "wild right plain", map[string]string{
			"GET http://a.example.com/": "plain", "GET http://b.example.com/": "wild", "GET http://b.c.example.com/": "wild", "GET http://example.com/": "right", "GET http://example.org/": "right",
			"GET http://.example.com/": "", "GET http://badexample.com/": "",
		}},
		{"a port", map[string]string{"port": `{"hosts":["example.com:8443"]}`, "any": `{"hosts":["example.com"]}`, "eighty": `{"hosts":["a.com:80"]}`, "wild": `{"hosts":["*.b.com:81"]}`, "wildany": `{"hosts":["*.b.com"]}`},
			"port any eighty wildany wild", map[string]string{
				"GET http://example.com:8443/": "port", "GET http://example.com/": "any", "GET http://a.com/": "eighty", "GET http://a.com:81/": "", "GET http://x.b.com:81/": "wild", "GET http://x.b.com:82/": "wildany",
			}},
		{"a regular expression before a prefix", map[string]string{"prefix": `{"paths":["/users/1/orders"]}`, "regex": `{"paths":["~/users/\\d+"]}`}, "prefix regex", map[string]string{
			"GET http://h/users/1/orders": "regex", "GET http://h/users/12": "regex", "GET http://h/users/x": "", "GET http://h/a/users/1": "",
		}},
		{"regex_priority", map[string]string{"low": `{"paths":["~/a.*"],"regex_priority":1}`, "high": `{"paths":["~/a/b"],"regex_priority":5}`}, "low high", map[string]string{
			"GET http://h/a/b": "high", "GET http://h/a/c": "low",
		}},
		{"headers", map[string]string{"one": `{"headers":{"x-a":["1","2"]}}`, "two": `{"headers":{"x-a":["1"],"x-b":["B"]}}`, "regex": `{"headers":{"x-c":["~*^v\\d$"]}}`}, "one two regex", map[string]string{
			"GET http://h/ X-A 1": "one", "GET http://h/ X-A 2": "one", "GET http://h/ X-A 3": "", "GET http://h/ X-A 1 X-B b": "two", "GET http://h/ X-C V7": "regex", "GET http://h/ X-C v77": "",
		}},
		{"methods", map[string]string{"get": `{"methods":["GET","PATCH"]}`, "purge": `{"methods":["PURGE"]}`}, "get purge", map[string]string{
			"GET http://h/": "get", "PURGE http://h/": "purge", "POST http://h/": "",
		}},
		{"the older of equals", map[string]string{"old": `{"paths":["/a"]}`, "new": `{"paths":["/a"]}`}, "old new", map[string]string{"GET http://h/a": "old"}},
		{"each path for itself", map[string]string{"two": `{"paths":["/","/a/b/c"]}`, "mid": `{"paths":["/a/b"]}`}, "two mid", map[string]string{
			"GET http://h/a/b": "mid", "GET http://h/a/b/c": "two", "GET http://h/x": "two",
		}},
		{"other spellings of a path", map[string]string{"admin": `{"paths":["/admin"]}`, "esc": `{"paths":["/caf%c3%a9"]}`, "raw": `{"paths":["/naïve","~/a b/\\d+$"]}`, "root": `{"paths":["/"]}`}, "root admin esc raw", map[string]string{
			"GET http://h/%61dmin": "admin", "GET http://h//admin": "admin", "GET http://h/x/../admin": "admin", "GET http://h/./admin": "admin", "GET http://h/x/%2e%2E/admin": "admin",
			"GET http://h/na%c3%afve": "raw", "GET http://h/na%C3%AFve": "raw", "GET http://h/a%20b/1": "raw", "GET http://h/a%2520b/1": "root",
			"GET http://h/caf%C3%A9": "esc", "GET http://h/%2Fadmin": "root",
		}},
		{"IPv6 hosts", map[string]string{"six": `{"hosts":["[::1]:8000"]}`, "any": `{"hosts":["::1"]}`}, "six any", map[string]string{
			"GET http://[::1]:8000/": "six", "GET http://[::1]:8001/": "any", "GET http://[::1]/": "any",
		}},
	} {
		r := routing(t, test.routes, strings.Fields(test.order)...)
		for request, want := range test.want {
			parts := strings.Fields(request)
			q := ask(parts[0], parts[1], parts[2:]...)
			got := ""
			if found := r.find(r.asked(q, false)); found.route != nil {
				got = found.name
			}
			if got != want {
				t.Errorf("%s: %s goes to %q, want %q", test.name, request, got, want)
			}
		}
	}
}

func TestTheRouterFindsAmongManyWhatALookAtAllFinds(t *testing.T) {
	routes, order := map[string]string{}, []string{}
	add := func(route string) {
		name := fmt.Sprintf("r%d", len(order))
		routes[name], order = route, append(order, name)
	}
	for i := range 40 {
		add(fmt.Sprintf(`{"paths":["/p%d","/p%d/x"]}`, i%7, i%5))
		add(fmt.Sprintf(`{"hosts":["h%d.com","*.h%d.com"],"paths":["/p%d"]}`, i%5, i%3, i%4))
		add(fmt.Sprintf(`{"hosts":["h%d.com:81"],"methods":["GET"]}`, i%5))
		add(fmt.Sprintf(`{"paths":["~/p%d/\\w"],"regex_priority":%d}`, i%6, i%3))
	}
	r := routing(t, routes, order...)
	var all []*entry
	seen := map[*entry]bool{}
	for _, list := range r.index {
		for _, e := range list {
			if !seen[e] {
				seen[e] = true
				all = append(all, e)
			}
		}
	}
	for i := range 400 {
		q := ask([]string{"GET", "POST"}[i%2], fmt.Sprintf("http://%sh%d.com%s/p%d%s", []string{"", "a."}[i/2%2], i%6, []string{"", ":81"}[i/3%2], i%8, []string{"", "/x", "/1/2"}[i%3]))
		a := r.asked(q, false)
		var want *entry
		for _, e := range all {
			if strings.HasPrefix(a.path, e.prefix) && e.matches(&a) && (want == nil || e.place < want.place) {
				want = e
			}
		}
		got := r.find(a)
		if (want == nil) != (got.route == nil) || want != nil && want.route != got.route {
			t.Errorf("%s %s: %v, want %v", q.Method, q.URL, got.route, want)
		}
	}
}

func TestTheUpstreamsPathIsKongs(t *testing.T) {
	for _, test := range []struct {
		base, path, prefix string
		strip              bool
		want               string
	}{
		// Kong's own table of path_handling v0.
		{"/", "/test", "/test", true, "/"}, {"/", "/test/", "/test", true, "/"}, {"/", "/test/a", "/test", true, "/a"},
		{"/", "/test/a", "/test", false, "/test/a"}, {"/srv", "/test", "/test", true, "/srv"}, {"/srv", "/test/", "/test", true, "/srv/"},
		{"/srv", "/testa", "/test", true, "/srv/a"}, {"/srv/", "/test", "/test", true, "/srv"}, {"/srv/", "/test/", "/test", true, "/srv/"},
		{"/srv/", "/testa", "/test", true, "/srv/a"}, {"/srv/", "/test/a", "/test", true, "/srv/a"}, {"/srv", "/test/a", "/test", true, "/srv/a"},
		{"/srv", "/", "/", false, "/srv"}, {"/srv/", "/", "/", false, "/srv/"}, {"", "/a", "/", true, "/a"}, {"/srv", "/a", "/", true, "/srv/a"},
	} {
		if got := upstreamPath(test.base, test.path, strings.TrimPrefix(test.path, test.prefix), test.strip); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func FuzzNoRequestBreaksTheRouter(f *testing.F) {
	r := routing(f, map[string]string{
		"a": `{"paths":["/a","~/b/(?P<x>[a-z]+)$","/"],"hosts":["*.example.com","example.*:81","[::1]"]}`, "b": `{"paths":["/%c3%a9"],"headers":{"x":["~*a"]}}`,
		"c": `{"hosts":["example.com:80"]}`, "d": `{"paths":["/a//b"]}`,
	}, "a", "b", "c")
	f.Add("/a/../b/x", "a.example.com", "A")
	f.Add("/%2e%2e//%zz%", "[::1]:81", "")
	f.Add("*", ":", "")
	f.Fuzz(func(t *testing.T, path, host, value string) {
		q := ask("GET", "http://h/")
		q.Host, q.URL.Path, q.URL.RawPath = host, path, path
		q.Header["X"] = []string{value}
		a := r.asked(q, true)
		if strings.Contains(a.path, "/../") || strings.HasSuffix(a.path, "/..") || strings.Contains(a.path, "//") {
			t.Errorf("the path %q became %q", path, a.path)
		}
		if normalPath(a.path) != a.path {
			t.Errorf("%q became %q, which becomes %q", path, a.path, normalPath(a.path))
		}
		if normalPath(escapedPath(a.path)) != a.path {
			t.Errorf("%q goes on as %q, which is another path", a.path, escapedPath(a.path))
		}
		found := r.find(a)
		if found.route != nil && found.prefix+found.rest != a.path {
			t.Errorf("%q was taken apart into %q and %q", a.path, found.prefix, found.rest)
		}
	})
}
